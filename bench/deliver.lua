-- A number of events from Lua to the sink, or to a server of NATS whose URL it is:
-- what the process as a whole needs. Arguments: the sink, how many, the level of
-- gzip or "off", and how many clients; "projects" as a fifth has each client in a
-- project of its own.
package.path = "bench/?.lua"
local setup = require "setup"
local meter, shapes = setup.meter, setup.shapes
local url, n, gzip = assert(arg[1]), tonumber(arg[2]), tonumber(arg[3]) or false
local clients, apart = tonumber(arg[4] or 1), arg[5] == "projects"
local bus = url:find "^nats:" and { servers = { url } } or nil

local handles = {}
for i = 1, clients do
  handles[i] = setup.mixpanel.new(apart and setup.token .. i or setup.token, {
    api_host = not bus and url or nil,
    transport = bus and "nats",
    bus = bus,
    properties = shapes.common,
    gzip = gzip,
  })
end

-- A full queue is waited for, as a program that reads a file would.
local function track(mp, properties)
  while not mp:track("Purchase Completed", properties) do
    mp:flush(1)
  end
end

local memory, step = {}, math.max(n / 10, 1)
local cpu, wall = meter.process_ns(), meter.wall_ns()
for i = 1, n do
  track(handles[i % clients + 1], shapes.typical(i))
  if i % step == 0 then
    memory[#memory + 1] = setup.memory "VmRSS"
  end
end
local building = meter.thread_ns()
for _, mp in ipairs(handles) do
  assert(mp:flush(600))
end
cpu, wall = meter.process_ns() - cpu, meter.wall_ns() - wall

local delivered = 0
for i, mp in ipairs(handles) do
  if apart or i == 1 then
    delivered = delivered + mp:stats().delivered
  end
  mp:close(5)
end
assert(delivered == n, delivered)
setup.tell {
  events = n,
  cpu_ns = cpu / n,
  lua_ns = building / n,
  wall_ns = wall / n,
  peak_kib = setup.memory "VmHWM",
  memory = memory,
}
