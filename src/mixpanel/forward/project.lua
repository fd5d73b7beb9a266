-- One project on the bus: stands by until it can be had, then forwards it.
local Lease = require "mixpanel.forward.lease"
local Tenure = require "mixpanel.forward.tenure"
local mixpanel = require "mixpanel"

local Project = {}
Project.__index = Project

local LOOK_S = 1 -- between two looks whether it can be had
local SHARE_S = 0.5 -- later for each project that this process has
local RENEW_S = Lease.TTL_S / 3
local AGAIN_S = 0.5 -- after a renewal without an answer
local ASIDE_S = 60
local QUIET_S = 60 -- in which equal notes are one

-- `entry` of projects.lua, as the command line reads it: token, setup (a text), options
-- for mixpanel.new. `forwarder`: js, tasks, owner, note(text), owned, collect.
function Project.new(entry, forwarder)
  local subject = mixpanel.bus_subject(entry.token)
  return setmetatable({
    token = entry.token,
    options = entry.options,
    setup = entry.setup,
    subject = subject,
    name = subject:sub(4),
    forwarder = forwarder,
    tasks = forwarder.tasks,
    noted = {},
    forget_at = 0, -- when what was noted may be noted again
    ended = {}, -- what its clients of before have counted, see metrics.lua
    counts = {
      messages = 0,
      records = 0,
      redelivered = 0,
      refused = 0,
      quarantined = 0,
      newer = 0,
      settled = 0,
      untold = 0,
      tenures = 0,
      gaps = 0,
      dead = 0,
      let_go = 0,
    },
  }, Project)
end

-- For people.
local function tell(self, text)
  self.forwarder.note(("project %s: %s"):format(self.name, text))
end

-- The same, of many equal ones one in a while.
function Project:note(text)
  local now = self.tasks.clock()
  if now >= self.forget_at then
    self.noted, self.forget_at = {}, now + QUIET_S
  end
  if not self.noted[text] then
    self.noted[text] = true
    tell(self, text)
  end
end

-- ---- standing by ----

local function compare(self, setup)
  if setup ~= self.setup and setup ~= self.compared then
    self.compared = setup
    tell(
      self,
      ("another forwarder treats it differently: %s; here: %s"):format(tostring(setup), self.setup)
    )
  end
end

-- True once it is this process's.
local function stand_by(self)
  local free, setup = self.lease:is_free()
  if free == false then
    compare(self, setup)
    return false
  elseif not free then
    self:note(setup)
    return false
  end
  local ok, why = self.lease:take()
  if ok == nil then
    self:note(why)
  end
  return ok
end

-- ---- having it ----

local function give_up(self, why)
  tell(self, "given up: " .. why)
  self.tenure:give_up()
end

-- The permit follows from a renewal alone.
local function keep(self, tenure)
  local ok, why = true, nil
  while not tenure.over do
    if ok then
      tenure.client:permit(math.max(self.lease:left(), 0))
    else
      self:note(("the lease is not renewed: %s"):format(tostring(why)))
    end
    self.tasks:await(tenure.begun_key, ok and RENEW_S or AGAIN_S)
    if not tenure.over then
      ok, why = self.lease:renew(tenure:memory())
    end
    if ok == false and not tenure.over then
      give_up(self, "another forwarder has it")
    end
  end
end

-- Often: gives it up in time, also where nothing else happens or much at once; then
-- sees what there is to do.
function Project:look()
  local tenure = self.tenure
  if tenure and not tenure.over and self.lease:left() <= 0 then
    give_up(self, "it could not be renewed in time")
  end
  if tenure and not tenure.over then
    tenure:look()
  end
end

local function give_back(self, memory)
  local ok, why = self.lease:release(memory)
  if not ok then
    local text = "not given back, so another goes on only %d seconds later: %s"
    tell(self, text:format(Lease.TTL_S, why))
  end
end

local function forward(self)
  local lease = self.lease
  local tenure = Tenure.new(
    self,
    self.forwarder.js:as_long_as(function()
      return lease:left()
    end, "the project may be another's by now"),
    self.tasks,
    lease.memory
  )
  self.tenure = tenure
  if self.stopping then
    tenure:stop()
  end
  self.counts.tenures = self.counts.tenures + 1
  tell(self, "forwards")
  self.tasks:spawn(function()
    keep(self, tenure)
  end)
  tenure:start()
  tenure:await_end()
  if not tenure.over then
    tenure:drain(self.forwarder.exit_timeout)
  end
  local ours = not tenure.over
  tenure:finish()
  self.tenure = nil
  self.forwarder:collect()
  if ours then
    give_back(self, tenure:memory())
  end
  return tenure.aside
end

-- From now on it does nothing but end.
function Project:stop()
  self.stopping = true
  self.tasks:answer(self, "stop")
  if self.tenure then
    self.tenure:stop()
  end
end

local function pause(self, seconds)
  if not self.stopping then
    self.tasks:await(self, seconds)
  end
end

-- In a task: until it is told to stop.
function Project:run()
  local forwarder = self.forwarder
  self.lease = Lease.new(forwarder.js, self.name, forwarder.owner, self.setup, self.tasks.clock)
  while not self.stopping do
    local aside = stand_by(self) and forward(self)
    pause(self, aside and ASIDE_S or LOOK_S + SHARE_S * forwarder:owned())
  end
  self.stopped = true
end

return Project
