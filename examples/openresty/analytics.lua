-- The one client of the site, and how a request becomes an event.
local metrics = require "mixpanel.resty.metrics"
local mixpanel = require "mixpanel"
local resty = require "mixpanel.resty"

local sandbox = os.getenv "MIXPANEL_SANDBOX_URL"
local token = os.getenv "MIXPANEL_TOKEN" or sandbox and "projecttoken"
if not token then
  error "set MIXPANEL_TOKEN to the token of your project"
end

-- Made in the master by init_by_lua, used by every worker.
local client = mixpanel.new(token, { api_host = sandbox })

local exporter = metrics.new(client, "mixpanel") -- the lua_shared_dict

local analytics = { client = client }

-- What became of records that did not simply arrive, into nginx's error log.
local function report()
  for _, r in ipairs(client:poll()) do
    ngx.log(ngx.WARN, ("mixpanel: %d %s: %s"):format(r.count, r.outcome, r.message or r.endpoint))
  end
end

function analytics.init_worker()
  ngx.timer.every(10, report)
  exporter:init_worker()
end

local function describe(properties)
  if ngx.var.uri == "/status" or ngx.var.uri == "/metrics" then
    return false
  end
  properties.distinct_id = ngx.var.cookie_user
  properties.upstream_time = tonumber(ngx.var.upstream_response_time)
end

function analytics.log()
  resty.log(client, "Request", describe)
end

function analytics.exit_worker()
  resty.exit_worker(client)
  exporter:exit_worker()
  report()
end

function analytics.status()
  resty.status(client)
end

function analytics.metrics()
  exporter:answer()
end

return analytics
