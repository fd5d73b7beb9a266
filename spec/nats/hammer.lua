-- Tracks, a few records at a time, until the file STOP is there; then sends what
-- waits, and prints the numbers of what it tracked and its counters.
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

local function stopped()
  local file = io.open(arg[1])
  return file and file:close()
end

local n = 0
while not stopped() do
  for _ = 1, 5 do
    if mp:track("Hammer", { n = n + 1 }) then
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
