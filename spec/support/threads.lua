-- What each thread of spec/threads_spec.lua does.
local number, cpath, url, rounds, events = ...
package.cpath = cpath .. ";" .. package.cpath
rounds, events = tonumber(rounds), tonumber(events)
local mixpanel = require "mixpanel"

local function open(name)
  return mixpanel.new("projecttoken", { api_host = url, name = name, max_retry_delay = 0.1 })
end

-- Every snapshot balances, also while the sender and other threads are at it.
local function check_balance(mp)
  local s = mp:stats()
  local ended = s.delivered + s.rejected
  for _, n in pairs(s.dropped) do
    ended = ended + n
  end
  assert(s.accepted == ended + s.queued + s.in_flight, "a snapshot does not balance")
end

-- Each report goes to one of the threads.
local rejected = 0

local function poll(mp, max)
  for _, report in ipairs(mp:poll(max)) do
    rejected = rejected + (report.outcome == "rejected" and report.count or 0)
  end
end

for round = 1, rounds do
  -- One project for all threads, and one for this thread alone.
  local shared, own = open "shared", open("own" .. number)
  for i = 1, events do
    local id = ("t%d-r%d-%d"):format(number, round, i)
    assert(shared:track("Shared", { distinct_id = "u", ["$insert_id"] = id }))
    assert(own:track("Own", { distinct_id = "u", ["$insert_id"] = "o" .. id }))
    assert(shared.people:increment(tostring(number), "n"))
    if i % 50 == 0 then
      check_balance(shared)
      poll(shared, 1)
      assert(shared:track("poison", { distinct_id = "u" }))
      own:set_config { gzip = i % 100 == 0, flush_interval = 0.01 * round }
      shared:done(shared:mark())
      collectgarbage()
    end
  end
  assert(shared:check(20))
  assert(own:flush(20))
  assert(own:close(20))
  if round % 2 == 0 then
    assert(shared:flush(20))
    assert(shared:close(20))
  end
  -- else the collector closes it
end

local shared = open "shared"
assert(shared:flush(20))
poll(shared)
print("rejected " .. rejected)
