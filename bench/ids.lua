-- Very many profiles wait, and more come while their updates are delivered: the CPU
-- time of single calls. One line of JSON. A call that is slow for what it does
-- is so whenever the same calls are made, one that the machine delayed is not: of
-- each call the fastest of three rounds counts. Argument: how many.
package.path = "bench/?.lua;" .. package.path
local setup = require "setup"
local meter = setup.meter
local n = tonumber(arg[1])

local CALLS = 500 -- for each request

local least = {}
local rounds = 0

local function round()
  local options = { transport = "manual", max_queue_bytes = 2 ^ 31, reports = "none" }
  rounds = rounds + 1
  local mp = setup.mixpanel.new(setup.token .. rounds, options)
  local calls, most = 0, 0

  local function count(start)
    local ns = meter.thread_ns() - start
    calls = calls + 1
    least[calls] = math.min(least[calls] or math.huge, ns)
    most = math.max(most, ns)
  end

  local function set(i)
    local id = "user-" .. i
    local start = meter.thread_ns()
    local ok, message = mp.people:set(id, "n", i)
    count(start)
    assert(ok, message)
  end

  local function track(i)
    local start = meter.thread_ns()
    local ok, message = mp:track("E", { distinct_id = "user", n = i })
    count(start)
    assert(ok, message)
  end

  for i = 1, n do
    set(i)
  end
  mp:flush(0)
  local request = mp:next_request()
  while request do
    for _ = 1, CALLS do
      local next_id = calls * 7919 % n -- most of them have an update that waits
      set(next_id)
      track(next_id)
    end
    mp:answer(request.id, 200, {}, request.url:find("/track", 1, true) and "1" or '{"status":1}')
    request = mp:next_request()
  end
  local stats = mp:stats()
  mp:close(0)
  return most, stats
end

collectgarbage "stop"
local most, stats = 0, nil
for _ = 1, 3 do
  local longest
  longest, stats = round()
  most = math.max(most, longest)
  collectgarbage "collect"
end
local slowest = 0
for _, ns in ipairs(least) do
  slowest = math.max(slowest, ns)
end
setup.tell { ms = slowest / 1e6, single_ms = most / 1e6, delivered = stats.delivered }
