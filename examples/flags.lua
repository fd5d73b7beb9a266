-- A feature flag, decided in this process, and the exposure that it reports.
--
-- Without arguments it talks to Mixpanel under the token in MIXPANEL_TOKEN, or
-- to a sandbox when MIXPANEL_SANDBOX_URL is set (`make demo` does that, and puts
-- examples/flag_definitions.json there first).
local mixpanel = require "mixpanel"

local sandbox = os.getenv "MIXPANEL_SANDBOX_URL"
local token = os.getenv "MIXPANEL_TOKEN" or sandbox and "projecttoken"
if not token then
  io.stderr:write "set MIXPANEL_TOKEN to the token of your project\n"
  os.exit(1)
end

local mp = mixpanel.new(token, { api_host = sandbox, flags = "local" })

-- Decisions never wait; until the definitions are there they are the fallback.
local ok, why = mp.local_flags:wait(5)
if not ok then
  io.stderr:write("no flags: ", why, "\n")
end

for _, plan in ipairs { "free", "pro" } do
  local user = { distinct_id = "user on " .. plan, custom_properties = { plan = plan } }
  local variant = mp.local_flags:get_variant("new-checkout", { variant_value = false }, user)
  print(
    ("  %-5s %-6s %s"):format(
      plan,
      tostring(variant.variant_value),
      variant.fallback_reason or "variant " .. variant.variant_key
    )
  )
end

-- Whoever got a variant is reported once, by an event like any other.
mp:close(5)
