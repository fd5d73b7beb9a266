-- One busy project beside idle ones; opening many; what one has 15 s after a
-- burst; and a fork with 5 000. One line of JSON. Arguments: the sink's URL, and
-- "requests N", "open", "memory" or "fork".
package.path = "bench/?.lua;" .. package.path
package.cpath = "build/spec/5.4/?.so;" .. package.cpath
local setup = require "setup"
local posix = require "spec_posix"
local url, what, n = assert(arg[1]), assert(arg[2]), tonumber(arg[3])
local meter = setup.meter

local idle = {}

local function open(count)
  for i = #idle + 1, count do
    idle[i] = setup.mixpanel.new("idle" .. i, { api_host = url, max_batch_size = 50 })
  end
end

local function serve(mp, requests)
  for i = 1, requests do
    assert(mp:track("Busy", { distinct_id = "u", n = i }))
    assert(mp:flush(10))
  end
end

local measures = {}

-- CPU of the process for a request, in µs: the best of 50 rounds of 20.
function measures.requests()
  local mp = setup.mixpanel.new("busy", { api_host = url })
  open(n)
  serve(mp, 100)
  collectgarbage()
  collectgarbage "stop"
  local best = math.huge
  for _ = 1, 50 do
    local start = os.clock()
    serve(mp, 20)
    best = math.min(best, os.clock() - start)
  end
  return best / 20 * 1e6
end

-- Milliseconds of CPU for 10 000 projects.
function measures.open()
  collectgarbage "stop"
  local start = os.clock()
  open(10000)
  return (os.clock() - start) * 1e3
end

-- Resident KiB of each of 200 projects 15 s after 200 events each, beyond what
-- they had 15 s after their first.
function measures.memory()
  open(200)
  serve(setup.mixpanel.new("busy", { api_host = url }), 10)
  local function burst(events)
    for _, mp in ipairs(idle) do
      for i = 1, events do
        assert(mp:track("Burst", { distinct_id = "u", n = i }))
      end
    end
    for _, mp in ipairs(idle) do
      assert(mp:flush(30))
    end
    collectgarbage()
    posix.sleep(15)
  end
  burst(1)
  local before = setup.memory "VmRSS"
  burst(200)
  return (setup.memory "VmRSS" - before) / #idle
end

-- Milliseconds of real time of a fork in the parent, the best of 20, of which
-- *alone* is with one project.
function measures.fork()
  local function fork()
    local best = math.huge
    for _ = 1, 20 do
      local start = meter.wall_ns()
      if posix.fork() == 0 then
        posix.quit(0)
      end
      best = math.min(best, meter.wall_ns() - start)
      posix.wait()
    end
    return best / 1e6
  end
  serve(setup.mixpanel.new("busy", { api_host = url }), 10)
  local alone = fork()
  open(5000)
  posix.sleep(0.5)
  return fork(), alone
end

local figure, alone = measures[what]()
setup.tell { name = what, idle = n, figure = figure, alone = alone }
