-- Reads one lane of a project: pulls its messages, has their records queued, and
-- acknowledges a message when it and all before it have an outcome.
local Consumer = require "mixpanel.forward.consumer"
local Message = require "mixpanel.forward.message"
local streams = require "mixpanel.forward.streams"

local Reader = {}
Reader.__index = Reader

local BATCH = 16 -- messages that are pulled at once, of up to 1 MiB each
local PULL_S = 5
local HELD_MAX = 4096 -- messages without an outcome
local ACK_PAUSE_S = 0.2
local ROOM_S = 0.1 -- between two looks whether there is room
local IDLE_S = 60
local RETRY_S = 1

-- `tenure`: what holds as long as the project is this process's, see project.lua.
-- `before`: the `memory` of who read the lane last; nil: nobody has left any.
function Reader.new(tenure, lane, before)
  return setmetatable({
    tenure = tenure,
    tasks = tenure.tasks,
    lane = lane,
    kind = Message.lanes[lane].kind,
    consumer = Consumer.new(tenure.js, ("%s.%s"):format(tenure.subject, lane)),
    to_acknowledge = {}, -- what the task waits for that does
    incoming = {}, -- messages that no client has yet
    held = {}, -- taken, in order, from `first` to `last`
    first = 1,
    last = 0,
    finished = 1, -- those before it have an outcome
    before = before,
    created = before and before.created, -- of the stream whose numbers these are
    renewals = 0, -- how often the consumer was found to be of no use
    taken = 0, -- the number of the last one
    seen = 0, -- the same of those that came
    position = 0, -- all up to this one is acknowledged
    asked = 0, -- up to this one it was asked to be acknowledged
    clear = 0, -- up to this one none was missed
    surveyed = false, -- `clear` says something
    remembered = 0, -- of these, what the consumer knows
    waiting = 0, -- messages that are not pulled yet, when it was last asked
  }, Reader)
end

-- ---- what comes in ----

-- What came and is not taken comes again. The first stays if the client has a part of
-- it: as long as the rest is missing nothing else is handed over, and it may have left
-- the stream.
-- What is not acknowledged comes again, too: before that it cannot be, since another
-- consumer takes an acknowledgement that was meant for this one, by the numbers in
-- it, for some other message's.
local function forget_consumer(self)
  local first = self.incoming[1]
  for i = self.first, self.last do
    self.held[i].ack = nil
  end
  self.settled = nil
  self.consumer.name = nil
  self.renewals = self.renewals + 1
  self.incoming = {}
  if first and first.queued then
    first.ack, self.incoming[1] = nil, first
  end
  self.tasks:answer(self, "over")
end

-- It comes once more, for an acknowledgement that the new consumer understands.
local function renew_reply(self, seq, reply)
  for i = self.first, self.last do
    if self.held[i].seq == seq and not self.held[i].is_gone then
      self.held[i].ack = reply
      return
    end
  end
  self.settled = { seq = seq, ack = reply }
  self.tasks:answer(self.to_acknowledge)
end

function Reader:on_delivery(delivery, seq, number)
  if number ~= self.expected then -- one was lost on its way
    return forget_consumer(self)
  end
  self.expected = number + 1
  self.missing = self.missing - 1
  self.seen = math.max(self.seen, seq)
  local first = self.incoming[1]
  if seq <= self.taken then
    renew_reply(self, seq, delivery.reply)
  elseif first and first.seq == seq and not first.is_gone then
    first.ack = delivery.reply
  else
    self.incoming[#self.incoming + 1] = Message.new(self.lane, delivery, seq, seq <= self.doubt)
    self:take()
  end
  if self.missing == 0 then
    self.tasks:answer(self, "all")
  end
end

-- A pull ended before all came; or its consumer is not there.
function Reader:on_pull_end(status)
  if status ~= 404 and status ~= 408 then
    forget_consumer(self)
  end
  self.tasks:answer(self, "over")
end

function Reader:on_lost()
  forget_consumer(self)
end

-- Hands over what came, as far as there is room; when nothing is read any more, only
-- the rest of a message that is queued in part.
function Reader:take()
  while self.incoming[1] do
    local message = self.incoming[1]
    if not (self.tenure:reads() or message.queued) then
      return
    elseif message:is_newer() then
      return self.tenure:on_newer(message)
    elseif not self.tenure:hand_over(message) then
      return
    end
    table.remove(self.incoming, 1)
    self.last = self.last + 1
    self.held[self.last] = message
    self.taken = message.seq
  end
end

-- ---- what has an outcome ----

-- Looks which messages are done; the reports about them are read after it.
function Reader:look()
  local client = self.tenure.client
  while self.finished <= self.last and client:done(self.held[self.finished].mark, self.kind) do
    self.finished = self.finished + 1
  end
end

-- Lets go of the messages of which each record has arrived somewhere.
function Reader:settle()
  while self.first < self.finished and self.held[self.first].open == 0 do
    local message = self.held[self.first]
    self.held[self.first] = nil
    self.first = self.first + 1
    if message.ack then
      self.settled = message
      self.tasks:answer(self.to_acknowledge)
    end
    self.tenure:on_settled()
  end
end

local function has(message, mark)
  return message
    and message.mark
    and message.first_mark <= mark
    and mark <= message.mark
    and message
end

-- The message whose record has this mark: one that is held, or one that is queued in
-- part.
function Reader:find(mark)
  for i = self.first, self.last do
    if has(self.held[i], mark) then
      return self.held[i]
    end
  end
  return has(self.incoming[1], mark)
end

-- True if all that a client has of it has an outcome.
function Reader:is_empty()
  local next_one = self.incoming[1]
  return self.first > self.last and not (next_one and next_one.queued)
end

-- In a task: acknowledges what is settled.
function Reader:acknowledge()
  local settled = self.settled
  self.settled = nil
  local renewals = self.renewals
  self.asked = math.max(self.asked, settled.seq)
  local ok = self.consumer:acknowledge(settled.ack)
  if self.renewals ~= renewals then
    return -- it comes once more, unless the next one begins behind it
  elseif ok then
    self.position = math.max(self.position, settled.seq)
  elseif not self.settled then
    self.settled = settled
  end
end

local function survey_now(self)
  local info, why = self.tenure.js:api("STREAM.INFO." .. streams.RECORDS)
  if info then
    self:survey(info.state)
  end
  return info ~= nil, why
end

-- In a task, when it is empty: whoever reads next begins behind what was taken, and
-- takes nothing after it for delivered, but for what was when this one began. True; or
-- nil and why.
function Reader:leave()
  if not self.doubt then
    return true -- it never began
  end
  local ok, why = survey_now(self)
  if not ok then
    return nil, why
  end
  self.position = math.max(self.taken, self.position)
  self.seen = self.position
  return self.consumer:leave { taken = self.position, doubt = self.doubt, clear = self.clear }
end

-- What whoever reads next should know; nil: nothing.
function Reader:memory()
  if not self.doubt then
    return self.before
  end
  return self.consumer:memory(
    self.position,
    math.max(self.doubt, self.seen),
    self.surveyed and self.clear or self.before and self.before.clear
  )
end

-- Up to where no message of the lane can have left the stream unread, now that it has
-- this state and so many wait.
local function look_ahead(self, state, pending)
  if pending == 0 then
    return state.last_seq
  end
  local next_seq = self.consumer:next(math.max(self.taken, self.clear) + 1)
  return next_seq and next_seq - 1 or self.clear
end

-- Nobody else acknowledges. So where the consumer's floor is behind what was asked for,
-- a purge took it there, over what had not come.
local function look_for_purge(self, floor)
  if floor <= self.asked then
    return
  end
  local came = math.max(self.asked, self.clear, self.seen <= floor and self.seen or 0)
  for i = self.first, self.last do
    local seq = self.held[i].seq
    came = seq <= floor and math.max(came, seq) or came
  end
  if came < floor then
    self.tenure:on_gap(came + 1, floor)
  end
  self.asked, self.clear = floor, math.max(self.clear, floor)
end

-- In a task: looks how many messages wait, and whether some left the stream before
-- they were read. `state` of the stream, of before. A lane that is quiet beside busy
-- ones remembers where it is, long before the first of the stream's messages is
-- behind that: else their end would look like a loss of its own.
function Reader:survey(state)
  local info = self.consumer:info()
  if not info then
    return
  end
  look_for_purge(self, info.ack_floor.stream_seq)
  local seen = math.max(self.taken, self.clear)
  if (seen > 0 or self.surveyed) and state.first_seq > seen + 1 then
    self.tenure:on_gap(seen + 1, state.first_seq - 1)
    self.clear = state.first_seq - 1
  end
  self.waiting = info.num_pending
  local half = (state.first_seq + state.last_seq) / 2
  if info.num_pending == 0 or seen < half then
    self.clear = math.max(self.clear, look_ahead(self, state, info.num_pending))
  end
  self.surveyed = self.clear > 0 or state.first_seq <= 1
  if self.remembered < half and self.clear > self.remembered then
    if self.consumer:remember(self.clear) then
      self.remembered = self.clear
    end
  end
end

-- ---- its tasks ----

-- Numbers of a stream that is there no more say nothing of the one of that name. What
-- the client has of its messages goes on; nobody is left to tell of their end.
local function forget_stream(self)
  for i = self.first, self.last do
    self.held[i].is_gone = true
  end
  if self.incoming[1] then
    self.incoming[1].is_gone = true
  end
  self.taken, self.seen, self.doubt = 0, 0, nil
  self.tenure:on_new_stream(self.consumer.created)
end

local function begin(self)
  local floor, delivered, clear = self.consumer:begin(self:memory())
  if not floor then
    self.tenure:note(delivered)
    return false
  end
  if self.created and self.created ~= self.consumer.created then
    forget_stream(self)
  end
  self.created = self.consumer.created
  self.position = floor -- a server that was killed may have forgotten the last ones
  self.expected = 1
  if not self.doubt then -- of another process; later ones are this one's own
    self.doubt = delivered
    self.clear, self.remembered = clear, clear
    self.asked = floor
    self.surveyed = self.before ~= nil
      and self.before.clear ~= nil
      and self.before.created == self.created
    survey_now(self)
  else
    look_for_purge(self, floor)
  end
  self.tenure:on_begun()
  return self.consumer.name ~= nil
end

local function has_room(self)
  return #self.incoming == 0
    and self.last - self.first < HELD_MAX
    and self.tenure.dead:has_room()
    and self.tenure:has_room()
end

local function pull(self)
  self.missing = BATCH
  self.pull = self.consumer:pull(BATCH, PULL_S)
  if not self.pull then
    return self.tasks:sleep(RETRY_S)
  end
  if not self.tasks:await(self, PULL_S + RETRY_S) then
    forget_consumer(self) -- no word of it, nor of the connection
  end
end

local function read(self)
  while self.tenure:reads() do
    if not self.consumer.name and not begin(self) then
      self.tasks:sleep(RETRY_S)
    elseif self.consumer.name and has_room(self) then
      pull(self)
    elseif self.consumer.name then
      self.tasks:sleep(ROOM_S)
    end
  end
end

-- Has its tasks see that the tenure is over.
function Reader:stop()
  self.tasks:answer(self, "over")
  self.tasks:answer(self.to_acknowledge)
end

-- Starts to read, and to acknowledge, as long as the tenure lasts.
function Reader:start()
  self.tasks:spawn(function()
    read(self)
  end)
  self.tasks:spawn(function()
    while not self.tenure.over do
      if self.settled then
        self:acknowledge()
        self.tasks:sleep(ACK_PAUSE_S)
      else
        self.tasks:await(self.to_acknowledge, IDLE_S)
      end
    end
  end)
end

return Reader
