-- What the gate counts: arguments are a shape and how often to track it. A
-- first call has everything built that is built once.
package.path = "bench/?.lua"
package.cpath = "build/5.4/?.so;build/bench/5.4/?.so"
local meter = require "meter"
local mixpanel = require "mixpanel"
local shapes = require "shapes"

local properties = shapes[arg[1]](12345)
local mp = mixpanel.new("a1b2c3d4e5f60718293a4b5c6d7e8f90", {
  api_host = "http://127.0.0.1:9",
  properties = shapes.common,
  flush_interval = 3600,
  exit_timeout = 0,
})
for _ = 1, 20 do
  assert(mp:track("Purchase Completed", properties))
end

io.open "/bench/begin"
local allocations = meter.allocations()
for _ = 1, tonumber(arg[2]) do
  mp:track("Purchase Completed", properties)
end
allocations = meter.allocations() - allocations
io.open "/bench/end"
print(("allocations %d"):format(allocations))
