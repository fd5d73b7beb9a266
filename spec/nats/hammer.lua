-- Tracks, a few records at a time, until the file STOP is there; then sends what
-- waits, and prints the numbers of what it tracked, its counters, and how long its
-- calls took: while the file STOP.ill was there, and else.
--
--   lua5.4 hammer.lua STOP URL...
local balance = require "spec.support.balance"
local mixpanel = require "mixpanel"
local socket = require "socket"

local urls = {}
for i = 2, #arg do
  urls[#urls + 1] = arg[i]
end
local mp = mixpanel.new("projecttoken", {
  transport = "nats",
  bus = { servers = urls },
  flush_interval = 0.02,
  request_timeout = 5,
  max_retry_delay = 0.5,
})

local function exists(path)
  local file = io.open(path)
  return file and file:close()
end

local n = 0
local well, ill = {}, {} -- seconds of each call
while not exists(arg[1]) do
  local times = exists(arg[1] .. ".ill") and ill or well
  for _ = 1, 5 do
    local start = socket.gettime()
    local ok = mp:track("Hammer", { n = n + 1 })
    times[#times + 1] = socket.gettime() - start
    if ok then
      n = n + 1
    end
  end
  balance(mp:stats())
  socket.sleep(0.01)
end
local deadline = socket.gettime() + 240
repeat
  mp:flush(1)
  local s = balance(mp:stats())
  assert(socket.gettime() < deadline, s.last_error)
until s.delivered == n
local s = mp:stats()
print(("tracked %d ambiguous %d errors %s"):format(n, s.ambiguous, tostring(s.last_error)))
for name, times in pairs { well = well, ill = ill } do
  table.sort(times)
  if #times > 0 then
    local most = times[math.ceil(#times * 0.999)]
    print(("%s %d calls, most %.6f, longest %.6f"):format(name, #times, most, times[#times]))
  end
end
