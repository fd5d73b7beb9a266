-- The live view: its files, and its feed as server-sent events.
local api = require "api"
local cjson = require "cjson.safe"
local guard = require "guard"
local reply = require "reply"
local store = require "store"
local view = require "view"

local POLL = 0.1 -- seconds between two looks for something new
local BEAT = 5 -- seconds after which a silent feed says that it lives
local RETRY_MS = 500 -- after which a browser that lost the feed asks again
local MOST_RECORDS = 100000 -- that the page keeps; see page/live.js

local live = {}

-- ---- files ----

local HERE = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"

-- Nothing from elsewhere, nothing inline, no text that becomes markup, in no
-- frame.
local HEADERS = {
  ["Content-Security-Policy"] = "default-src 'self'; base-uri 'none'; form-action 'none'; "
    .. "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  ["X-Content-Type-Options"] = "nosniff",
  ["Referrer-Policy"] = "same-origin",
  ["Cross-Origin-Resource-Policy"] = "same-origin",
  ["Cross-Origin-Opener-Policy"] = "same-origin",
  ["Cache-Control"] = "no-store",
}

local function send_headers(content_type)
  ngx.header["Content-Type"] = content_type
  for name, value in pairs(HEADERS) do
    ngx.header[name] = value
  end
end

local function send_file(name, content_type)
  local file = assert(io.open(HERE .. "/page/" .. name, "rb"))
  local text = file:read "*a"
  file:close()
  send_headers(content_type)
  ngx.header["Content-Length"] = #text
  ngx.print(text)
end

function live.page()
  local method = ngx.req.get_method()
  if method ~= "GET" and method ~= "HEAD" then
    return api.handle()
  end
  local why = guard.foreign()
  if why then
    return reply.send(403, { error = why })
  end
  return send_file("index.html", "text/html; charset=utf-8")
end

function live.script()
  return send_file("live.js", "text/javascript; charset=utf-8")
end

function live.style()
  return send_file("live.css", "text/css; charset=utf-8")
end

function live.icon()
  return send_file("icon.svg", "image/svg+xml")
end

-- ---- the feed ----

-- The first request that is shown to a page that has none: as many as it keeps.
local function first_shown()
  local n, count = #store.requests, 0
  while n > 0 do
    count = count + math.max(store.requests[n].records, 1)
    if count > MOST_RECORDS then
      return n + 1
    end
    n = n - 1
  end
  return 1
end

-- False when nobody reads any more.
local function send(event, value, id)
  local text = type(value) == "string" and value or cjson.encode(value)
  local sent =
    ngx.print(id and ("id: %s\n"):format(id) or "", "event: ", event, "\ndata: ", text, "\n\n")
  return sent and ngx.flush(true)
end

local function send_script()
  local lines = {}
  for i, scripted in ipairs(store.script) do
    lines[i] = view.script(scripted)
  end
  return send("script", { lines = #lines > 0 and lines or nil })
end

-- What the page has: the epoch of the store, the last request, the state of
-- the script. A page that comes back says the first two.
local function read_position()
  local epoch, n = (ngx.var.http_last_event_id or ""):match "^(%x+)%-(%d+)$"
  return { epoch = epoch, n = tonumber(n) }
end

-- Sends what the page has not; false when it is gone.
local function catch_up(at)
  if at.epoch ~= store.epoch then
    at.epoch, at.n, at.script = store.epoch, first_shown() - 1, nil
    if
      not send("hello", { token = store.token, now_ms = ngx.now() * 1000 }, at.epoch .. "-" .. at.n)
    then
      return false
    end
  end
  while at.epoch == store.epoch and at.n < #store.requests do
    at.n = at.n + 1
    if not send("request", view.request(store.requests[at.n]), at.epoch .. "-" .. at.n) then
      return false
    end
    at.beat = ngx.now()
  end
  if at.script ~= store.script_version then
    at.script = store.script_version
    return send_script()
  end
  return true
end

function live.feed()
  send_headers "text/event-stream"
  ngx.print("retry: ", RETRY_MS, "\n\n")
  local at = read_position()
  at.beat = ngx.now()
  while not ngx.worker.exiting() and catch_up(at) do
    if ngx.now() - at.beat >= BEAT then
      at.beat = ngx.now()
      if not (ngx.print ":\n\n" and ngx.flush(true)) then
        return
      end
    end
    ngx.sleep(POLL)
  end
end

return live
