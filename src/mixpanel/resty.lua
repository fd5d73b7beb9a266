--- What nginx with its Lua module (OpenResty) wants of a client: a request as
--- an event, a flush that yields, an orderly exit, a status page. Tracking
--- needs nothing from here: mp:track works in every phase, and never waits.
local resty = {}

-- Of each client: how often something that a visitor sent was left out of an
-- event, because Mixpanel takes no such value.
local left_out = setmetatable({}, { __mode = "k" })

-- Properties that come from a visitor: what is wrong with them is no reason to
-- lose the event.
local FROM_VISITOR = {
  distinct_id = true,
  ["$user_id"] = true,
  ["$device_id"] = true,
  ["$distinct_id"] = true,
  ["$current_url"] = true,
  ["$referrer"] = true,
}

-- Looked for at once: in init_by_lua the master may read what its workers may
-- not. Only resty.status needs it; it is part of OpenResty.
local has_cjson, cjson = pcall(require, "cjson")
local flags_of = require "mixpanel.resty.flags"
local prefers = require "mixpanel.resty.accept"
local send_page = require "mixpanel.resty.status"

local FLUSH_TIMEOUT = 10 -- seconds, as mp:flush
local FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.1 -- seconds between two looks

-- The realip module replaces $remote_addr only when the peer is one of
-- set_real_ip_from; what other peers say of themselves is not believed.
local function is_behind_trusted_proxy(var)
  local peer = var.realip_remote_addr -- nil in an nginx without the module
  return peer ~= nil and peer ~= var.remote_addr
end

-- What `query` lets through of the text behind a "?": all, nothing, or the
-- parameters in a list of names. They stay as they were written.
local function filter_query(text, query)
  if query == true then
    return "?" .. text
  end
  local wanted, kept = {}, {}
  for _, name in ipairs(query or {}) do
    wanted[name] = true
  end
  for parameter in text:gmatch "[^&]+" do
    if wanted[ngx.unescape_uri(parameter:match "^[^=]*")] then
      kept[#kept + 1] = parameter
    end
  end
  return kept[1] and "?" .. table.concat(kept, "&") or ""
end

-- A URL without credentials, fragment and what `query` does not let through.
local function filter_url(url, query)
  local path, mark, text = url:match "^([^?#]*)(%??)([^#]*)"
  path = path:gsub("^([^/]*//)[^/]*@", "%1")
  return mark == "" and path or path .. filter_query(text, query)
end

local function read_url(var, query)
  local scheme = var.scheme
  if is_behind_trusted_proxy(var) then
    scheme = (var.http_x_forwarded_proto or ""):match "^https?" or scheme
  end
  local host = var.http_host or var.host or ""
  return filter_url(scheme .. "://" .. host .. (var.request_uri or ""), query)
end

local function read_referrer(var, query)
  return var.http_referer and filter_url(var.http_referer, query)
end

-- A peer on a Unix socket has no address.
local function read_ip(var)
  local address = var.remote_addr
  return address ~= "unix:" and address or nil
end

local function note_left_out(mp, message)
  left_out[mp] = (left_out[mp] or 0) + 1
  if left_out[mp] == 1 then
    ngx.log(ngx.WARN, "mixpanel: ", message, "; sent without it, as others will be from now on")
  end
end

--- As mp:track, for properties that come from a visitor: an id that Mixpanel
--- refuses (a cookie with `undefined`), or a URL that is not valid where
--- `on_invalid = "reject"`, is left out, and the event is sent without it. The
--- first is said in nginx's error log, all are counted in resty.status.
---@param mp mixpanel.Client
---@param event string its name
---@param properties? table what is left out is removed from it
---@return boolean? # true; nil, message, code as mp:track
---@return string? message
---@return mixpanel.ErrorCode? code
function resty.track(mp, event, properties)
  while true do
    local ok, message, code = mp:track(event, properties)
    local name = code == "invalid" and message:match "^properties%.([%w_$]+)"
    if not FROM_VISITOR[name] or properties[name] == nil then
      return ok, message, code
    end
    properties[name] = nil
    note_left_out(mp, message)
  end
end

---@class mixpanel.RestyLogOptions
---@field describe? fun(properties: table): boolean? gets `$current_url`, `$referrer`, `$duration`
--- (seconds), `ip`, `method` and `status` before they are sent: adds `distinct_id` and what else is
--- known, changes, removes; or returns false, and the request is not tracked
---@field query? boolean|string[] of `$current_url` and `$referrer`: `true` keeps query strings, a
--- list keeps the parameters of these names; nothing by default, since there may be secrets in them

local QUERY = "option 'query': expected true, false or a list of names of parameters"

local function check_query(query)
  for key, name in pairs(type(query) == "table" and query or {}) do
    if type(key) ~= "number" or type(name) ~= "string" then
      return QUERY
    end
  end
  local kind = type(query)
  return kind ~= "nil" and kind ~= "boolean" and kind ~= "table" and QUERY or nil
end

-- What is wrong with the options of resty.log, or nil.
local function check_options(options)
  if type(options) ~= "table" then
    return "options: table or function expected, got " .. type(options)
  end
  for name in pairs(options) do
    if name ~= "describe" and name ~= "query" then
      return ("unknown option '%s': expected describe or query"):format(tostring(name))
    end
  end
  if options.describe ~= nil and type(options.describe) ~= "function" then
    return "option 'describe': function expected, got " .. type(options.describe)
  end
  return check_query(options.query)
end

--- For log_by_lua: tracks the request as an event, as resty.track does.
--- Properties of your own without a place in an event are also said in nginx's
--- error log.
---@param mp mixpanel.Client
---@param event string its name
---@param options? mixpanel.RestyLogOptions|fun(properties: table): boolean? a function: `describe`
---@return boolean? # true; false: not tracked; nil, message, code as mp:track
---@return string? message
---@return mixpanel.ErrorCode? code
function resty.log(mp, event, options)
  options = type(options) == "function" and { describe = options } or options or {}
  local wrong = check_options(options)
  if wrong then
    error(("bad argument #3 to 'log' (%s)"):format(wrong), 2)
  end
  local var = ngx.var
  local properties = {
    ["$current_url"] = read_url(var, options.query),
    ["$referrer"] = read_referrer(var, options.query),
    ["$duration"] = tonumber(var.request_time),
    ip = read_ip(var),
    method = var.request_method,
    status = ngx.status,
  }
  if options.describe and options.describe(properties) == false then
    return false
  end
  local ok, message, code = resty.track(mp, event, properties)
  if code == "invalid" then
    ngx.log(ngx.ERR, "mixpanel: ", message)
  end
  return ok, message, code
end

--- As mp:flush, but only this request waits: for the phases in which ngx.sleep
--- may be called. Records without an outcome by then stay queued.
---@param mp mixpanel.Client
---@param timeout? number seconds; 10 by default
---@return boolean? # true; or nil, message, "timeout"
---@return string? message
---@return mixpanel.ErrorCode? code
function resty.flush(mp, timeout)
  ngx.update_time() -- else a handler that computed for long waits too little
  local deadline = ngx.now() + (timeout or FLUSH_TIMEOUT)
  local ticket, message, code = mp:mark()
  if not ticket then
    return nil, message, code
  end
  local pause = FIRST_PAUSE
  while not mp:done(ticket) do
    local left = deadline - ngx.now()
    if left <= 0 then
      return nil, "timeout: not every record has an outcome yet", "timeout"
    end
    -- Less than a millisecond would be 0: nginx then goes on at once, without
    -- a look at the clock or at anybody else, until the records are done.
    ngx.sleep(math.max(0.001, math.min(pause, left)))
    pause = math.min(2 * pause, LONGEST_PAUSE)
  end
  return true
end

--- Flags that Mixpanel decides, with the methods of mp.remote_flags: while one
--- waits for Mixpanel, other requests of the worker go on. In a phase in which
--- nothing may wait (`log`, `header_filter`, `body_filter`, `set` …) it gives
--- what Mixpanel answered before or the fallback; the first of each phase is
--- said in nginx's error log.
---@param mp mixpanel.Client with the option flags = "remote" or "both"
---@return mixpanel.RestyFlags
function resty.remote_flags(mp)
  return flags_of(mp)
end

--- For exit_worker_by_lua: closes the client, which waits its exit_timeout at
--- most, and says in nginx's error log what did not get out.
---@param mp mixpanel.Client
---@return boolean? # as mp:close
---@return string? message
---@return mixpanel.ErrorCode? code
function resty.exit_worker(mp)
  local ok, message, code = mp:close()
  if not ok then
    ngx.log(ngx.ERR, "mixpanel: the worker exits: ", message)
  end
  return ok, message, code
end

--- mp:stats() of this worker, and `left_out`: what resty.track and resty.log left
--- out.
---@param mp mixpanel.Client
---@return mixpanel.Stats
function resty.stats(mp)
  local stats = mp:stats()
  stats.left_out = left_out[mp] or 0
  return stats
end

--- For content_by_lua: answers with resty.stats(mp), as a page to a browser and as
--- JSON to everybody else. Each worker counts for itself; `pid` tells which one
--- answered. Raises without lua-cjson, unless for a page.
---@param mp mixpanel.Client
function resty.status(mp)
  local stats, pid = resty.stats(mp), ngx.worker.pid()
  ngx.header["Cache-Control"] = "no-store"
  ngx.header.Vary = "Accept"
  if prefers(ngx.var.http_accept, "text/html", "application/json") then
    return send_page(stats, pid)
  end
  assert(has_cjson, cjson)
  stats.pid = pid
  ngx.header["Content-Type"] = "application/json"
  ngx.say(cjson.encode(stats))
end

return resty
