-- The manual transport: this program, not the module, sends the requests; here
-- with LuaSocket, elsewhere with whatever HTTP client the host has. See
-- docs/hosts-without-sockets.md.
--
-- It talks to a sandbox when MIXPANEL_SANDBOX_URL is set (`sandbox/sandbox run
-- -- lua5.4 examples/manual.lua`), else to Mixpanel under the token in
-- MIXPANEL_TOKEN, for which LuaSec must be installed.
local ltn12 = require "ltn12"
local mixpanel = require "mixpanel"

local sandbox = os.getenv "MIXPANEL_SANDBOX_URL"
local token = os.getenv "MIXPANEL_TOKEN" or sandbox and "projecttoken"
if not token then
  io.stderr:write "set MIXPANEL_TOKEN to the token of your project\n"
  os.exit(1)
end

local mp = mixpanel.new(token, { api_host = sandbox, transport = "manual" })

local function carry(request)
  local http = require(request.url:find "^https:" and "ssl.https" or "socket.http")
  local parts = {}
  request.headers["Content-Length"] = #request.body
  local ok, status, headers = http.request {
    url = request.url,
    method = request.method,
    headers = request.headers,
    source = ltn12.source.string(request.body),
    sink = ltn12.sink.table(parts),
    redirect = false,
  }
  print(("%s: %d bytes, %s"):format(request.url, #request.body, tostring(status)))
  if ok then
    mp:answer(request.id, status, headers, table.concat(parts))
  else
    mp:answer(request.id, nil, tostring(status))
  end
end

-- A game: it tracks when it likes and lets requests go once a frame.
for level = 1, 3 do
  mp:track("Level started", { distinct_id = "p1", level = level })
  mp:track("Level finished", { distinct_id = "p1", level = level, stars = 4 - level })
  local request = mp:next_request() -- nil until flush_interval has passed
  if request then
    carry(request)
  end
end
mp.people:set("p1", { level = 3 })

-- The end: make everything due, and carry it. What cannot be delivered now
-- would be due again later; this program does not wait for that.
mp:close()
local request = mp:next_request()
while request do
  carry(request)
  request = mp:next_request()
end

local stats = mp:stats()
print(
  ("%d accepted, %d delivered, %d queued"):format(stats.accepted, stats.delivered, stats.queued)
)
if stats.last_error then
  print("last error: " .. stats.last_error)
end
os.exit(stats.queued == 0 and 0 or 1, true)
