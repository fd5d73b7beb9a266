-- A message of the bus and its records: what of it a client takes, and what has
-- become of each.
local Message = {}
Message.__index = Message

local FORMAT = 1

-- Of the lanes: where the API takes their records, and what of a client's waits
-- for an outcome then.
Message.lanes = {
  events = { endpoint = "track", kind = "events" },
  import = { endpoint = "import", kind = "events" },
  collected = { endpoint = "track", kind = "events", collected = true },
  people = { endpoint = "engage", kind = "people" },
  groups = { endpoint = "groups", kind = "groups" },
}

-- `delivery` as the link gives it, with when it was `stored`; `seq`: its number in the
-- stream; `in_doubt`: an earlier reader may have delivered it. Without a name of its
-- own it gets one with that time, as a stream that is made anew counts from 1 again.
function Message.new(lane, delivery, seq, in_doubt)
  local headers = delivery.headers or {}
  return setmetatable({
    lane = lane,
    seq = seq,
    ack = delivery.reply,
    subject = delivery.subject,
    body = delivery.body,
    id = headers["Nats-Msg-Id"] or ("seq-%.0f-%s"):format(seq, delivery.stored),
    format = headers["Mp-Format"],
    in_doubt = in_doubt,
    taken = 0,
    open = 0, -- records that still have to get to where the dead letters are
  }, Message)
end

-- True: a newer version of this module must read it.
function Message:is_newer()
  local format = tonumber(self.format or FORMAT)
  return format ~= nil and format > FORMAT
end

local function options_of(self, more)
  local options = {
    items = "values",
    last = true,
    places = true,
    content_encoding = self.body:sub(1, 2) == "\31\139" and "gzip" or nil,
    collected = Message.lanes[self.lane].collected,
    complete = true,
    in_doubt = self.in_doubt,
  }
  for name, value in pairs(more) do
    options[name] = value
  end
  return options
end

-- What tells its records apart: the marks of what is taken of a message are in a row.
local function note_records(self, result, last_mark)
  self.taken, self.places = result.taken, result.places
  self.first_mark, self.mark = last_mark - result.taken + 1, last_mark
end

-- Of a message of which a part is queued, since the outcome of that may be known before
-- the rest is queued. To ask for the mark has all sent that waits; the queue is full.
local function note_part(self, client, queued)
  local endpoint = Message.lanes[self.lane].endpoint
  local result = client:ingest(endpoint, self.body, options_of(self, { dry = true }))
  if result then
    note_records(self, result, client:mark() - queued + result.taken)
  end
end

-- True if it does not fit though nothing else is queued: it never will.
local function is_too_large(self, client, code)
  if code ~= "queue_full" or self.queued then
    return false
  end
  local stats = client:stats()
  return stats.queued + stats.in_flight == 0
end

-- Queues its records in the client. True: it is taken, and `dead(json, reason,
-- field, place)` was called for each record that has no place in Mixpanel, and
-- `garbage(reason)` if it is no batch. Nil and why: not now, ask again.
function Message:hand_over(client, dead, garbage)
  local result, why, code, queued = client:ingest(
    Message.lanes[self.lane].endpoint,
    self.body,
    options_of(self, { skip = self.queued })
  )
  if result and result.taken + result.refused + result.left_out == 0 then
    result, why, code = nil, "no record is in it", "invalid"
  elseif not result and is_too_large(self, client, code) then
    why, code = "its records are more than max_queue_bytes", "too_large"
  end
  if not result and (code == "invalid" or code == "too_large") then
    garbage(why)
    self.first_mark, self.mark = 1, 0 -- none
    return true
  elseif not result then
    if queued and queued > 0 then
      self.queued = queued
      if not self.places then
        note_part(self, client, queued)
      end
    end
    return nil, why, code
  end
  note_records(self, result, result.mark)
  for _, refusal in ipairs(result.refusals) do
    local json = refusal.json or self.body:sub(refusal.first, refusal.last)
    dead(json, refusal.message, refusal.field, refusal.first)
  end
  self.body = nil -- it is the client's now
  return true
end

-- Where the record with this mark begins in the message, from 1.
function Message:place_of(mark)
  local at = 4 * (mark - self.mark + self.taken - 1)
  local a, b, c, d = (self.places or ""):byte(at + 1, at + 4)
  return d and 1 + a + 256 * (b + 256 * (c + 256 * d)) or 0
end

return Message
