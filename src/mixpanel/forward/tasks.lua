-- Several coroutines in one thread, each of which reads from top to bottom though
-- it waits for answers in between. Whoever runs the loop calls `step`, and hands
-- in what came by `answer`. An error in a task is the loop's.
local Tasks = {}
Tasks.__index = Tasks

-- `clock` returns seconds that only go forward.
function Tasks.new(clock)
  return setmetatable({ clock = clock, waiting = {}, ready = {} }, Tasks)
end

local function resume(self, task, value)
  self.current = task
  local ok, why = coroutine.resume(task, value)
  self.current = nil
  if not ok then
    error(type(why) == "string" and debug.traceback(task, why) or why, 0)
  end
end

-- Runs a function as a task, from the next step on.
function Tasks:spawn(run)
  self.ready[#self.ready + 1] = { task = coroutine.create(run) }
end

-- In a task: waits for `answer` with this key, or for seconds. Returns what came,
-- or nil. One task at a time waits for a key.
function Tasks:await(key, seconds)
  self.waiting[key] = { task = self.current, until_time = self.clock() + seconds }
  return coroutine.yield()
end

-- In a task.
function Tasks:sleep(seconds)
  return self:await({}, seconds)
end

-- Nobody may wait for it any more; then it is dropped.
function Tasks:answer(key, value)
  local wait = self.waiting[key]
  if wait then
    self.waiting[key] = nil
    self.ready[#self.ready + 1] = { task = wait.task, value = value }
  end
end

local function find_due(self, now)
  for key, wait in pairs(self.waiting) do
    if wait.until_time <= now then
      self:answer(key, nil)
    end
  end
end

-- Runs what can go on. Returns the seconds until the next wait ends, at most
-- `most`.
function Tasks:step(most)
  find_due(self, self.clock())
  while #self.ready > 0 do
    local ready = self.ready
    self.ready = {}
    for _, item in ipairs(ready) do
      resume(self, item.task, item.value)
    end
  end
  local now, pause = self.clock(), most
  for _, wait in pairs(self.waiting) do
    pause = math.min(pause, wait.until_time - now)
  end
  return math.max(pause, 0)
end

return Tasks
