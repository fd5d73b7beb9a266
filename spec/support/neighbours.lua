-- Two projects in one process: the host of one has a name that never
-- resolves, and is tried again and again; the other's records pass all the
-- same. Fails unless they do.
--
--     neighbours.lua CPATH
package.cpath = ...
local mixpanel = require "mixpanel"
local peer = require "spec.support.peer"
local socket = require "socket"

local options = { flush_interval = 0.01, connect_timeout = 0.2, max_retry_delay = 0.1 }
local lost = mixpanel.new("lost", options)
assert(lost:track("A", { distinct_id = "u" }))

local server = peer.open()
options.api_host = server.url
local found = mixpanel.new("found", options)
local connection
for i = 1, 6 do
  assert(found:track("B", { distinct_id = "u", n = i }))
  found:flush(0)
  connection = connection or server:accept()
  peer.read(connection)
  peer.reply(connection, "1")
  assert(found:flush(3))
  socket.sleep(0.1) -- enough for the name to be given up meanwhile
end
local stats = lost:stats()
assert(stats.requests > 1 and stats.last_error:find "Resolving timed out", stats.last_error)
assert(stats.queued + stats.in_flight == 1)
