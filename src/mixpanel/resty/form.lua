--- Tracked forms for nginx: what track_forms of Mixpanel's browser SDK is, on the
--- server that the form is sent to, where no blocker and no page that goes away
--- stands between.
local resty = require "mixpanel.resty"

local form = {}

local OPTIONS = { fields = "table", describe = "function" }

local FIELDS_MAX = 200 -- that are looked at

---@class mixpanel.FormOptions
---@field fields? table<integer|string, string> that become properties: names, or names of fields
--- with those of properties; nothing by default, since forms hold passwords
---@field describe? fun(properties: table): boolean? as of resty.log; false: no event

local function check_options(options)
  if type(options) ~= "table" then
    return "options: table expected, got " .. type(options)
  end
  for name, value in pairs(options) do
    local expected = OPTIONS[name]
    if not expected then
      return ("unknown option '%s': expected fields or describe"):format(tostring(name))
    elseif type(value) ~= expected then
      return ("option '%s': %s expected, got %s"):format(name, expected, type(value))
    end
  end
  for _, property in pairs(options.fields or {}) do
    if type(property) ~= "string" then
      return "option 'fields': expected names of fields"
    end
  end
  return nil
end

-- Of a form in the URL or in the body; a body in parts (files), or one that nginx
-- keeps in a file, has none.
local function read_fields()
  local method = ngx.req.get_method()
  if method == "GET" then
    return ngx.req.get_uri_args(FIELDS_MAX)
  elseif (ngx.var.http_content_type or ""):lower():find "^application/x%-www%-form%-urlencoded" then
    ngx.req.read_body()
    return ngx.req.get_post_args(FIELDS_MAX) or {}
  end
  return {}
end

local function copy_fields(fields, properties)
  local sent = read_fields()
  for name, property in pairs(fields) do
    properties[property] = sent[type(name) == "string" and name or property]
  end
end

--- For access_by_lua of the location that a form is sent to, which then goes on:
--- tracks the form as an event, as resty.log does a request. Nothing that goes
--- wrong stops the form; it is said in nginx's error log.
---@param mp mixpanel.Client
---@param event string its name
---@param options? mixpanel.FormOptions
---@return boolean? # true; false: not tracked; nil, message, code as mp:track
---@return string? message
---@return mixpanel.ErrorCode? code
function form.track(mp, event, options)
  options = options or {}
  local wrong = check_options(options)
  if wrong then
    error(("bad argument #3 to 'track' (%s)"):format(wrong), 2)
  end
  local ok, result, message, code = pcall(resty.log, mp, event, function(properties)
    properties.status = nil
    properties["$duration"] = nil
    copy_fields(options.fields or {}, properties)
    return not options.describe or options.describe(properties)
  end)
  if not ok then
    local flat = tostring(result):gsub("[^ -~]", "?") -- it may quote the form
    ngx.log(ngx.ERR, "mixpanel: a form was sent without an event: ", flat)
    return false
  end
  return result, message, code
end

return form
