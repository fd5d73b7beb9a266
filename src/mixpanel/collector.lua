--- A first-party collector for nginx with its Lua module (OpenResty): what
--- Mixpanel's SDKs post to a host of your own becomes records of a client, which
--- keeps and delivers them. An answer that says "taken" is given once the records
--- are in the client's queue, or, with the option `confirm`, once they have left it.
local collector = {}

local check_options = require "mixpanel.collector.options"
local make_confirm = require "mixpanel.collector.confirm"
local make_snippet = require "mixpanel.collector.snippet"

-- The endpoints of the SDKs, and what a URL may end with.
local ENDPOINTS = { track = "track", engage = "engage", groups = "groups" }

local STATUS = { invalid = 400, too_large = 413, queue_full = 429 }

local REPORT_INTERVAL = 60 -- seconds between two lines in the error log

local HEADERS = "Authorization, Content-Type, Content-Encoding, traceparent"

-- A transparent pixel, as GIF.
local PIXEL = "GIF89a\1\0\1\0\128\0\0\0\0\0\0\0\0!\249\4\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"

-- ---- the request ----

-- Also when a proxy before nginx ends TLS, so that the schemes differ.
local function is_same_host(origin, var)
  return origin:match "^https?://(.+)$" == var.http_host
end

local function is_allowed(self, origin)
  return self.origins[origin] or is_same_host(origin, ngx.var) or false
end

-- False for 0 and for nothing.
local function is_set(argument)
  return argument ~= nil and argument ~= "" and argument ~= "0"
end

local function wants_no_tracking(self)
  local var = ngx.var
  return self.do_not_track and (var.http_dnt == "1" or var.http_sec_gpc == "1")
end

-- Of what Mixpanel keeps, which is more than flags and settings that it answers.
local function is_kept_by_mixpanel(uri)
  return uri:find "/record/?$" or uri:find "/first%-time%-events/?$"
end

-- The network of an address: the first three bytes, or the first three groups
-- of IPv6, of which fewer may stand in front of "::".
local function cut_address(address)
  local v4 = address:match "^(%d+%.%d+%.%d+%.)%d+$"
  if v4 then
    return v4 .. "0"
  end
  local head = address:match "^(.-)::" or address
  return (head:match "^%x+:%x+:%x+" or head) .. "::"
end

local function read_address(self)
  local address = ngx.var.remote_addr
  if address == "unix:" or self.address == "never" then
    return nil
  end
  return self.address == "cut" and cut_address(address) or address
end

-- A long one is in a file: see client_body_buffer_size.
local function read_body()
  ngx.req.read_body()
  local body, path = ngx.req.get_body_data(), ngx.req.get_body_file()
  if body or not path then
    return body
  end
  local file = assert(io.open(path, "rb"))
  body = file:read "*a"
  file:close()
  return body
end

-- ---- the reply ----

local function read_callback()
  local name = ngx.unescape_uri(ngx.var.arg_callback or "")
  return name:match "^[%w_.$]+$"
end

-- A message is valid UTF-8.
local function quote(text)
  local escaped = text:gsub('[\1-\31"\\]', function(c)
    return ("\\u%04x"):format(c:byte())
  end)
  return '"' .. escaped .. '"'
end

local function make_body(ok, message, verbose)
  if not verbose then
    return ok and "1" or "0", "text/plain"
  end
  local text = ok and "null" or quote(message)
  return ('{"error":%s,"status":%d}'):format(text, ok and 1 or 0), "application/json"
end

-- What the SDKs understand: 200 for what was taken or is of no use to send
-- again, 413 and 429 for what is, and the body of Mixpanel's own endpoints.
local function answer(status, ok, message, verbose)
  local body, kind = make_body(ok, message, verbose)
  local callback = read_callback()
  if ngx.var.arg_img == "1" then
    body, kind = PIXEL, "image/gif"
  elseif callback then
    body, kind = ("%s(%s);"):format(callback, body), "text/javascript"
  end
  ngx.status = status
  ngx.header["Content-Type"] = kind
  ngx.header["Cache-Control"] = "no-store"
  ngx.header["Content-Length"] = #body
  ngx.print(body)
end

local function count(self, name, n)
  self.counts[name] = self.counts[name] + (n or 1)
end

-- Refuses other origins and answers OPTIONS; false: answered.
local function admit(self)
  local origin = ngx.var.http_origin
  if origin and not is_allowed(self, origin) then
    count(self, "foreign")
    ngx.exit(403)
    return false
  end
  if ngx.req.get_method() ~= "OPTIONS" then
    return true
  end
  ngx.header["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
  ngx.header["Access-Control-Allow-Headers"] = HEADERS
  ngx.header["Access-Control-Max-Age"] = 86400
  ngx.exit(204)
  return false
end

-- In nginx's error log, of many at once only the last.
local function report(self, message)
  self.unreported = self.unreported + 1
  if ngx.now() < self.quiet_until then
    return
  end
  self.quiet_until = ngx.now() + REPORT_INTERVAL
  ngx.log(ngx.WARN, "mixpanel: ", self.unreported, " not collected, the last: ", message)
  self.unreported = 0
end

-- `detail` is for the error log alone.
local function fail(self, counter, status, message, detail)
  count(self, counter)
  report(self, detail and message .. ": " .. detail or message)
  answer(status, false, message, is_set(ngx.var.arg_verbose))
end

local function explain(refusal)
  local where = refusal.field and refusal.field .. ": " or ""
  return ("record %d: %s%s"):format(refusal.index, where, refusal.message)
end

-- The option `describe` as mp:collect wants it. What it raised is for the error
-- log alone: a visitor has no business with it.
local function make_describe(self, request)
  local hook = self.describe
  return hook
    and function(record)
      local ok, keep = pcall(hook, record, request)
      if ok then
        return keep
      end
      count(self, "failed")
      request.failure = "describe: " .. tostring(keep):gsub("[^ -~]", "?")
      return error("see nginx's error log", 0)
    end
end

-- False: answered, as the records have no outcome yet.
local function await(self, result)
  if not self.confirm or result.taken == 0 then
    return true
  elseif self.confirm:wait(result.mark, self.seconds) then
    count(self, "confirmed")
    return true
  end
  local why = ("not delivered within %g seconds"):format(self.seconds)
  local stats = self.client:stats()
  fail(self, "unconfirmed", 503, why, stats and stats.last_error)
  return false
end

local function answer_result(self, result, failure)
  count(self, "taken", result.taken)
  count(self, "refused", result.refused)
  count(self, "expired", result.expired)
  count(self, "left_out", result.left_out)
  local refusal = result.refusals[1]
  if refusal then
    report(self, failure or explain(refusal))
  end
  if not await(self, result) then
    return
  end
  local ok = result.taken + result.left_out > 0
  local message = refusal and explain(refusal) or "no records"
  answer(200, ok, message, result.verbose)
end

-- ---- methods ----

---@class mixpanel.CollectorOptions
---@field origins? string[] of the pages that may post, beside those of the host itself
---@field tokens? table<string, string> as of mp:collect
---@field do_not_track? boolean keep nothing of browsers that send DNT or Sec-GPC
---@field address? "visitor"|"cut"|"never" of a visitor, as the SDKs ask for: whole (default), its
--- network, or none
---@field describe? fun(record: table, request: mixpanel.CollectorRequest): boolean? gets each
--- record that would be taken, changes it, or drops it by `false`; may not yield
---@field confirm? number seconds in which the records of a request must have an outcome; it is
--- answered only then, or with 503. Without it, once they are queued

---@class mixpanel.CollectorRequest
---@field endpoint "track"|"engage"|"groups"
---@field ip? string the visitor's address, as the option `address` leaves it

---@class mixpanel.CollectorStats
---@field requests integer that were read, or not tracked
---@field taken integer records
---@field refused integer records that have no place in Mixpanel
---@field expired integer of those refused: too old
---@field failed integer of those refused: `describe` raised an error
---@field left_out integer records that `describe` dropped, or of which nothing was left
---@field unreadable integer requests that were answered 400, 413, or 503 for a closed client
---@field full integer requests for which the queue had no room
---@field confirmed integer requests that were answered once their records had an outcome
---@field unconfirmed integer requests that were answered 503, as theirs had none in time
---@field not_tracked integer requests of browsers that do not want to be tracked
---@field foreign integer requests of other origins

---@class mixpanel.Collector
local methods = {}

--- For access_by_lua of what nginx passes on to Mixpanel (`record`, `flags`,
--- `settings`): answers the browser's OPTIONS, refuses other origins, and keeps
--- the options `do_not_track` and `address`: nothing that Mixpanel would keep is
--- passed on of who does not want that, and X-Forwarded-For is the visitor's
--- address as the option leaves it. `handle` needs none of it.
---@return boolean # false: answered
function methods:check()
  if not admit(self) then
    return false
  end
  if wants_no_tracking(self) and is_kept_by_mixpanel(ngx.var.uri) then
    count(self, "requests")
    count(self, "not_tracked")
    ngx.header["Content-Type"] = "application/json"
    ngx.print '{"code":200,"status":"OK"}' -- the recorder wants JSON
    ngx.exit(200)
    return false
  end
  ngx.req.set_header("X-Forwarded-For", read_address(self))
  return true
end

--- For content_by_lua: takes in what an SDK posts, and answers as Mixpanel does.
---@param endpoint? "track"|"engage"|"groups" by default what the path ends with
function methods:handle(endpoint)
  endpoint = endpoint or ENDPOINTS[ngx.var.uri:match "(%a+)/?$"]
  if not endpoint then
    return ngx.exit(404)
  elseif not admit(self) then
    return nil
  end
  local method = ngx.req.get_method()
  if method ~= "POST" and method ~= "GET" then
    return ngx.exit(405)
  end
  count(self, "requests")
  if wants_no_tracking(self) then
    count(self, "not_tracked")
    return answer(200, true, nil, is_set(ngx.var.arg_verbose))
  end
  local request = { endpoint = endpoint, ip = read_address(self) }
  local result, message, code = self.client:collect(endpoint, read_body(), {
    content_encoding = (ngx.var.http_content_encoding or ""):lower(),
    query = ngx.var.args or "",
    ip = request.ip,
    tokens = self.tokens,
    describe = make_describe(self, request),
  })
  if result then
    return answer_result(self, result, request.failure)
  end
  return fail(self, code == "queue_full" and "full" or "unreadable", STATUS[code] or 503, message)
end

--- For header_filter_by_lua of every location: the headers by which a page of
--- an allowed origin may read the reply, nginx's own 413, 429 and 5xx included.
--- Those of Mixpanel, and its cookies, are replaced.
function methods:headers()
  local header, origin = ngx.header, ngx.var.http_origin
  local allowed = origin ~= nil and is_allowed(self, origin)
  header["Access-Control-Allow-Origin"] = allowed and origin or nil
  header["Access-Control-Allow-Credentials"] = allowed and "true" or nil
  header["Access-Control-Expose-Headers"] = allowed and "Retry-After" or nil
  header["X-Content-Type-Options"] = "nosniff"
  header["Set-Cookie"] = nil
  local vary = header.Vary
  if type(vary) == "table" then
    vary = table.concat(vary, ", ")
  end
  header.Vary = vary and vary .. ", Origin" or "Origin"
end

--- What this worker of nginx has counted.
---@return mixpanel.CollectorStats
function methods:stats()
  local copy = {}
  for name, n in pairs(self.counts) do
    copy[name] = n
  end
  return copy
end

-- ---- new ----

local function make_set(list)
  local set = {}
  for _, item in pairs(list or {}) do
    set[item] = true
  end
  return set
end

local Collector = { __index = methods }

--- Makes a collector: once, in init_by_lua, of a client that was made there.
---@param client mixpanel.Client
---@param options? mixpanel.CollectorOptions
---@return mixpanel.Collector
function collector.new(client, options)
  if options == nil then
    options = {}
  end
  local wrong = check_options(options)
  if wrong then
    error(("bad argument #2 to 'new' (%s)"):format(wrong), 2)
  end
  client:collect("track", "[]", { tokens = options.tokens }) -- raises for what are none
  return setmetatable({
    client = client,
    origins = make_set(options.origins),
    tokens = options.tokens,
    do_not_track = options.do_not_track,
    address = options.address or "visitor",
    describe = options.describe,
    seconds = options.confirm,
    confirm = options.confirm and make_confirm(client),
    quiet_until = 0,
    unreported = 0,
    counts = {
      requests = 0,
      taken = 0,
      refused = 0,
      expired = 0,
      failed = 0,
      left_out = 0,
      unreadable = 0,
      full = 0,
      confirmed = 0,
      unconfirmed = 0,
      not_tracked = 0,
      foreign = 0,
    },
  }, Collector)
end

--- The script by which a page loads Mixpanel's SDK for browsers and calls
--- mixpanel.init, for a file of its own or to stand in the page. Until the SDK is
--- there its calls are kept. Made once; raises without lua-cjson.
---@param options mixpanel.SnippetOptions
---@return string
function collector.snippet(options)
  local text = make_snippet(options)
  return text
end

return collector
