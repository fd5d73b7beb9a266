-- The first steps: build a client from the project token, send an event and a
-- profile update, make sure that both have arrived.
--
-- Without arguments it talks to Mixpanel under the token in MIXPANEL_TOKEN, or
-- to a sandbox when MIXPANEL_SANDBOX_URL is set (`make demo` does that).
local mixpanel = require "mixpanel"

local sandbox = os.getenv "MIXPANEL_SANDBOX_URL"
local token = os.getenv "MIXPANEL_TOKEN" or sandbox and "projecttoken"
if not token then
  io.stderr:write "set MIXPANEL_TOKEN to the token of your project\n"
  os.exit(1)
end

local mp = mixpanel.new(token, { api_host = sandbox })

-- Events: what somebody did, with properties of any shape JSON has.
mp:track("Signup", { distinct_id = "1234", plan = "pro" })
mp:track("Purchase", {
  distinct_id = "1234",
  amount = 12.5,
  items = { "book", "pen" },
  delivery = { city = "Zürich", express = true },
})

-- Profiles: what is known of a user or a group.
mp.people:set("1234", { ["Favourite Show"] = "The Office" })
mp.people:increment("1234", "orders")
mp.groups:set("company", "acme", { seats = 40 })

-- History goes to /import, with the time at which it happened.
mp:import("Signup", os.time() - 90 * 24 * 3600, { distinct_id = "1234" })

-- All of this only queued records. A thread sends them; flush waits for it.
local ok, why = mp:flush(5)
if not ok then
  io.stderr:write("not everything was delivered: ", why, "\n")
end

-- Every record is accounted for.
local stats = mp:stats()
local function show(name, count)
  print(("  %-16s%d"):format(name, count))
end
for _, name in ipairs { "accepted", "delivered", "rejected", "queued", "requests" } do
  show(name, stats[name])
end
show("bytes of JSON", stats.bytes_raw)
show("bytes sent", stats.bytes_sent)
mp:close()
