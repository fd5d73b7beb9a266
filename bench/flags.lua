-- What a decision costs, its exposure reported before: one line of JSON for each
-- flag of flags.json, in nanoseconds; the best of five rounds. flags.js is the
-- same for Mixpanel's SDK for Node.
package.path = "bench/?.lua"
local setup = require "setup"

local CALLS, ROUNDS = 200000, 5

local file = assert(io.open "bench/flags.json")
local text = file:read "*a"
file:close()

local mp = setup.mixpanel.new("projecttoken", { transport = "manual", flags = "local" })
local flags = mp.local_flags
flags:start_polling_for_definitions()
mp:answer(mp:next_request().id, 200, nil, text)

local user = {
  distinct_id = "user-1234",
  custom_properties = { plan = "pro", seats = 12, country = "CH" },
}

for _, key in ipairs { "plain", "ruled" } do
  assert(flags:get_variant(key, nil, user).variant_source == "local")
  local best = math.huge
  for _ = 1, ROUNDS do
    local start = os.clock()
    for _ = 1, CALLS do
      flags:get_variant_value(key, "fallback", user)
    end
    best = math.min(best, (os.clock() - start) / CALLS * 1e9)
  end
  setup.tell { name = key, ns = math.floor(best) }
end
mp:close(0)
