--- What nginx with its Lua module (OpenResty) wants of a client: a request as
--- an event, a flush that yields, an orderly exit, a status page. Tracking
--- needs nothing from here: mp:track works in every phase, and never waits.
local resty = {}

-- Looked for at once: in init_by_lua the master may read what its workers may
-- not. Only resty.status needs it; it is part of OpenResty.
local has_cjson, cjson = pcall(require, "cjson")

local FLUSH_TIMEOUT = 10 -- seconds, as mp:flush
local FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.1 -- seconds between two looks

-- The realip module replaces $remote_addr only when the peer is one of
-- set_real_ip_from; what other peers say of themselves is not believed.
local function is_behind_trusted_proxy(var)
  local peer = var.realip_remote_addr -- nil in an nginx without the module
  return peer ~= nil and peer ~= var.remote_addr
end

local function read_url(var)
  local scheme = var.scheme
  if is_behind_trusted_proxy(var) then
    scheme = (var.http_x_forwarded_proto or ""):match "^https?" or scheme
  end
  return scheme .. "://" .. (var.http_host or var.host or "") .. (var.request_uri or "")
end

-- A peer on a Unix socket has no address.
local function read_ip(var)
  local address = var.remote_addr
  return address ~= "unix:" and address or nil
end

--- For log_by_lua: tracks the request as an event. Properties without a place
--- in an event are also said in nginx's error log.
---@param mp mixpanel.Client
---@param event string its name
---@param describe? fun(properties: table): boolean? gets `$current_url`, `$referrer`, `$duration`
--- (seconds), `ip`, `method` and `status` before they are sent: adds `distinct_id` and what else is
--- known, changes, removes; or returns false, and the request is not tracked
---@return boolean? # true; false: not tracked; nil, message, code as mp:track
---@return string? message
---@return mixpanel.ErrorCode? code
function resty.log(mp, event, describe)
  local var = ngx.var
  local properties = {
    ["$current_url"] = read_url(var),
    ["$referrer"] = var.http_referer,
    ["$duration"] = tonumber(var.request_time),
    ip = read_ip(var),
    method = var.request_method,
    status = ngx.status,
  }
  if describe and describe(properties) == false then
    return false
  end
  local ok, message, code = mp:track(event, properties)
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

--- For content_by_lua: answers with mp:stats() as JSON. Each worker counts for
--- itself; `pid` tells which one answered. Raises without lua-cjson.
---@param mp mixpanel.Client
function resty.status(mp)
  assert(has_cjson, cjson)
  local stats = mp:stats()
  stats.pid = ngx.worker.pid()
  ngx.header["Content-Type"] = "application/json"
  ngx.header["Cache-Control"] = "no-store"
  ngx.say(cjson.encode(stats))
end

return resty
