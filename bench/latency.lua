-- How long single calls of `track` take. Arguments: a server, or "none" for
-- calls that do nothing; how many calls, and how many a frame, of which there
-- are 60 in a second; 0: no pause; and, with a spool, its directory.
package.path = "bench/?.lua"
local setup = require "setup"
local n, burst = tonumber(arg[2]), tonumber(arg[3])

local idle = arg[1] == "none"

local mp = setup.mixpanel.new(setup.token, {
  api_host = idle and "http://127.0.0.1:9" or assert(arg[1]), -- idle: nobody listens
  properties = setup.shapes.common,
  max_queue_bytes = 2 * 1024 * 1024 * 1024, -- holds them all
  exit_timeout = 0,
  spool = arg[4],
  spool_max_bytes = arg[4] and 4 * 1024 * 1024 * 1024,
})
local properties = setup.shapes.typical(12345)
collectgarbage()
collectgarbage "stop"

local f = idle and type or mp.track

local function calls(count)
  local wall, cpu, refused =
    setup.meter.calls(f, mp, "Purchase Completed", properties, count, burst, 1e9 // 60)
  assert(refused == 0)
  return { wall = wall, cpu = cpu }
end

local first = calls(1) -- starts the thread
local result = calls(n)
result.first = first.cpu.max
setup.tell(result)
mp:close(0)
