-- Where the forwarding of one lane of a project stands: a durable consumer of
-- JetStream, which acknowledges a message with all before it. `nats consumer info`
-- shows it, and how many messages wait.
--
-- A reader that goes on where another stopped wants the messages that were
-- delivered and not acknowledged at once and in order, which a consumer gives
-- again only after `ack_wait`. So it makes a consumer anew, under the other of two
-- names, before it removes the old one: the position is the highest of what is
-- there, whenever it dies.
local JetStream = require "mixpanel.forward.jetstream"
local cjson = require "cjson"
local streams = require "mixpanel.forward.streams"

local Consumer = {}
Consumer.__index = Consumer

local NAMES = { "a", "b" }
local ACK_WAIT_NS = 3600 * 1000000000
local MAX_ACK_PENDING = 20000

-- `subject` is that of the lane, "mp.0123456789abcdef.events".
function Consumer.new(js, subject)
  return setmetatable({
    js = js,
    subject = subject,
    base = subject:gsub("^mp%.", "mp-"):gsub("%.", "-") .. "-",
  }, Consumer)
end

-- name -> true, of those that are there. The stream's own list tells of one that
-- was just made, where to ask for it by name may still say that there is none.
local function list(self)
  local found, offset = {}, 0
  repeat
    local page, why = self.js:api("CONSUMER.NAMES." .. streams.RECORDS, { offset = offset })
    if not page then
      return nil, why
    end
    local names = page.consumers or {}
    for _, name in ipairs(names ~= cjson.null and names or {}) do
      found[name] = true
    end
    offset = offset + page.limit
  until offset >= page.total
  return found
end

-- The information of each, by name; or nil and why.
local function look(self)
  local names, why = list(self)
  if not names then
    return nil, why
  end
  local infos = {}
  for _, letter in ipairs(NAMES) do
    local name = self.base .. letter
    if names[name] then
      local info
      info, why = self.js:api(("CONSUMER.INFO.%s.%s"):format(streams.RECORDS, name))
      if not info then
        return nil, why
      end
      infos[name] = info
    end
  end
  return infos
end

local function remove(self, name)
  local _, why, code = self.js:api(("CONSUMER.DELETE.%s.%s"):format(streams.RECORDS, name))
  return (why == nil or code == JetStream.NO_CONSUMER) and true or nil, why
end

-- What a consumer's description remembers beside its position.
local REMEMBERED = "delivered before: up to %.0f; none missed up to %.0f"

-- All up to this number is acknowledged: where it began, until the first
-- acknowledgement, as NATS 2.9 calls that 0.
local function floor_of(info)
  return math.max(info.ack_floor.stream_seq, (info.config.opt_start_seq or 1) - 1)
end

-- All up to these numbers is acknowledged; was delivered, by consumers before too;
-- was not missed, as a forwarder noted (see Consumer:remember); and the name that is
-- behind, if there are two.
local function position(infos)
  local floor, delivered, clear, behind, ahead = 0, 0, 0, nil, nil
  for name, info in pairs(infos) do
    local before, noted = (info.config.description or ""):match "up to (%d+); .* up to (%d+)$"
    delivered = math.max(delivered, tonumber(before) or 0, info.delivered.stream_seq)
    clear = math.max(clear, tonumber(noted) or 0)
    if not ahead or floor_of(info) > floor then
      behind, ahead, floor = ahead, name, floor_of(info)
    else
      behind = name
    end
  end
  return floor, delivered, clear, behind, ahead
end

local function create(self, name, floor, delivered, clear)
  self.config = {
    durable_name = name,
    description = REMEMBERED:format(delivered, clear),
    filter_subject = self.subject,
    ack_policy = "all",
    ack_wait = ACK_WAIT_NS,
    max_ack_pending = MAX_ACK_PENDING,
    max_deliver = -1,
    replay_policy = "instant",
    deliver_policy = floor > 0 and "by_start_sequence" or "all",
    opt_start_seq = floor > 0 and floor + 1 or nil,
  }
  self.delivered = delivered
  return self.js:api(
    ("CONSUMER.DURABLE.CREATE.%s.%s"):format(streams.RECORDS, name),
    { stream_name = streams.RECORDS, config = self.config }
  )
end

-- A server that has just become the leader of the others may not know of a consumer
-- yet. So what was known before of it counts, too: `before`, of the same stream, has
-- its name, and floor and delivered as of then. If it is not there, nor another that
-- took its place, anything may have been delivered. Returns floor and delivered; or nil
-- and why.
local function with_memory(self, before, infos, floor, delivered)
  local stream, why = self.js:api("STREAM.INFO." .. streams.RECORDS)
  if not stream then
    return nil, why
  end
  self.found = stream.created
  if not before or before.created ~= stream.created then
    return floor, delivered
  end
  local is_known = infos[before.name] or next(infos) and delivered >= before.delivered
  return math.max(floor, before.floor),
    math.max(delivered, is_known and before.delivered or stream.state.last_seq)
end

-- Up to where no message was missed, where `noted` is what consumers say of it. A purge
-- takes a consumer's floor to its end, also over what nobody has read; so that counts
-- only where nobody has left anything better.
local function clear_of(self, before, noted, floor)
  if before and before.clear and before.created == self.found then
    return math.max(noted, before.clear, before.floor)
  end
  return math.max(noted, floor)
end

-- Makes it anew behind what was acknowledged; or, where `left` is given, as `leave` has
-- it. Returns its name, the number behind which it begins, and the others of `position`;
-- or nil and why.
local function replace(self, before, left)
  local infos, why = look(self)
  if not infos then
    return nil, why
  end
  local floor, delivered, noted, behind, ahead = position(infos)
  floor, delivered = with_memory(self, before, infos, floor, delivered)
  if not floor then
    return nil, delivered
  end
  local clear = clear_of(self, before, noted, floor)
  if left then
    if self.found ~= self.created then
      return nil, "the stream was made anew"
    end
    floor = math.max(floor, left.taken)
    delivered, clear = math.max(floor, left.doubt), math.max(noted, left.clear)
  end
  if behind then
    local ok
    ok, why = remove(self, behind)
    if not ok then
      return nil, why
    end
  end
  local name = self.base .. (ahead == self.base .. "a" and "b" or "a")
  local made
  made, why = create(self, name, floor, delivered, clear)
  if not made then
    return nil, why
  end
  if ahead and not remove(self, ahead) then
    return nil, "nats: the old consumer is not removed yet"
  end
  return name, floor, delivered, clear
end

-- Begins behind what was acknowledged; `before`: what `memory` was, of whoever read the
-- lane last. Returns that number, the one up to which messages were delivered before,
-- and the one up to which none was missed; or nil and why. `created` tells the stream
-- that they belong to from one that was made anew, which counts from 1 again.
function Consumer:begin(before)
  self.name = nil
  local name, floor, delivered, clear = replace(self, before)
  if not name then
    return nil, floor
  end
  self.name, self.last_name, self.created = name, name, self.found
  return floor, delivered, clear
end

-- What whoever reads next should know, also where a consumer is not to be found.
-- `clear`: nil where nobody knows.
function Consumer:memory(floor, delivered, clear)
  return {
    created = self.created,
    name = self.last_name,
    floor = floor,
    delivered = delivered,
    clear = clear,
  }
end

-- In a task: has the consumer remember that no message of the lane up to this number
-- left the stream unread, as its position says only of a lane with much traffic.
function Consumer:remember(clear)
  self.config.description = REMEMBERED:format(self.delivered, clear)
  return self.js:api(
    ("CONSUMER.DURABLE.CREATE.%s.%s"):format(streams.RECORDS, self.config.durable_name),
    { stream_name = streams.RECORDS, config = self.config }
  )
end

-- In a task: the number of the lane's first message that is not before this one;
-- nil: there is none, or nobody knows.
function Consumer:next(seq)
  local found =
    self.js:api("STREAM.MSG.GET." .. streams.RECORDS, { seq = seq, next_by_subj = self.subject })
  return found and found.message.seq
end

-- Whoever begins next does so behind `left.taken`, nothing after `left.doubt` counts as
-- delivered, and none was missed up to `left.clear`. True; or nil and why.
function Consumer:leave(left)
  self.name = nil
  local name, why = replace(self, nil, left)
  self.last_name = name or ""
  return name and true, why
end

-- In a task: what JetStream knows of it now.
function Consumer:info()
  return self.name and self.js:api(("CONSUMER.INFO.%s.%s"):format(streams.RECORDS, self.name))
end

-- Asks for as many messages, which come to the link, for as long. Returns what tells
-- this pull from others; or nil and why.
function Consumer:pull(batch, seconds)
  return self.js.link:pull(
    ("$JS.API.CONSUMER.MSG.NEXT.%s.%s"):format(streams.RECORDS, self.name),
    cjson.encode { batch = batch, expires = seconds * 1000000000 }
  )
end

-- In a task: all up to the message whose reply subject this is.
function Consumer:acknowledge(reply)
  local answer = self.js:ask(reply, "+ACK", nil)
  return answer.status == 200, answer.text
end

-- What the reply subject of a message says: consumer, number in the stream, number
-- for the consumer, and when it was stored, nanoseconds as text (NATS docs, $JS.ACK;
-- newer servers put a domain and an account in front).
function Consumer.read_reply(reply)
  local parts = {}
  for part in reply:gmatch "[^.]+" do
    parts[#parts + 1] = part
  end
  local at = #parts >= 11 and 2 or 0
  if parts[1] ~= "$JS" or #parts < 9 then
    return nil
  end
  return parts[at + 4], tonumber(parts[at + 6]), tonumber(parts[at + 7]), parts[at + 8]
end

return Consumer
