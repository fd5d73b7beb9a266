-- Which of several forwarders has a project: whoever wrote the project's key in the
-- bucket `mixpanel_lease` last. A key is written only by who knows its last number
-- (NATS docs: Nats-Expected-Last-Subject-Sequence), so one of several that try is
-- first. It is written again all the time; who could not for two thirds of TTL_S
-- sends nothing any more, and another takes the key that it has seen unchanged for
-- the whole of it.
--
-- Each compares times of its own clock alone, which only goes forward, and counts what
-- the machine sleeps: others do not sleep with it. What the clocks of the machines say
-- of the day, and whether one is set, does not matter, nor does how the servers of the
-- bus take time: a key lives for ever.
local JetStream = require "mixpanel.forward.jetstream"
local cjson = require "cjson"

local Lease = {}
Lease.__index = Lease

Lease.BUCKET = "mixpanel_lease"
Lease.STREAM = "KV_" .. Lease.BUCKET
Lease.TTL_S = 15
local REFUSALS = 4 -- of one key: a replica that is behind for a moment has caught up

-- `owner` names this process, `setup` says how it treats the project; `clock` as
-- of the tasks.
function Lease.new(js, project, owner, setup, clock)
  return setmetatable({
    js = js,
    subject = ("$KV.%s.%s"):format(Lease.BUCKET, project),
    owner = owner,
    setup = setup,
    clock = clock,
    seen = 0, -- the key's number when it was last looked at; 0: it is not there
    since = 0, -- when it was first seen under it
    memory = {}, -- what its holder wanted the next one to know
    valid_until = 0,
  }, Lease)
end

-- The key: owner (nobody where it was given back), setup, memory, seq. False: it is not
-- there. Nil and why. A replica answers, which may be a moment behind.
local function read(self)
  local message, why = self.js:message(Lease.STREAM, { last_by_subj = self.subject })
  if not message then
    return message, why
  end
  local ok, value = pcall(cjson.decode, message.body)
  if not ok or type(value) ~= "table" then
    value = { owner = "?" }
  end
  value.seq = message.seq
  return value
end

-- Writes the key, if its last number is `expected` (0: it is not there).
local function write(self, expected, value)
  return self.js:publish(self.subject, JetStream.encode(value), {
    ["Nats-Expected-Last-Subject-Sequence"] = ("%.0f"):format(expected),
  })
end

-- True: it is this process's, for a while from when that was asked.
local function claim(self, expected)
  local asked = self.clock()
  local seq, why, code =
    write(self, expected, { owner = self.owner, setup = self.setup, memory = self.memory })
  if seq then
    self.seq = seq
    self.valid_until = asked + Lease.TTL_S * 2 / 3
  end
  return seq ~= nil, why, code
end

-- True if it can be taken: nobody has it, or nobody has renewed it for TTL_S, or
-- this process has it by a request without an answer. False and the setup of who
-- has it. Nil and why.
function Lease:is_free()
  local key, why = read(self)
  if key == nil then
    return nil, why
  elseif not key then
    self.seen = 0
    return true
  end
  local now = self.clock() -- what was written was asked before
  if key.seq ~= self.seen then
    self.seen, self.since, self.memory = key.seq, now, key.memory or {}
  end
  if key.owner and key.owner ~= self.owner and now - self.since < Lease.TTL_S then
    return false, key.setup
  end
  return true
end

-- After `is_free`. True: it is this process's. False: another was faster. Nil and
-- why: nobody knows; or the bus goes on refusing the key though nobody writes it, as
-- servers may that are not alike.
function Lease:take()
  local ok, why, code = claim(self, self.seen)
  if ok or code ~= JetStream.WRONG_SEQUENCE then
    return ok or nil, why
  end
  self.refusals = self.refused == self.seen and self.refusals + 1 or 1
  self.refused = self.seen
  if self.refusals < REFUSALS then
    return false
  end
  return nil, ("the lease cannot be taken, though its key is %.0f: %s"):format(self.seen, why)
end

-- True: it still is. False: another has it. Nil and why: nobody knows. `memory`: what
-- the next one finds under that name, once it took the key.
function Lease:renew(memory)
  self.memory = memory
  local ok, why, code = claim(self, self.seq)
  if ok or code ~= JetStream.WRONG_SEQUENCE then
    return ok or nil, why
  end
  local key
  key, why = read(self)
  if not key then
    return nil, key == false and "its key is gone" or why
  elseif key.owner == self.owner then -- written before, by a request without an answer
    ok, why = claim(self, key.seq)
    return ok or nil, why
  elseif key.seq > self.seq then
    return false
  end
  return nil, "a server of the bus is behind"
end

-- Seconds that it holds from now on, at least.
function Lease:left()
  return self.valid_until - self.clock()
end

-- Gives it back before its time, unless another has it. `memory` as for `renew`.
function Lease:release(memory)
  self.valid_until, self.memory = 0, memory
  return write(self, self.seq, { setup = self.setup, memory = memory })
end

return Lease
