-- What each thread of spec/threads_spec.lua does.
local number, cpath, url, rounds, events = ...
package.cpath = cpath .. ";" .. package.cpath
rounds, events = tonumber(rounds), tonumber(events)
local mixpanel = require "mixpanel"

for round = 1, rounds do
  -- One project for all threads, and one for this thread alone.
  local shared = mixpanel.new("projecttoken", { api_host = url, name = "shared" })
  local own = mixpanel.new("projecttoken", { api_host = url, name = "own" .. number })
  for i = 1, events do
    local id = ("t%d-r%d-%d"):format(number, round, i)
    assert(shared:track("Shared", { distinct_id = "u", ["$insert_id"] = id }))
    assert(own:track("Own", { distinct_id = "u", ["$insert_id"] = "o" .. id }))
    assert(shared.people:increment(tostring(number), "n"))
    if i % 50 == 0 then
      shared:stats()
      own:set_config { gzip = i % 100 == 0, flush_interval = 0.01 * round }
      shared:done(shared:mark())
      collectgarbage()
    end
  end
  assert(own:flush(20))
  assert(own:close(20))
  if round % 2 == 0 then
    assert(shared:flush(20))
    assert(shared:close(20))
  end
  -- else the collector closes it
end
