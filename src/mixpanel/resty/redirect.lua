--- Tracked links for nginx: the event first, then the visitor is sent on. Where
--- to is in the link, so a link leads only to hosts that were named, or bears a
--- signature: else anybody could lend the site's good name to any address.
local resty = require "mixpanel.resty"

local redirect = {}

local OPTIONS = {
  event = "string",
  hosts = "table",
  secret = "string",
  describe = "function",
}

local NOWHERE = "This link leads to a place that this site does not know.\n"

-- The host of what a link may lead to. No white space, control character or
-- backslash: some programs leave them out or take them for a slash, so that the
-- host would be another than the one that was looked at. No name and password.
local function read_host(url)
  if type(url) ~= "string" or url:find "[^!-~]" or url:find("\\", 1, true) then
    return nil
  end
  local authority = url:match "^[Hh][Tt][Tt][Pp][Ss]?://([^/?#]+)"
  local host, port = (authority or ""):match "^([%w.-]+)(.*)$"
  return host and port:find "^:?%d*$" and host:lower() or nil
end

-- "shop.example", and for ".example" each host below it.
local function is_listed(self, host)
  if self.hosts[host] then
    return true
  end
  for dot in host:gmatch "()%." do
    if self.hosts[host:sub(dot)] then
      return true
    end
  end
  return false
end

local BASE64_URL = { ["+"] = "-", ["/"] = "_", ["="] = "" }

local function sign(secret, url)
  local signature = ngx.encode_base64(ngx.hmac_sha1(secret, url)):gsub("[+/=]", BASE64_URL)
  return signature
end

-- Takes as long wherever the first difference is.
local function is_equal(a, b)
  local different = #a == #b and 0 or 1
  for i = 1, math.min(#a, #b) do
    different = different + (a:byte(i) == b:byte(i) and 0 or 1)
  end
  return different == 0
end

-- A preview or a browser that guesses what will be clicked is no visit.
local function is_visit()
  local var = ngx.var
  local purpose = (var.http_sec_purpose or var.http_purpose or ""):lower()
  return ngx.req.get_method() == "GET" and not purpose:find("prefetch", 1, true)
end

---@class mixpanel.RedirectOptions
---@field event? string its name, "Link" by default
---@field hosts? string[] that a link may lead to: "shop.example", or ".shop.example" for those
--- below it
---@field secret? string of 16 bytes or more, with which links are signed that may lead anywhere
---@field describe? fun(properties: table): boolean? as of resty.log, with `href` beside the others;
--- false: the visitor is sent on without an event

---@class mixpanel.RedirectStats
---@field followed integer
---@field refused integer links that led elsewhere

---@class mixpanel.Redirect
local methods = {}

--- The query of a signed link, to be put behind the path of the location.
---@param url string where it leads
---@return string # `?to=…&s=…`
function methods:link(url)
  assert(read_host(url), "bad argument #1 to 'link' (an http or https URL expected)")
  local query = "?to=" .. ngx.escape_uri(url)
  return self.secret and query .. "&s=" .. sign(self.secret, url) or query
end

-- The URL that the request may be sent to, or nil.
local function read_target(self)
  local arguments = ngx.req.get_uri_args(20)
  local url, signature = arguments.to, arguments.s
  local host = read_host(url)
  if not host then
    return nil
  elseif is_listed(self, host) then
    return url
  end
  local signed = self.secret and type(signature) == "string"
  return signed and is_equal(signature, sign(self.secret, url)) and url or nil
end

-- On one line of the log: it may quote what a visitor sent.
local function flat(message)
  return (tostring(message):gsub("[^ -~]", "?"))
end

local function track(self, url)
  local ok, message = pcall(resty.log, self.client, self.event, function(properties)
    properties.href = url
    properties.status = nil
    properties["$duration"] = nil
    return not self.describe or self.describe(properties)
  end)
  if not ok then
    ngx.log(ngx.ERR, "mixpanel: a link was followed without an event: ", flat(message))
  end
end

--- For content_by_lua: tracks the link, and sends the visitor on by 302. A link
--- that leads elsewhere is answered by 400.
function methods:handle()
  local url = read_target(self)
  ngx.header["Cache-Control"] = "no-store"
  if not url then
    self.counts.refused = self.counts.refused + 1
    ngx.status = 400
    ngx.header["Content-Type"] = "text/plain"
    ngx.header["X-Content-Type-Options"] = "nosniff"
    return ngx.print(NOWHERE)
  end
  if is_visit() then
    self.counts.followed = self.counts.followed + 1
    track(self, url)
  end
  return ngx.redirect(url, 302)
end

--- What this worker of nginx has counted.
---@return mixpanel.RedirectStats
function methods:stats()
  return { followed = self.counts.followed, refused = self.counts.refused }
end

-- ---- new ----

local function check_options(options)
  if type(options) ~= "table" then
    return "options: table expected, got " .. type(options)
  end
  for name, value in pairs(options) do
    local expected = OPTIONS[name]
    if not expected then
      return ("unknown option '%s': expected event, hosts, secret or describe"):format(
        tostring(name)
      )
    elseif type(value) ~= expected then
      return ("option '%s': %s expected, got %s"):format(name, expected, type(value))
    end
  end
  for _, host in pairs(options.hosts or {}) do
    if type(host) ~= "string" or not host:find "^%.?%w[%w.-]*$" then
      return ("option 'hosts': got %s, expected hosts such as \"shop.example\""):format(
        tostring(host)
      )
    end
  end
  if options.secret and #options.secret < 16 then
    return "option 'secret': expected 16 bytes or more"
  elseif not options.hosts and not options.secret then
    return "expected option 'hosts' or 'secret'"
  end
  return nil
end

local Redirect = { __index = methods }

--- Makes tracked links: once, in init_by_lua.
---@param client mixpanel.Client
---@param options mixpanel.RedirectOptions
---@return mixpanel.Redirect
function redirect.new(client, options)
  local wrong = check_options(options)
  if wrong then
    error(("bad argument #2 to 'new' (%s)"):format(wrong), 2)
  end
  local hosts = {}
  for _, host in pairs(options.hosts or {}) do
    hosts[host:lower()] = true
  end
  return setmetatable({
    client = client,
    event = options.event or "Link",
    hosts = hosts,
    secret = options.secret,
    describe = options.describe,
    counts = { followed = 0, refused = 0 },
  }, Redirect)
end

return redirect
