-- CPU of a record that `mixpanel forward` brings from a bus to the sink, from its
-- start to its end. Arguments: the sink, how many events, and the server of NATS.
package.path = "bench/?.lua"
local setup = require "setup"
local url, n, server = arg[1], tonumber(arg[2]), arg[3]

local function read(path)
  local file = io.open(path)
  local text = file and file:read "*a" or ""
  if file then
    file:close()
  end
  return text
end

assert(os.execute(("lua5.4 bench/deliver.lua %s %d 1 >/dev/null"):format(server, n)))
local dir = os.tmpname()
os.remove(dir)
assert(os.execute("mkdir -m 700 " .. dir))
local file = assert(io.open(dir .. "/projects.lua", "w"))
file:write(
  ('return { { token = "%s", api_host = "%s", max_rate = false, max_byte_rate = false } }'):format(
    setup.token,
    url
  )
)
file:close()
local pipe = io.popen(
  (
    "lua5.4 bin/mixpanel forward --bus %s --projects %s/projects.lua --metrics %s/metrics "
    .. "2>%s/log & echo $!"
  ):format(server, dir, dir, dir)
)
local pid = pipe:read "*l"
pipe:close()
local delivered, ticks
repeat
  os.execute "sleep 0.2"
  local stat = read("/proc/" .. pid .. "/stat") -- proc(5): from state to cmajflt, then these
  local utime, stime = stat:match("%) " .. ("%S+ "):rep(11) .. "(%d+) (%d+)")
  assert(utime, read(dir .. "/log"))
  ticks = utime + stime
  delivered = read(dir .. "/metrics"):match "\nmixpanel_records_delivered_total{[^}]*} (%d+)"
until tonumber(delivered) == n
os.execute("kill " .. pid)
os.execute("rm -rf " .. dir)
setup.tell { events = n, cpu_ns = ticks * 1e7 / n }
