-- The relay: any Mixpanel SDK posts to it, and is answered once the bus has what it
-- sent. Which bus, the environment says.
local collector = require "mixpanel.collector"
local mixpanel = require "mixpanel"

local servers = {}
for url in os.getenv("FLEET_SERVERS"):gmatch "%S+" do
  servers[#servers + 1] = url
end

local client = mixpanel.new("projecttoken", {
  transport = "nats",
  bus = { servers = servers, credentials = os.getenv "FLEET_CREDENTIALS" },
  flush_interval = 0.05,
})

return {
  client = client,
  collector = collector.new(client, { confirm = 10 }),
}
