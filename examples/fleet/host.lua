-- A host of the fleet: tracks for some seconds, then sees that all of it is on the
-- bus. Arguments: the file of credentials, seconds, and the servers.
local mixpanel = require "mixpanel"

local servers = {}
for i = 3, #arg do
  servers[#servers + 1] = arg[i]
end

local mp = mixpanel.new("projecttoken", {
  transport = "nats",
  bus = { servers = servers, credentials = arg[1] },
  flush_interval = 0.2,
  max_retry_delay = 1,
})

local ends = os.time() + tonumber(arg[2])
local n = 0
while os.time() < ends do
  for _ = 1, 20 do
    n = n + 1
    assert(mp:track("Order", { distinct_id = "customer-" .. n % 100, number = n }))
  end
  mp.people:increment("customer-" .. n % 100, { orders = 20 })
  mp:flush(0.05) -- not needed: it only makes this loop wait
end
assert(mp:flush(60))
local stats = mp:stats()
print(("%d %d"):format(n, stats.delivered))
