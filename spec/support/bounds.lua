-- Calls everything that waits, and some that must not, against a host that
-- may be of no help; prints each call and by how many seconds it outlasted
-- its own timeout. At last, when the process began to end.
--
--     bounds.lua CPATH URL CA_FILE TIMEOUT [calls]
--
-- Without `calls` it only leaves records behind and ends.
local cpath, url, ca_file, timeout, calls = ...
package.cpath = cpath
timeout = tonumber(timeout)
local mixpanel = require "mixpanel"
local socket = require "socket"

local function client(name)
  return mixpanel.new("t", {
    api_host = url,
    ca_file = ca_file ~= "" and ca_file or nil,
    name = name,
    exit_timeout = timeout,
    flush_interval = 0.01,
    max_retry_delay = 0.1,
  })
end

local function track(mp)
  for i = 1, 100 do
    assert(mp:track("A", { distinct_id = "u", n = i }))
  end
  assert(mp.people:increment("u", "coins"))
end

local function timed(name, limit, call)
  local start = socket.gettime()
  call()
  print(("%s %.3f"):format(name, socket.gettime() - start - limit))
end

local mp = client "main"
if calls then
  timed("track", 0, function()
    track(mp)
  end)
  socket.sleep(0.1)
  timed("flush", timeout, function()
    mp:flush(timeout)
  end)
  timed("check", timeout, function()
    mp:check(timeout)
  end)
  timed("mark", 0, function()
    mp:done(mp:mark())
    mp:flush(0)
  end)
  timed("stats", 0, function()
    mp:stats()
    mp:poll()
    mp:set_config { gzip = 6 }
  end)
  local other = client "other"
  track(other)
  timed("close", timeout, function()
    other:close(timeout)
  end)
  timed("close()", timeout, function()
    mp:close()
  end)
else
  track(mp)
  socket.sleep(0.1)
end
print(("exit %.3f"):format(socket.gettime()))
