-- Forwards from a bus to Mixpanel: one process, one connection, any number of
-- projects, each of which one of several such processes has at a time.
local Consumer = require "mixpanel.forward.consumer"
local JetStream = require "mixpanel.forward.jetstream"
local Message = require "mixpanel.forward.message"
local Project = require "mixpanel.forward.project"
local Tasks = require "mixpanel.forward.tasks"
local streams = require "mixpanel.forward.streams"

local Forwarder = {}
Forwarder.__index = Forwarder

local BUSY_S, IDLE_S = 0.02, 0.1 -- until a signal is seen
local RETRY_S = 1
local SURVEY_S = 60
local GIVE_BACK_S = 0.1 -- where the whole time to end was needed
local COLLECT_S = 0.5

-- `options`: link (of mixpanel.nats), clock (seconds that only go forward), owner (a
-- text that no other process has), exit_timeout in seconds, note (a function that
-- gets a line for people), projects (as the command line reads them).
function Forwarder.new(options)
  local tasks = Tasks.new(options.clock)
  local self = setmetatable({
    link = options.link,
    tasks = tasks,
    owner = options.owner,
    exit_timeout = options.exit_timeout,
    note = options.note,
    projects = {},
    unknown = {}, -- count and fault of messages that are not read, by project or subject
    told = {}, -- of these, and of what is not permitted
  }, Forwarder)
  self.js = JetStream.new(options.link, tasks):as_long_as(function()
    return self.end_at and self.end_at - tasks.clock() or math.huge
  end, "the time to end is over")
  for i, entry in ipairs(options.projects) do
    self.projects[i] = Project.new(entry, self)
  end
  return self
end

-- How many projects this process has.
function Forwarder:owned()
  local owned = 0
  for _, project in ipairs(self.projects) do
    owned = owned + (project.tenure and 1 or 0)
  end
  return owned
end

-- Frees the clients of tenures that are over; of many that end together at once. Lua
-- does not see how much memory a client has, and by itself might wait with its end for
-- many tenures.
function Forwarder:collect()
  if self.collects then
    return
  end
  self.collects = true
  self.tasks:spawn(function()
    self.tasks:sleep(COLLECT_S)
    self.collects = false
    collectgarbage()
  end)
end

-- ---- what comes ----

local function reader_of(self, consumer)
  for _, project in ipairs(self.projects) do
    for _, reader in ipairs(project.tenure and project.tenure.readers or {}) do
      if reader.consumer.name == consumer then
        return reader
      end
    end
  end
end

local function each_reader(self, visit)
  for _, project in ipairs(self.projects) do
    for _, reader in ipairs(project.tenure and project.tenure.readers or {}) do
      visit(reader)
    end
  end
end

local function take_delivery(self, event)
  local consumer, seq, number, stored = Consumer.read_reply(event.reply)
  local reader = consumer and reader_of(self, consumer)
  event.stored = stored
  if reader and reader.tenure:reads() then
    reader:on_delivery(event, seq, number)
  end
end

local function tell_once(self, what, text)
  if not self.told[what] then
    self.told[what] = true
    self.note(text)
  end
end

local function take_event(self, event)
  if event.id then
    self.tasks:answer(event.id, event)
  elseif event.lost then
    each_reader(self, function(reader)
      reader:on_lost()
    end)
  elseif event.reply then
    take_delivery(self, event)
  elseif event.pull then
    each_reader(self, function(reader)
      if reader.pull == event.pull then
        reader:on_pull_end(event.status)
      end
    end)
  elseif event.text then -- of a pull that did not get anywhere
    tell_once(self, event.subject, event.text)
  end
end

-- ---- what it looks after ----

-- What a message on this subject is that nobody here will forward, for people; nil: it
-- will be.
local function fault_of(subject, known)
  local name, lane = subject:match "^mp%.([^.]+)%.?(.*)"
  if not known[name] then
    return name, ("of project %s wait, and this forwarder does not know its token"):format(name)
  elseif not Message.lanes[lane] then
    return subject, ("on %s wait, which this version does not read"):format(subject)
  end
end

-- Messages that nobody will forward.
local function survey(self)
  local known = {}
  for _, project in ipairs(self.projects) do
    known[project.name] = true
  end
  local info = self.js:api("STREAM.INFO." .. streams.RECORDS, { subjects_filter = "mp.>" })
  local subjects = info and info.state.subjects
  self.unknown = {}
  for subject, count in pairs(type(subjects) == "table" and subjects or {}) do
    local what, fault = fault_of(subject, known)
    if what then
      local unknown = self.unknown[what] or { count = 0, fault = fault }
      unknown.count = unknown.count + count
      self.unknown[what] = unknown
    end
  end
  return info and info.state
end

local function tell_unknown(self)
  for what, unknown in pairs(self.unknown) do
    tell_once(self, what, ("%.0f messages %s"):format(unknown.count, unknown.fault))
  end
end

local function look_after(self)
  while not self.stopping do
    local state = survey(self)
    tell_unknown(self)
    each_reader(self, function(reader)
      if state then
        reader:survey(state)
      end
    end)
    self.tasks:await(look_after, SURVEY_S)
  end
end

-- Codes of what waiting does not mend.
local LASTING = { [401] = true, [JetStream.NO_STREAM] = true }

-- Waits until the bus is there and set up. Not true, why and a code, if there is one:
-- people must mend it.
local function await_streams(self)
  local told
  while not self.stopping do
    local ok, why, code = streams.check(self.js)
    if ok ~= nil or LASTING[code] then
      return ok, why, code
    elseif told ~= why then
      told = why
      self.note("waits for the bus: " .. why)
    end
    self.tasks:sleep(RETRY_S)
  end
  return true
end

local function start(self)
  self.tasks:spawn(function()
    local ok, why, code = await_streams(self)
    if not ok then
      self.failure, self.failure_code = why, code
      return
    end
    for _, project in ipairs(self.projects) do
      self.tasks:spawn(function()
        project:run()
      end)
    end
    self.tasks:spawn(function()
      look_after(self)
    end)
    self.begun = true
  end)
end

-- ---- the loop ----

-- Ends what is under way, for `exit_timeout`; `run` returns once it is done.
function Forwarder:stop()
  self.stopping = true
  self.end_at = self.tasks.clock() + self.exit_timeout + GIVE_BACK_S
  for _, project in ipairs(self.projects) do
    project:stop()
  end
  self.tasks:answer(look_after, "stop")
end

local function is_stopped(self)
  if self.failure or self.stopping and not self.begun then
    return true
  end
  local is_over = self.end_at and self.tasks.clock() >= self.end_at
  for _, project in ipairs(self.projects) do
    if not project.stopped and not (is_over and not project.tenure) then
      return false
    end
  end
  return self.begun
end

-- Does what there is to do; returns for how long nothing else is.
local function work(self)
  local busy = false
  for _, project in ipairs(self.projects) do
    project:look()
    busy = busy or project.tenure and not project.tenure:is_empty()
  end
  return self.tasks:step(busy and BUSY_S or IDLE_S)
end

local function loop(self, between)
  while true do
    local pause = work(self)
    if is_stopped(self) then
      return
    end
    for _, event in ipairs(self.link:wait(pause)) do
      take_event(self, event)
    end
    between(self)
  end
end

local function traced(why)
  local is_traced = type(why) ~= "string" or why:find("\nstack traceback:", 1, true)
  return is_traced and why or debug.traceback(why, 2)
end

-- Forwards until `stop`; `between` is called often, for signals. True; or false, what
-- people must mend and, where the bus gave one, its code. An error anywhere is raised,
-- with where it was: whoever takes the projects over begins from what is on the bus.
function Forwarder:run(between)
  start(self)
  local ok, why = xpcall(function()
    loop(self, between)
  end, traced)
  if not ok then
    error(why, 0)
  end
  return not self.failure, self.failure, self.failure_code
end

return Forwarder
