-- The client that keeps and delivers what browsers post, and the collector that
-- takes it in.
local collector = require "mixpanel.collector"
local mixpanel = require "mixpanel"
local resty = require "mixpanel.resty"

local sandbox = os.getenv "MIXPANEL_SANDBOX_URL"
local token = os.getenv "MIXPANEL_TOKEN" or sandbox and "projecttoken"
if not token then
  error "set MIXPANEL_TOKEN to the token of your project"
end

local client = mixpanel.new(token, {
  api_host = sandbox,
  spool = ngx.config.prefix() .. "/spool", -- what waits outlives nginx
})

local site = {
  collector = collector.new(client, {
    origins = { "https://www.example.com" }, -- beside the host's own pages
    do_not_track = true,
    address = "cut",
  }),
}

-- What did not simply arrive, into nginx's error log.
local function report()
  for _, r in ipairs(client:poll()) do
    ngx.log(ngx.WARN, ("mixpanel: %d %s: %s"):format(r.count, r.outcome, r.message or r.endpoint))
  end
end

function site.init_worker()
  ngx.timer.every(10, report)
end

function site.exit_worker()
  resty.exit_worker(client)
  report()
end

function site.status()
  resty.status(client)
end

-- The page, with the token in it.
function site.page()
  local file = assert(io.open(ngx.config.prefix() .. "/../../examples/collector/index.html"))
  local html = file:read "*a"
  file:close()
  ngx.header["Content-Type"] = "text/html; charset=utf-8"
  ngx.print((html:gsub("PROJECT_TOKEN", token)))
end

return site
