-- Tracks as fast as it can until it is killed, or until it tracked `count`
-- events and as many profile updates as tell, and then waits to be killed.
-- Writes the number of each record to the file of acknowledgements as soon as
-- track returned true.
--
--   lua5.4 tracker.lua SPOOL URL ACKS FIRST COUNT IDLE_CHILD(0|1)
package.cpath = os.getenv "TRACKER_CPATH" .. ";" .. package.cpath
local mixpanel = require "mixpanel"
local posix = require "spec_posix"

local spool, url, acks, first, count, idle = arg[1], arg[2], arg[3], arg[4], arg[5], arg[6]
first, count = tonumber(first), tonumber(count)
local file = assert(io.open(acks, "a"))
file:setvbuf "no"

local mp = mixpanel.new("projecttoken", {
  api_host = url,
  spool = spool,
  name = "crash",
  max_batch_size = 40,
  flush_interval = 0.02,
  max_queue_bytes = 262144,
  max_retry_delay = 0.2,
})

local function push(n)
  local id = tostring(n)
  if n % 5 == 0 then
    return mp.people:set(id, "n", n)
  end
  return mp:track("Crash", { distinct_id = "u", n = n, ["$insert_id"] = id, pad = ("x"):rep(200) })
end

mp:flush(0)
for n = first, first + count - 1 do
  while not push(n) do -- queue_full
    os.execute "sleep 0.002"
  end
  file:write(n .. "\n")
  if idle == "1" and n == first + 2 and posix.fork() == 0 then
    posix.sleep(2)
    posix.quit(0)
  end
end
os.execute "sleep 0.5"
os.execute "kill -9 $PPID"
