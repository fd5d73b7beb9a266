-- How long single decisions of a flag take while the server of its definitions
-- answers, and while it says nothing: one line of JSON for each, the best of
-- three rounds in which both take turns. Arguments: the sandbox's URL, how many
-- calls.
package.path = "bench/?.lua;" .. package.path
local setup = require "setup"
local http = require "socket.http"
local url, n = assert(arg[1]), tonumber(arg[2])

local ROUNDS = 3
local SILENT = '{"endpoint":"/flags/definitions","delay_ms":600000,"times":-1}'

local file = assert(io.open "bench/flags.json")
local text = file:read "*a"
file:close()

local function control(path, body)
  assert(http.request(url .. "/sandbox" .. path, body))
end

control("/flags", text)
local mp = setup.mixpanel.new(setup.token, {
  api_host = url,
  exit_timeout = 0,
  request_timeout = 2,
  flags = { mode = "local", poll_interval = 0.1, exposure = "never" },
})
local flags = mp.local_flags
local user = { distinct_id = "user-1234", custom_properties = { plan = "pro", seats = 12 } }
assert(flags:wait(10))
assert(flags:get_variant("ruled", nil, user).variant_source == "local")
collectgarbage()
collectgarbage "stop"

local function measure(best)
  local wall, cpu = setup.meter.calls(flags.is_enabled, flags, "ruled", user, n)
  best.wall = math.min(best.wall or math.huge, wall.p9999)
  best.cpu = math.min(best.cpu or math.huge, cpu.p9999)
end

local healthy, silent = { name = "healthy" }, { name = "silent" }
for _ = 1, ROUNDS do
  control("/reset", "")
  control("/flags", text)
  assert(flags:refresh(20))
  measure(healthy)
  control("/script", SILENT)
  flags:refresh()
  measure(silent)
end
setup.tell(healthy)
setup.tell(silent)
mp:close(0)
