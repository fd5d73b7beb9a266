-- Tracking from every phase of nginx that runs Lua, and mixpanel.resty.
local cjson = require "cjson"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local ANALYTICS = [[
  return require("mixpanel").new("projecttoken", {
    api_host = "%s",
    flush_interval = 0.1,
  })
]]

local PHASES = [[
  local mp = require "analytics"
  return function(name)
    assert(mp:track(name, { distinct_id = "u", pid = ngx.worker and ngx.worker.pid() or 0 }))
  end
]]

local HTTP = [[
  init_by_lua_block { require("phase") "init" }
  init_worker_by_lua_block { require("phase") "init_worker" }
  exit_worker_by_lua_block {
    require("phase") "exit_worker"
    require("mixpanel.resty").exit_worker(require "analytics")
  }
  upstream itself {
    server 0.0.0.1;
    balancer_by_lua_block {
      require("phase") "balancer"
      assert(require("ngx.balancer").set_current_peer("127.0.0.1", @PORT@))
    }
  }
  server {
    listen unix:@DIR@/tls.sock ssl;
    ssl_certificate @CERTIFICATE@.pem;
    ssl_certificate_key @CERTIFICATE@.key;
    ssl_client_hello_by_lua_block { require("phase") "ssl_client_hello" }
    ssl_certificate_by_lua_block { require("phase") "ssl_certificate" }
    server_rewrite_by_lua_block { require("phase") "server_rewrite" }
    log_by_lua_block { require("mixpanel.resty").log(require "analytics", "Raw") }
    location / { return 200 "hello"; }
  }
]]

local SERVER = [[
  set_real_ip_from 127.0.0.1;
  real_ip_header X-Forwarded-For;

  location = /phases {
    set_by_lua_block $unused { require("phase") "set" return "" }
    rewrite_by_lua_block { require("phase") "rewrite" }
    access_by_lua_block { require("phase") "access" }
    content_by_lua_block {
      require("phase") "content"
      ngx.timer.at(0, function() require("phase") "timer" end)
      ngx.say "done"
    }
    header_filter_by_lua_block { require("phase") "header_filter" }
    body_filter_by_lua_block { if ngx.arg[2] then require("phase") "body_filter" end }
    log_by_lua_block { require("phase") "log" }
  }
  location = /balanced { proxy_pass http://itself/phases; }

  location /page {
    content_by_lua_block { ngx.sleep(0.02) ngx.status = 202 ngx.say "page" }
    log_by_lua_block {
      require("mixpanel.resty").log(require "analytics", "Page", function(p)
        if ngx.var.arg_skip then
          return false
        end
        p.distinct_id = ngx.var.arg_user
        p.broken = ngx.var.arg_broken and print
        p.path = ngx.var.uri
      end)
    }
  }
  location = /flush {
    content_by_lua_block {
      local mp = require "analytics"
      mp:track("Flushed", { distinct_id = "u" })
      local ticks, over = 0, false
      ngx.thread.spawn(function()
        while not over do
          ngx.sleep(0.005)
          ticks = ticks + 1
        end
      end)
      local flushed, _, code = require("mixpanel.resty").flush(mp, tonumber(ngx.var.arg_timeout))
      over = true
      ngx.say(require("cjson").encode { flushed = flushed, code = code, ticks = ticks })
    }
  }
  location = /status {
    content_by_lua_block { require("mixpanel.resty").status(require "analytics") }
  }
]]

describe("nginx", function()
  local server, web

  setup(function()
    server = sandbox.start()
    web = nginx.start {
      lua = { analytics = ANALYTICS:format(server.url), phase = PHASES },
      http = HTTP:gsub("@CERTIFICATE@", (server.ca_file:gsub("ca%.pem$", "server"))),
      server = SERVER,
    }
  end)

  teardown(function()
    if web then
      web:remove()
    end
    server:stop()
  end)

  local function count_events()
    local counts = {}
    for _, record in ipairs(server:records "/track") do
      counts[record.event] = (counts[record.event] or 0) + 1
    end
    return counts
  end

  local function wait_for_event(name, n)
    return process.wait_for(function()
      return (count_events()[name] or 0) >= (n or 1) and count_events()
    end, name)
  end

  -- The properties of the last event of this name, once there are `n`.
  local function wait_for_properties(name, n)
    wait_for_event(name, n)
    local found
    for _, record in ipairs(server:records "/track") do
      found = record.event == name and record.properties or found
    end
    return found
  end

  local function over_tls(line)
    local client = ("openssl s_client -quiet -unix %s/tls.sock"):format(web.dir)
    process.run(("printf '%s\\r\\n\\r\\n' | %s >/dev/null 2>&1"):format(line, client))
  end

  it("has events from every phase that runs Lua", function()
    assert(web:get "/balanced")
    over_tls "GET / HTTP/1.0"
    for _, phase in ipairs {
      "init",
      "init_worker",
      "server_rewrite",
      "set",
      "rewrite",
      "access",
      "content",
      "header_filter",
      "body_filter",
      "log",
      "timer",
      "balancer",
      "ssl_client_hello",
      "ssl_certificate",
    } do
      local n = phase == "init_worker" and 2 or 1
      assert.equal(n, wait_for_event(phase, n)[phase], phase)
    end
  end)

  it("turns a request into an event in log_by_lua", function()
    server:reset()
    assert.is_nil(web:get("/page?user=u1&q=a%20b", { Referer = "http://example.org/x" }))
    local page = wait_for_properties("Page", 1)
    assert.equal(web.url .. "/page", page["$current_url"])
    assert.equal("http://example.org/x", page["$referrer"])
    assert.equal("127.0.0.1", page.ip)
    assert.equal("GET", page.method)
    assert.equal(202, page.status)
    assert.is_true(page["$duration"] >= 0.02 and page["$duration"] < 5)
    assert.equal("u1", page.distinct_id)
    assert.equal("/page", page.path)
  end)

  it("believes the proxies that nginx trusts, and nobody else", function()
    server:reset()
    local forwarded = { ["X-Forwarded-For"] = "203.0.113.7", ["X-Forwarded-Proto"] = "https" }
    web:get("/page?user=u2", forwarded)
    local page = wait_for_properties("Page", 1)
    assert.equal("203.0.113.7", page.ip)
    assert.equal(web.url:gsub("^http", "https") .. "/page", page["$current_url"])
    web:get("/page?user=u3", { ["X-Forwarded-Proto"] = "https" }) -- not a proxy's request
    page = wait_for_properties("Page", 2)
    assert.equal("127.0.0.1", page.ip)
    assert.equal(web.url .. "/page", page["$current_url"])
  end)

  it("skips what the hook skips, and logs what is no event", function()
    server:reset()
    web:get "/page?skip=1"
    web:get "/page?user=u4&broken=1"
    web:get "/page?user=u5"
    assert.equal("u5", wait_for_properties("Page", 1).distinct_id)
    assert.truthy(web:read("error.log"):find("broken: function has no JSON form", 1, true))
  end)

  it("tracks a request that is none, from a peer without an address", function()
    server:reset()
    over_tls "nonsense"
    local raw = wait_for_properties("Raw", 1)
    assert.equal(400, raw.status)
    assert.is_nil(raw.method)
    assert.equal(0, raw.ip)
    assert.truthy(raw["$current_url"]:find "^https://")
  end)

  it("flushes while other requests go on", function()
    server:reset()
    server:script { endpoint = "/track", delay_ms = 1000 }
    local reply = cjson.decode((assert(web:get "/flush?timeout=10")))
    assert.is_true(reply.flushed)
    assert.is_true(reply.ticks >= 10)
    assert.equal(1, count_events().Flushed)
    server:script { endpoint = "/track", delay_ms = 1500 }
    reply = cjson.decode((assert(web:get "/flush?timeout=0.1")))
    assert.is_nil(reply.flushed)
    assert.equal("timeout", reply.code)
    assert.is_true(reply.ticks >= 1)
  end)

  it("shows the counters of the worker that answers", function()
    local seen, workers = {}, web:workers()
    process.wait_for(function()
      local stats = cjson.decode((assert(web:get "/status")))
      assert.equal(
        stats.accepted,
        stats.delivered + stats.rejected + stats.queued + stats.in_flight
      )
      seen[stats.pid] = true
      return seen[workers[1]] and seen[workers[2]]
    end, "a status of each worker")
  end)

  it("tracks and delivers in exit_worker_by_lua, over a reload too", function()
    server:reset()
    web:reload()
    assert.equal(2, wait_for_event("exit_worker", 2).exit_worker)
    assert.equal(2, wait_for_event("init_worker", 2).init_worker)
    wait_for_event "init"
    web:finish "QUIT"
    assert.equal(4, count_events().exit_worker)
    assert.is_nil(web:read("error.log"):find "%[alert%]")
  end)
end)
