-- mixpanel.resty.metrics and the status page, in an nginx of two workers, with
-- Prometheus's own tools and a Prometheus that scrapes it.
local cjson = require "cjson"
local http = require "socket.http"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local prometheus = require "spec.support.prometheus"
local sandbox = require "spec.support.sandbox"

local ANALYTICS = [[
  local mixpanel = require "mixpanel"
  local metrics = require "mixpanel.resty.metrics"
  local function new(name)
    return mixpanel.new("projecttoken", {
      api_host = "%s",
      flush_interval = 0.05,
      max_retry_delay = 0.1,
      name = name,
    })
  end
  local client, shop = new "site", new 'sh"op'
  return {
    client = client,
    all = metrics.new(client, "mixpanel"),
    own = metrics.new(client),
    two = metrics.new({ site = client, ['sh"op'] = shop }),
    tiny = metrics.new(client, "tiny"),
  }
]]

local HTTP = [[
  lua_shared_dict mixpanel 1m;
  lua_shared_dict tiny 12k;
  init_by_lua_block { require "analytics" }
  init_worker_by_lua_block { require("analytics").all:init_worker() }
  exit_worker_by_lua_block {
    local analytics = require "analytics"
    require("mixpanel.resty").exit_worker(analytics.client)
    analytics.all:exit_worker()
  }
]]

local SERVER = [[
  location = /track {
    content_by_lua_block {
      assert(require("analytics").client:track("Hit", { distinct_id = "u" }))
      ngx.say(ngx.worker.pid())
    }
  }
  location = /metrics { content_by_lua_block { require("analytics").all:answer() } }
  location = /own { content_by_lua_block { require("analytics").own:answer() } }
  location = /two { content_by_lua_block { require("analytics").two:answer() } }
  location = /tiny {
    content_by_lua_block {
      for i = 1, 200 do
        ngx.shared.tiny:set("filler " .. i, ("x"):rep(60))
      end
      require("analytics").tiny:answer()
    }
  }
  location = /unknown { content_by_lua_block { require("mixpanel.resty.metrics").new(nil, "no") } }
  location = /status {
    content_by_lua_block { require("mixpanel.resty").status(require("analytics").client) }
  }
]]

local BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
local PROMETHEUS = "application/openmetrics-text;version=1.0.0,"
  .. "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

describe("metrics of nginx", function()
  local server, web

  setup(function()
    prometheus.unpack()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
    web = nginx.start {
      lua = { analytics = ANALYTICS:format(server.url) },
      http = HTTP,
      server = SERVER,
    }
  end)

  after_each(function()
    web:remove()
  end)

  -- Tracks until each of `n` workers answered; returns how many were tracked.
  local function track_on_workers(n)
    local pids, seen, tracked = {}, 0, 0
    while seen < n do
      local pid = assert(web:get "/track")
      seen = pids[pid] and seen or seen + 1
      pids[pid], tracked = true, tracked + 1
    end
    return tracked
  end

  -- series -> value, of the text format.
  local function read_metrics(path)
    local samples = {}
    for line in assert(web:get(path)):gmatch "[^\n]+" do
      local series, value = line:match "^([^#].*) (%S+)$"
      if series then
        assert(samples[series] == nil, series .. " stands twice")
        samples[series] = assert(tonumber(value), line)
      end
    end
    return samples
  end

  local function wait_for_sample(series, value, path)
    process.wait_for(function()
      return read_metrics(path or "/metrics")[series] == value
    end, series .. " " .. value)
  end

  local function reply_to(path, accept)
    local parts = {}
    local _, status, headers = http.request {
      url = web.url .. path,
      headers = { Accept = accept },
      sink = require("ltn12").sink.table(parts),
    }
    return table.concat(parts), headers, status
  end

  it("are what promtool calls good, and have all that stats counts", function()
    track_on_workers(2)
    for _, path in ipairs { "/metrics", "/own", "/two" } do
      assert.equal("", prometheus.check(assert(web:get(path))))
    end
    local known = { last_error = true } -- a text
    for _, counter in ipairs(require "mixpanel.resty.counters") do
      known[counter.key] = true
    end
    for key in pairs(require("mixpanel").new("t", { transport = "manual" }):stats()) do
      assert.is_true(known[key] or false, key .. " has no metric")
    end
  end)

  it("speak OpenMetrics to those who would rather have it", function()
    local text, headers = reply_to("/metrics", PROMETHEUS)
    assert.equal(
      "application/openmetrics-text; version=1.0.0; charset=utf-8",
      headers["content-type"]
    )
    assert.truthy(text:find "\n# EOF\n$")
    assert.truthy(
      text:find("# TYPE mixpanel_requests counter\nmixpanel_requests_total 0\n", 1, true)
    )
    for _, accept in ipairs {
      "*/*",
      "text/plain",
      "application/openmetrics-text;q=0.1, text/plain",
      "application/openmetrics-text;q=0, */*;q=0.1",
    } do
      text, headers = reply_to("/metrics", accept)
      assert.equal("text/plain; version=0.0.4; charset=utf-8", headers["content-type"])
      assert.is_nil(text:find "# EOF")
      assert.truthy(text:find("# TYPE mixpanel_requests_total counter\n", 1, true))
    end
  end)

  it("are summed over the workers", function()
    local tracked = track_on_workers(2)
    wait_for_sample("mixpanel_records_accepted_total", tracked)
    wait_for_sample("mixpanel_records_delivered_total", tracked)
    assert.equal(2, read_metrics("/metrics").mixpanel_workers)
    assert.equal(0, read_metrics("/metrics").mixpanel_records_queued)
  end)

  it("are those of one worker without a dict, and say of which", function()
    track_on_workers(2)
    local found = {}
    process.wait_for(function()
      for series in pairs(read_metrics "/own") do
        found[series] = true
      end
      return found['mixpanel_requests_total{worker="0"}']
        and found['mixpanel_requests_total{worker="1"}']
    end, "the metrics of both workers")
  end)

  it("tell several clients apart", function()
    track_on_workers(2)
    process.wait_for(function()
      for series, value in pairs(read_metrics "/two") do
        local client = series:match '^mixpanel_records_accepted_total{client="(.-)",worker="%d"}$'
        assert.is_true(client == nil or client == "site" or client == 'sh\\"op', series)
        if client == "site" and value > 0 then
          return true
        end
      end
    end, "the metrics of a client")
  end)

  it("never go back, over reloads and a worker's death", function()
    local before, tracked = {}, 0
    local function look()
      local now = read_metrics "/metrics"
      for series, value in pairs(before) do
        assert.is_true(
          not series:find "_total" or (now[series] or -1) >= value,
          ("%s went from %s to %s"):format(series, value, tostring(now[series]))
        )
      end
      before = now
    end
    local function go_on(times)
      for _ = 1, times do
        tracked = tracked + track_on_workers(1)
        look()
      end
    end
    go_on(50)
    for _ = 1, 2 do
      web:signal "HUP"
      go_on(50)
      process.wait_for(function()
        look()
        return #web:workers() == 2
      end, "the old workers' end")
    end
    -- Whatever the old workers counted last is there: nothing was lost.
    wait_for_sample("mixpanel_records_delivered_total", tracked)
    assert.equal(tracked, #server:records "/track")

    -- All is counted, so nothing goes with the worker but its gauges.
    local victim = web:workers()[1]
    process.signal(victim, "KILL")
    process.wait_for(function()
      local workers = web:workers()
      return #workers == 2 and workers[1] ~= victim and workers[2] ~= victim
    end, "a new worker")
    go_on(50)
    wait_for_sample("mixpanel_records_delivered_total", tracked)
    wait_for_sample("mixpanel_workers", 2) -- the dead one is forgotten
  end)

  it("say so in the log when the dict is too small", function()
    assert(web:get "/tiny")
    assert.truthy(web:read("error.log"):find("shared dict for metrics is too small", 1, true))
    assert.is_nil(web:get "/unknown")
    assert.truthy(web:read("error.log"):find("no lua_shared_dict 'no'", 1, true))
  end)

  describe("in a Prometheus", function()
    local scraper

    before_each(function()
      scraper = prometheus.start(web.port, "/metrics")
    end)

    after_each(function()
      scraper:stop()
    end)

    -- What a query finds, once it finds anything: nothing where the last scrape was
    -- late, or was cut by the reload, until the next one.
    local function wait_for_result(expression)
      return process.wait_for(function()
        local found = scraper:query(expression)
        return found[1] and found
      end, "data: " .. expression)
    end

    it("are scraped, are whole over a reload, and fill the dashboard", function()
      process.wait_for(function()
        local target = scraper:target()
        return target and target.health == "up"
      end, "a scrape")
      track_on_workers(2)
      web:reload()
      local tracked = track_on_workers(2)
      assert.is_true(tracked > 0)
      process.wait_for(function()
        local found = scraper:query "mixpanel_records_delivered_total"
        return found[1] and tonumber(found[1].value[2]) == #server:records "/track"
      end, "what was delivered")
      process.wait_for(function()
        return scraper:target().lastError == ""
      end, "a scrape without an error")

      for _, name in ipairs { "records_accepted", "records_delivered", "requests" } do
        local resets = wait_for_result(("resets(mixpanel_%s_total[1m])"):format(name))
        assert.equal("0", resets[1].value[2])
      end

      local dashboard = cjson.decode(process.slurp "examples/openresty/dashboard.json")
      local queries = 0
      for _, panel in ipairs(dashboard.panels) do
        for _, target in ipairs(panel.targets) do
          local expression = target.expr:gsub("%$job", "mixpanel"):gsub("%$__rate_interval", "1m")
          assert.is_nil(expression:find("$", 1, true), expression)
          assert.is_true(#wait_for_result(expression) > 0)
          queries = queries + 1
        end
      end
      assert.is_true(queries >= 20)
      assert.equal("2", wait_for_result("mixpanel_workers")[1].value[2])
    end)
  end)

  describe("on the status page", function()
    it("are JSON, and a page for a browser", function()
      local tracked = track_on_workers(1)
      for _, accept in ipairs { "*/*", "application/json", "text/html;q=0.5, application/json" } do
        local text, headers = reply_to("/status", accept)
        assert.equal("application/json", headers["content-type"])
        assert.is_true(cjson.decode(text).pid > 0)
      end
      assert.truthy(cjson.decode((assert(web:get "/status"))).accepted)
      local text, headers = reply_to("/status", BROWSER)
      assert.equal("text/html; charset=utf-8", headers["content-type"])
      assert.equal("Accept", headers.vary)
      local nonce = headers["content-security-policy"]:match "style%-src 'nonce%-(%x+)'"
      assert.truthy(text:find(('<style nonce="%s">'):format(nonce), 1, true))
      assert.truthy(text:find("Records that a call took", 1, true))
      assert.is_true(tracked > 0)
    end)

    it("show what the API said as text", function()
      server:script {
        endpoint = "/track",
        times = 0,
        status = 503,
        body = "<script>alert(1)</script>&",
      }
      track_on_workers(2)
      local text
      process.wait_for(function()
        text = reply_to("/status", BROWSER)
        return text:find("last failure", 1, true)
      end, "a failure")
      assert.is_nil(text:find("<script", 1, true))
    end)
  end)
end)
