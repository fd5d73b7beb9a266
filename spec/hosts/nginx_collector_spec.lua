-- mixpanel.collector on real nginx: forms, replies, headers, bad input, limits.
local cjson = require "cjson"
local http = require "socket.http"
local mixpanel = require "mixpanel"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local NOW = os.time()
local SHOP = "https://shop.example"

local SITE = [[
  local collector = require "mixpanel.collector"
  local mixpanel = require "mixpanel"
  local site = {}
  local function client(name, options)
    options.api_host, options.name = "%s", name
    options.flush_interval = options.flush_interval or 0.1
    return mixpanel.new("projecttoken", options)
  end
  site.mp = client("web", {})
  site.tiny = collector.new(client("tiny", { max_queue_bytes = 65536, flush_interval = 3600 }))
  site.web = collector.new(site.mp, {
    origins = { "https://shop.example" },
    tokens = { web = "projecttoken" },
  })
  site.shy = collector.new(site.mp, { do_not_track = true, address = "cut" })
  site.described = collector.new(site.mp, {
    address = "cut",
    describe = function(record, request)
      local name = record.event or "update"
      if name == "Bad" then
        error("no \r\n\27[31m" .. record.properties.secret)
      end
      record.properties.seen = request.endpoint .. " " .. request.ip .. " " .. ngx.var.http_x_plan
      return name ~= "Dropped"
    end,
  })
  site.blind = collector.new(site.mp, { address = "never" })
  return site
]]

local HTTP = [[
  limit_req_zone $binary_remote_addr zone=collect:1m rate=1000r/s;
  limit_req_zone $binary_remote_addr zone=limited:1m rate=1r/m;
  limit_req_status 429;
  proxy_cache_path @DIR@/temp/libs keys_zone=sdk:1m;
  set_real_ip_from 127.0.0.1;
  real_ip_header X-Test-Address;
  client_max_body_size 1m;
  client_body_buffer_size 64k;
  client_body_timeout 1s;
  init_by_lua_block { require "site" }
  exit_worker_by_lua_block { require("mixpanel.resty").exit_worker(require("site").mp) }
]]

local SERVER = [[
  header_filter_by_lua_block { require("site").web:headers() }
  location ~ ^/mp/(track|engage|groups)/?$ { content_by_lua_block { require("site").web:handle() } }
  location = /t { content_by_lua_block { require("site").web:handle "track" } }
  location = /tiny/track { content_by_lua_block { require("site").tiny:handle() } }
  location = /shy/track { content_by_lua_block { require("site").shy:handle() } }
  location = /described/track { content_by_lua_block { require("site").described:handle() } }
  location = /blind/track { content_by_lua_block { require("site").blind:handle() } }
  location = /limited/track {
    limit_req zone=limited;
    content_by_lua_block { require("site").web:handle() }
  }
  location = /stub/flags/ {
    access_by_lua_block { require("site").web:check() }
    content_by_lua_block {
      ngx.header["Access-Control-Allow-Origin"] = "*"
      ngx.header["Set-Cookie"] = "a=b"
      ngx.header.Vary = "Accept-Encoding"
      ngx.say "{}"
    }
  }
  location = /stats {
    content_by_lua_block {
      local site = require "site"
      ngx.say(require("cjson").encode { web = site.web:stats(), shy = site.shy:stats(),
        described = site.described:stats(), mp = site.mp:stats() })
    }
  }
]]

local function escape(text)
  return (text:gsub("[^%w]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

local function event(properties, token)
  return ('{"event":"Click","properties":{"token":"%s","time":%d%s}}'):format(
    token or "projecttoken",
    NOW,
    properties and "," .. properties or ""
  )
end

-- examples/collector/pass.conf, with the sandbox in Mixpanel's place.
local function read_pass(server)
  local url = server.tls_url:gsub("127%.0%.0%.1", "localhost")
  return (
    process
      .slurp("examples/collector/pass.conf")
      :gsub("https://api%.mixpanel%.com", url)
      :gsub("https://cdn%.mxpnl%.com/libs/", url .. "/sandbox/")
      :gsub("/etc/ssl/certs/ca%-certificates%.crt", server.ca_file)
      :gsub("%.collector:", ".web:")
  )
end

describe("mixpanel.collector", function()
  local server, host

  setup(function()
    server = sandbox.start()
    host = nginx.start {
      workers = 1,
      lua = { site = SITE:format(server.url) },
      http = HTTP,
      server = SERVER .. read_pass(server),
    }
  end)

  teardown(function()
    host:remove()
    server:stop()
  end)

  -- The body, the status and the headers of a reply.
  local function ask(path, body, headers, method)
    return host:ask(path, headers, body, method)
  end

  local function stats()
    return cjson.decode((assert(host:get "/stats")))
  end

  -- With nothing on its way any more.
  before_each(function()
    process.wait_for(function()
      local mp = stats().mp
      return mp.queued + mp.in_flight == 0
    end, "an empty queue")
    server:reset()
  end)

  -- The records that arrived at an endpoint once there are `n`.
  local function arrived(n, endpoint)
    process.wait_for(function()
      return #server:records(endpoint or "/track") >= n
    end, n .. " records")
    local records = server:records(endpoint or "/track")
    assert.equal(n, #records)
    return records
  end

  it("takes what SDKs post, with and without a slash, and answers them", function()
    local body = "data=" .. escape(event '"distinct_id":"u"')
    local text, status, headers = ask("/mp/track/?verbose=1&ip=1&_=1", body, {
      ["Content-Type"] = "text/plain;charset=UTF-8", -- a beacon
    })
    assert.equal(200, status)
    assert.equal('{"error":null,"status":1}', text)
    assert.equal("application/json", headers["content-type"])
    assert.equal("nosniff", headers["x-content-type-options"])
    text, status, headers = ask("/mp/track", body)
    assert.same({ "1", 200, "text/plain" }, { text, status, headers["content-type"] })
    assert.equal(200, select(2, ask("/t", event())))
    assert.equal("1", (ask("/mp/track?data=" .. escape(event(nil, "web")))))
    local update = '{"$token":"projecttoken","$distinct_id":"u","$set":{"a":1}}'
    assert.equal("1", (ask("/mp/engage/", "data=" .. escape(update))))
    local group = '{"$token":"projecttoken","$group_key":"k","$group_id":"g","$set":{"a":1}}'
    assert.equal("1", (ask("/mp/groups/", "data=" .. escape(group))))
    assert.equal("127.0.0.1", arrived(4)[1].properties.ip)
    assert.equal("127.0.0.1", arrived(1, "/engage")[1]["$ip"])
    assert.equal("g", arrived(1, "/groups")[1]["$group_id"])
  end)

  it("answers a pixel and a script, but no script of somebody else", function()
    local query = "data=" .. escape(event())
    local text, status, headers = ask("/mp/track?img=1&" .. query)
    assert.same({ "GIF89a", 200, "image/gif" }, { text:sub(1, 6), status, headers["content-type"] })
    text, status, headers = ask("/mp/track?callback=a.b_%24c&" .. query)
    assert.same({ "a.b_$c(1);", 200 }, { text, status })
    assert.equal("text/javascript", headers["content-type"])
    assert.equal("nosniff", headers["x-content-type-options"])
    for _, name in ipairs { "alert(1)//", "<script>", "a b", "a\r\nX: y", "" } do
      assert.equal("1", (ask("/mp/track?callback=" .. escape(name) .. "&" .. query)))
    end
    text, status = ask("/mp/track?redirect=https%3A%2F%2Fevil.example&" .. query)
    assert.same({ "1", 200 }, { text, status })
  end)

  it("lets pages of its origins read every reply, and refuses others", function()
    local function origin_of(path, body, origin, method)
      local _, status, headers = ask(path, body, { Origin = origin }, method)
      assert.matches("Origin$", headers.vary)
      assert.equal("nosniff", headers["x-content-type-options"])
      return status, headers["access-control-allow-origin"], headers
    end
    local big = ("a"):rep(1024 * 1024 + 1)
    local rows = {
      { 200, "/mp/track/", event() },
      { 400, "/mp/track/", "nothing" },
      { 404, "/mp/trap/", event() },
      { 413, "/mp/track/", big },
      { 200, "/stub/flags/" },
    }
    for _, row in ipairs(rows) do
      local status, allowed, headers = origin_of(row[2], row[3], SHOP)
      assert.same({ row[1], SHOP }, { status, allowed })
      assert.equal("true", headers["access-control-allow-credentials"])
      assert.is_nil(headers["set-cookie"])
    end
    for _, origin in ipairs { "https://evil.example", "null", SHOP .. ".evil.example", "*" } do
      assert.same({ 403 }, { (origin_of("/mp/track/", event(), origin)) })
      assert.is_nil((select(2, origin_of("/stub/flags/", nil, origin))))
    end
    for _, path in ipairs { "/mp/track/", "/stub/flags/", "/mp/record/", "/mp/settings/" } do
      local status, allowed, headers = origin_of(path, nil, SHOP, "OPTIONS")
      assert.same({ 204, SHOP }, { status, allowed })
      assert.matches("Authorization", headers["access-control-allow-headers"])
      assert.equal(403, (origin_of(path, nil, "https://evil.example", "OPTIONS")))
    end
    assert.equal(200, (origin_of("/mp/track/", event(), host.url))) -- a page of its own
    assert.equal(405, (select(2, ask("/mp/track/", event(), {}, "PUT"))))
    arrived(2)
  end)

  it("says with 429 that there is no more room, and that somebody asks too often", function()
    local body = "["
      .. (event(('"a":"%s"'):format(("x"):rep(200))) .. ","):rep(99)
      .. event()
      .. "]"
    assert.equal(200, (select(2, ask("/tiny/track", body))))
    local text, status, headers
    text, status, headers = ask("/tiny/track?verbose=1", body, { Origin = host.url })
    assert.equal(429, status)
    assert.equal(0, cjson.decode(text).status)
    assert.matches("queue is full", cjson.decode(text).error)
    assert.equal(host.url, headers["access-control-allow-origin"])
    assert.equal(200, (select(2, ask("/limited/track", event()))))
    text, status, headers = ask("/limited/track", event(), { Origin = SHOP })
    assert.equal(429, status)
    assert.is_string(text)
    assert.equal(SHOP, headers["access-control-allow-origin"])
  end)

  it("says 413 for what an SDK is to halve", function()
    local one = '{"event":"E","properties":{"token":"projecttoken"}}'
    local many = "[" .. (one .. ","):rep(2000) .. one .. "]"
    local text, status = ask("/mp/track?verbose=1", many)
    assert.equal(413, status)
    assert.matches("more than 2000 records", text)
  end)

  it("believes no address but nginx's, which may be cut or left out", function()
    local n = 0
    local function ip(path, address)
      ask(path .. "?ip=1", event(), {
        ["X-Forwarded-For"] = "198.51.100.1",
        ["X-Real-IP"] = "198.51.100.1",
        ["X-Test-Address"] = address or "203.0.113.77",
      })
      n = n + 1
      return arrived(n)[n].properties.ip
    end
    assert.equal("203.0.113.77", ip "/mp/track")
    assert.equal("203.0.113.0", ip "/shy/track")
    assert.equal("2001:db8:1::", ip("/shy/track", "2001:db8:1:2:3:4:5:6"))
    assert.equal("2001:db8::", ip("/shy/track", "2001:db8::6"))
    assert.equal(0, ip "/blind/track")
  end)

  it("keeps nothing of who does not want to be tracked, if told so", function()
    local before = stats().mp.accepted
    for _, header in ipairs { "DNT", "Sec-GPC" } do
      local text, status = ask("/shy/track?verbose=1", event(), { [header] = "1" })
      assert.same({ '{"error":null,"status":1}', 200 }, { text, status })
    end
    assert.equal(before, stats().mp.accepted)
    assert.equal(2, stats().shy.not_tracked)
    ask("/mp/track", event(), { DNT = "1" }) -- the option is not set there
    arrived(1)
  end)

  it("lets a function change what is taken, whose errors stay in the log", function()
    local function named(name)
      return (event('"secret":"s\\r\\nt"'):gsub("Click", name))
    end
    local body = "[" .. named "Good" .. "," .. named "Dropped" .. "]"
    local text, status = ask("/described/track?verbose=1", body, { ["X-Plan"] = "pro" })
    assert.same({ '{"error":null,"status":1}', 200 }, { text, status })
    assert.equal("track 127.0.0.0 pro", arrived(1)[1].properties.seen)
    text, status = ask("/described/track?verbose=1", named "Bad")
    assert.equal(200, status)
    assert.same(
      { status = 0, error = "record 1: describe failed: see nginx's error log" },
      cjson.decode(text)
    )
    assert.matches(
      "1 not collected, the last: describe: .*site.lua:%d+: no %?%?%?%[31ms%?%?t",
      host:read "error.log"
    )
    local seen = stats().described
    assert.same({ 1, 1, 1, 1 }, { seen.taken, seen.refused, seen.failed, seen.left_out })
  end)

  it("answers bad input as the SDKs understand, and keeps it out of the log", function()
    local before = stats().web
    local function flat(text)
      local reply, status, headers = ask("/mp/track?verbose=1", text, { ["X-Test"] = "1" })
      assert.equal("application/json", headers["content-type"])
      return status, cjson.decode(reply)
    end
    local evil = "\r\n\27[31m<script>alert(1)</script>\0\255"
    local rows = {
      { 400, "" },
      { 400, "data=" },
      { 400, "data=eyJldmVud" },
      { 400, evil },
      { 400, "data=" .. escape(evil) },
      { 400, event('"a":' .. ("["):rep(10000) .. ("]"):rep(10000)) },
      { 200, event('"a":' .. ("["):rep(100) .. ("]"):rep(100)) },
      { 200, event '"a":1,"a":2' },
      { 200, event(nil, "foreign") },
      { 200, (event():gsub("Click", "$merge")) },
      { 200, '{"event":"E","properties":{"token":"\\r\\n","distinct_id":"u\\r\\n"}}' },
      { 200, event(('"time\\r\\n%s":{"a":1,"a":2}'):format(("y"):rep(300))) },
      { 200, '{"event":7}' },
      { 200, "[]" },
    }
    for i, row in ipairs(rows) do
      local status, reply = flat(row[2])
      assert.equal(row[1], status, i)
      assert.equal(0, reply.status)
      assert.is_true(#reply.error > 5)
    end
    for _, encoding in ipairs { "gzip", "br" } do
      local _, status = ask("/mp/track", "x", { ["Content-Encoding"] = encoding })
      assert.equal(400, status)
    end
    assert.equal(200, (flat(event('"n":' .. ("9"):rep(400)))))
    assert.equal(cjson.null, arrived(1)[1].properties.n)
    for line in host:read("error.log"):gmatch "[^\n]+" do
      assert.is_nil(line:find "[%c\128-\255]")
      assert.matches("^%d%d%d%d/%d%d/%d%d ", line)
    end
    for _, seen in ipairs(server:requests()) do
      assert.matches("^/track", seen.path)
      assert.is_nil(seen.auth)
    end
    local seen = stats().web
    assert.equal(8, seen.unreadable - before.unreadable)
    assert.equal(7, seen.refused - before.refused)
  end)

  it("passes on what only Mixpanel answers, by verified TLS", function()
    local basic = "Basic cHJvamVjdHRva2VuOg=="
    for _, path in ipairs {
      "/mp/record/?format=gzip",
      "/mp/flags/1/first-time-events",
      "/mp/settings",
    } do
      local _, status, headers = ask(path, "{}", {
        Origin = SHOP,
        Cookie = "session=secret",
        Authorization = basic,
      })
      assert.equal(404, status) -- the sandbox knows none of them
      assert.equal(SHOP, headers["access-control-allow-origin"])
    end
    assert.equal(404, (select(2, ask "/mp/libs/mixpanel-2-latest.min.js")))
  end)

  it("keeps the SDK's files", function()
    local before, status, headers = ask("/mp/libs/health", nil, { Origin = SHOP })
    assert.same({ 200, SHOP }, { status, headers["access-control-allow-origin"] })
    local requests = cjson.decode(before).requests
    ask("/mp/track", event())
    arrived(1)
    local after
    after, status = ask "/mp/libs/health?again" -- the sandbox would count one more
    assert.same({ before, 200 }, { after, status })
    assert.is_true(
      cjson.decode((http.request(server.url .. "/sandbox/health"))).requests > requests
    )
  end)

  it("does not wait for a slow visitor, nor lets others wait", function()
    local socket = require "socket"
    local slow = assert(socket.connect("127.0.0.1", host.port))
    slow:settimeout(5)
    assert(slow:send "POST /mp/track HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\ndata=")
    assert.equal(200, (select(2, ask("/mp/track", event()))))
    local line = slow:receive "*l"
    assert.is_true(line == nil or line:find " 408 " ~= nil)
    slow:close()
    arrived(1)
  end)
end)

describe("a collector", function()
  local collector = require "mixpanel.collector"

  it("raises for options that are none, at the caller's line", function()
    local mp = mixpanel.new("projecttoken", { transport = "manual", name = "collector options" })
    local rows = {
      { "unknown option 'origin': expected origins", { origin = SHOP } },
      { "option 'origins': table expected, got string", { origins = SHOP } },
      { "option 'origins': got shop.example, expected origins", { origins = { "shop.example" } } },
      { "option 'origins': got https://a/b,", { origins = { "https://a/b" } } },
      { "option 'do_not_track': boolean expected", { do_not_track = 1 } },
      {
        'option \'address\': got "all", expected "visitor", "cut" or "never"',
        { address = "all" },
      },
      { "options: table expected, got boolean", true },
      { "options: table expected, got boolean", false },
      { "option 'confirm': number expected, got string", { confirm = "5" } },
      { "option 'confirm': got 0, expected seconds above 0, at most 3600", { confirm = 0 } },
      { "option 'confirm': got 3601, expected", { confirm = 3601 } },
      { "nan, expected seconds above 0", { confirm = 0 / 0 } },
    }
    for _, row in ipairs(rows) do
      local ok, message = pcall(function()
        collector.new(mp, row[2])
      end)
      assert.is_false(ok)
      assert.matches("^spec/hosts/nginx_collector_spec.lua:%d+: bad argument #2 to 'new'", message)
      assert.is_truthy(message:find(row[1], 1, true), message)
    end
    assert.has_error(function()
      collector.new(mp, { tokens = { "a" } })
    end)
    mp:close(0)
  end)
end)
