-- The client itself: what new takes, how it ends, what it shows.
-- luacheck: std max+busted
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local raises = require "spec.support.raises"
local sandbox = require "spec.support.sandbox"

local function new_gc(finalise)
  if newproxy then
    getmetatable(newproxy(true)).__gc = finalise
  else
    setmetatable({}, { __gc = finalise })
  end
end

describe("mixpanel.new", function()
  local token_fault = "; it stands in Mixpanel under project settings, access keys)"

  it("raises at the caller's line without a token", function()
    raises("bad argument #1 to 'new' (project token: string expected, got no value)", function()
      mixpanel.new()
    end)
    raises("bad argument #1 to 'new' (project token: string expected, got nil)", function()
      mixpanel.new(nil)
    end)
    raises("bad argument #1 to 'new' (project token: string expected, got number)", function()
      mixpanel.new(12345)
    end)
    raises("bad argument #1 to 'new' (project token: string expected, got table)", function()
      mixpanel.new { token = "t" }
    end)
  end)

  it("raises for a token that is none", function()
    raises("bad argument #1 to 'new' (the project token is empty" .. token_fault, function()
      mixpanel.new ""
    end)
    local bad = { "t\n", " t", "a b", "t\0", "tö", "a:b", 'a"b', "a\\b", "t\r", "\127" }
    for _, token in ipairs(bad) do
      raises(
        "bad argument #1 to 'new' (the project token has white space or another character "
          .. "no token has"
          .. token_fault,
        function()
          mixpanel.new(token)
        end
      )
    end
  end)

  it("raises for options that are no table", function()
    raises("bad argument #2 to 'new' (options: table expected, got string)", function()
      mixpanel.new("t", "eu")
    end)
    raises("bad argument #2 to 'new' (options: table expected, got boolean)", function()
      mixpanel.new("t", true)
    end)
  end)

  -- The message for one option of a wrong value.
  local function option(name, value, message)
    raises(("bad argument #2 to 'new' (%s)"):format(message), function()
      mixpanel.new("t", { [name] = value })
    end)
  end

  it("raises for an option that it does not know", function()
    option("flush", 5, "unknown option 'flush'")
    option("flush_intervall", 5, "unknown option 'flush_intervall': do you mean 'flush_interval'?")
    option("Residency", "eu", "unknown option 'Residency': do you mean 'residency'?")
    option(1, "eu", "unknown option '1'")
  end)

  it("raises for a residency or host that is none", function()
    local residency = 'option \'residency\': got %s, expected "us", "eu" or "in"'
    option("residency", "de", residency:format '"de"')
    option("residency", 5, residency:format "5")
    option("residency", true, residency:format "true")
    option(
      "api_host",
      "api.mixpanel.com",
      [[option 'api_host': "api.mixpanel.com" must begin with https://]]
    )
    option("api_host", "https://", [[option 'api_host': "https://" names no host]])
    for _, url in ipairs {
      "https://a b",
      "https://a?x=1",
      "https://a#b",
      "https://user:pass@host",
    } do
      local ok, err = pcall(mixpanel.new, "t", { api_host = url })
      assert.is_false(ok)
      assert.matches("must be https://host[:port][/path] and nothing else", err, 1, true)
    end
    local ok, err = pcall(mixpanel.new, "t", { api_host = "https://h", residency = "us" })
    assert.is_false(ok)
    assert.matches("options 'residency' and 'api_host' exclude each other", err, 1, true)
  end)

  it("raises for plain http beyond loopback, or with a secret", function()
    local message =
      "would send records in the clear: use https://, or allow_http = true if you must"
    for _, url in ipairs {
      "http://example.com",
      "HTTP://example.com:80",
      "http://127.example.com",
      "http://localhost.example.com",
      "http://10.0.0.1",
      "http://[::2]:80",
    } do
      option("api_host", url, ([[option 'api_host': "%s" %s]]):format(url, message))
    end
    for _, url in ipairs {
      "http://127.0.0.1:1",
      "http://127.1.2.3/path",
      "http://localhost:8080",
      "http://[::1]:1",
      "https://example.invalid",
      "https://example.invalid/base/",
    } do
      mixpanel.new("t", { api_host = url }):close(0)
    end
    mixpanel.new("t", { api_host = "http://example.invalid", allow_http = true }):close(0)
    local account = { username = "u", secret = "hush", project_id = 5 }
    for _, options in ipairs {
      { api_host = "http://127.0.0.1:1", service_account = account },
      { api_host = "http://example.invalid", allow_http = true, service_account = account },
    } do
      raises(
        "bad argument #2 to 'new' (option 'service_account': its secret is never sent over "
          .. "plain http; use an https:// api_host)",
        function()
          mixpanel.new("t", options)
        end
      )
    end
  end)

  it("never shows what belongs to a service account", function()
    for _, account in ipairs {
      "hush",
      { username = "hush", secret = "hush" },
      { username = "hush", secret = {}, project_id = "hush" },
      { username = "hush", secret = "hush", project_id = "hush" },
      { username = "hush", secret = "hush", project_id = 1.5 },
      { username = "hush:", secret = "hush", project_id = 1 },
      { username = "hush", secret = "hush", project_id = 1, password = "hush" },
      { username = "hush", secret = "hush\0", project_id = 1 },
      { username = "hush", secret = "", project_id = 1 },
    } do
      local ok, err = pcall(mixpanel.new, "t", { service_account = account })
      assert.is_false(ok)
      assert.matches("option 'service_account'", err, 1, true)
      assert.is_nil(err:find("hush", 1, true))
    end
  end)

  it("raises for numbers out of range, naming what would be right", function()
    for name, case in pairs {
      max_batch_size = { "an integer from 1 to 2000", 0, 2001, 1.5, 0 / 0, "5", {} },
      max_in_flight = { "an integer from 1 to 20", 0, 21, 1 / 0, true },
      max_queue_bytes = { "an integer from 65536 to 1099511627776", 65535, -1, 2 ^ 41 },
      gzip = { "a level from 1 to 12, true or false", 0, 13, 1.5, "1" },
      flush_interval = { "seconds from 0 to 86400", -1, 86401, 0 / 0, "5" },
      connect_timeout = { "seconds above 0, up to 3600", 0, 3601 },
      request_timeout = { "seconds above 0, up to 3600", 0, -1 },
      exit_timeout = { "seconds from 0 to 3600", -1, 3601 },
      max_retry_delay = { "seconds above 0, up to 3600", 0 },
      geolocate = { "true or false", 1, "yes" },
      properties = { "a table", 5, "x" },
      on_invalid = { '"repair" or "reject"', "ignore", 5 },
      events_via = { '"track" or "import"', "engage", true },
    } do
      for i = 2, #case do
        local ok, err = pcall(mixpanel.new, "t", { [name] = case[i] })
        assert.is_false(ok)
        assert.matches(("option '%s': got "):format(name), err, 1, true)
        assert.matches("expected " .. case[1], err, 1, true)
      end
    end
    option(
      "max_batch_size",
      2001,
      "option 'max_batch_size': got 2001, expected an integer from 1 to 2000"
    )
    option(
      "ca_file",
      "/no/such/file",
      [[option 'ca_file': "/no/such/file" cannot be read as a file of PEM certificates]]
    )
  end)

  it("reads options raw, and changes none", function()
    local options = setmetatable({ residency = "eu", properties = { a = 1 } }, {
      __index = function()
        error "called"
      end,
      __newindex = function()
        error "called"
      end,
      __pairs = function()
        error "called"
      end,
    })
    local mp = mixpanel.new("t", options)
    assert.matches("api-eu.mixpanel.com", tostring(mp), 1, true)
    assert.equal("eu", rawget(options, "residency"))
    mp:close(0)
  end)
end)

describe("a client", function()
  local server, mp
  local clients = 0

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  local function new(options)
    clients = clients + 1 -- of another name each, so that each has its own counters
    options = options or {}
    options.api_host = options.api_host or server.url
    options.name = "client " .. clients
    return mixpanel.new("projecttoken", options)
  end

  before_each(function()
    server:reset()
    mp = new()
  end)

  after_each(function()
    mp:close()
  end)

  local function names()
    local list = {}
    for _, record in ipairs(server:records "/track") do
      list[#list + 1] = record.event
    end
    table.sort(list)
    return list
  end

  it("tells its token, host and state, and never a secret", function()
    assert.equal(("mixpanel.client (projecttoken, %s, 0 queued)"):format(server.url), tostring(mp))
    mp:close()
    assert.equal(("mixpanel.client (projecttoken, %s, closed)"):format(server.url), tostring(mp))
    local account = { username = "bot", secret = "s3cret", project_id = "42" }
    local secretive = new { api_host = server.tls_url, service_account = account }
    assert.is_nil(tostring(secretive):find("s3cret", 1, true))
    assert.is_nil(tostring(secretive):find("bot", 1, true))
    assert.is_nil(cjson.encode(secretive:stats()):find("s3cret", 1, true))
    secretive:close(0)
    local long = mixpanel.new(("t"):rep(5000), { api_host = server.url })
    assert.is_true(#tostring(long) < 300)
    long:close(0)
  end)

  it("knows its methods and nothing else", function()
    assert.is_nil(mp.no_such_method)
    assert.is_nil(mp[1])
    assert.is_nil(mp.people.no_such_method)
    assert.is_false(pcall(function()
      mp.people = {}
    end))
    assert.equal(mp.people, mp.people)
    assert.is_false(pcall(getmetatable(mp).__index, {}, "people"))
  end)

  it("sends what was queued before close, and says closed from then on", function()
    assert(mp:track "before")
    assert.is_true(mp:close())
    assert.is_true(mp:close())
    assert.same({ "before" }, names())
    local function closed(...)
      local ok, message, code, more = ...
      assert.is_nil(ok)
      assert.equal("this client is closed", message)
      assert.equal("closed", code)
      assert.is_nil(more)
    end
    closed(mp:track "after")
    closed(mp:track("after", { a = print }))
    closed(mp:track_batch { { event = "after" } })
    closed(mp:import("after", os.time()))
    closed(mp:import_batch { { event = "after" } })
    closed(mp:identify("a", "b"))
    closed(mp:alias("a", "b"))
    closed(mp:merge("a", "b"))
    closed(mp.people:set("u", "a", 1))
    closed(mp.people:update("u", { ["$set"] = { a = 1 } }))
    closed(mp.people:track_charge("u", 1))
    closed(mp.people:clear_charges "u")
    closed(mp.groups:set("company", "acme", "a", 1))
    closed(mp:flush(1))
    closed(mp:set_config { gzip = false })
    assert.equal(1, mp:stats().delivered)
    assert.is_true(mp:done(mp:mark()))
    raises("bad argument #1 to 'track' (event: string expected, got nil)", function()
      mp:track(nil)
    end)
  end)

  it("closes itself alone: another of the same key goes on", function()
    local twin =
      mixpanel.new("projecttoken", { api_host = server.url, name = "client " .. clients })
    assert(mp:track "one")
    assert(mp:close())
    assert(twin:track "two")
    assert(twin:flush(10))
    assert.same({ "one", "two" }, names())
    assert.equal(2, twin:stats().delivered)
    twin:close()
  end)

  it("loses no record when it is collected", function()
    do
      local forgotten = new { flush_interval = 0.05 }
      for i = 1, 10 do
        assert(forgotten:track("kept " .. i))
      end
      forgotten = nil -- luacheck: ignore
    end
    collectgarbage()
    collectgarbage()
    server:wait(1)
    assert.equal(10, #names())
  end)

  it("lives as long as its people and groups", function()
    local people = new({ flush_interval = 0.05 }).people
    local groups = new({ flush_interval = 0.05 }).groups
    collectgarbage()
    collectgarbage()
    assert(people:set("u", "a", 1))
    assert(groups:set("company", "acme", "a", 1))
    people, groups = nil, nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    server:wait(2)
    assert.equal(1, #server:records "/engage")
    assert.equal(1, #server:records "/groups")
  end)

  it("is finalised as often as anybody likes", function()
    local gc = getmetatable(mp).__gc
    local people = mp.people
    assert(mp:track "kept")
    assert(mp:flush(10))
    gc(mp)
    gc(mp)
    assert.equal("mixpanel.client (closed)", tostring(mp))
    local ok, _, code = mp:track "A"
    assert.is_nil(ok)
    assert.equal("closed", code)
    ok, _, code = people:set("u", "a", 1)
    assert.is_nil(ok)
    assert.equal("closed", code)
    for _, method in ipairs { "stats", "mark", "flush" } do
      assert.same({ nil, "this client is closed", "closed" }, { mp[method](mp) })
    end
    assert.is_false(pcall(gc, {}))
    assert.is_false(pcall(gc, people))
    assert.is_true(mp:close())
  end)

  it("may be made, used and dropped by finalisers", function()
    local made = 0
    for _ = 1, 50 do
      new_gc(function()
        local client = mixpanel.new("projecttoken", { api_host = server.url, name = "finaliser" })
        assert(client:track "from a finaliser")
        made = made + 1
      end)
    end
    collectgarbage()
    collectgarbage()
    assert.equal(50, made)
    local client = mixpanel.new("projecttoken", { api_host = server.url, name = "finaliser" })
    assert(client:flush(10))
    assert.equal(50, #names())
    client:close()
  end)

  if _VERSION == "Lua 5.4" then
    it("is closed, after a last flush, where its scope ends", function()
      local run = load [[
        local new = ...
        local kept
        do
          local mp <close> = new()
          kept = mp
          assert(mp:track "in scope")
        end
        local ok, err = pcall(function()
          local mp <close> = new()
          assert(mp:track "in a failing scope")
          error "on purpose"
        end)
        assert(not ok and err:find "on purpose")
        return kept
      ]]
      local kept = run(new)
      assert.same({ "in a failing scope", "in scope" }, names())
      assert.same({ nil, "this client is closed", "closed" }, { kept:track "late" })
    end)
  end

  it("takes new settings, and raises for bad ones at the caller's line", function()
    assert.is_true(mp:set_config { gzip = false, max_batch_size = 10 })
    assert(mp:track "A")
    assert(mp:flush(10))
    assert.is_nil(server:requests()[1].content_encoding)
    raises("bad argument #1 to 'set_config' (options: table expected, got no value)", function()
      mp:set_config()
    end)
    raises(
      "bad argument #1 to 'set_config' (unknown option 'gzipp': do you mean 'gzip'?)",
      function()
        mp:set_config { gzipp = 1 }
      end
    )
    local message = "bad argument #1 to 'set_config' (option '%s' decides where records go and "
      .. "cannot be changed: make a new client)"
    for _, name in ipairs { "residency", "api_host", "name", "service_account", "events_via" } do
      raises(message:format(name), function()
        mp:set_config { [name] = "eu" }
      end)
    end
    -- Of settings that are refused, none is in force.
    assert.is_false(pcall(mp.set_config, mp, { gzip = 6, properties = { a = print } }))
    assert(mp:track "B")
    assert(mp:flush(10))
    assert.is_nil(server:requests()[2].content_encoding)
  end)

  -- What the client says went wrong, once it has tried.
  local function last_error(client)
    for _ = 1, 100 do
      client:flush(0.1)
      if client:stats().last_error then
        return client:stats().last_error
      end
    end
    error "nothing went wrong in 10 s"
  end

  it("keeps records for a host that does not resolve", function()
    local label = ("x"):rep(64) -- too long for DNS, so nobody is asked
    local lost = new { api_host = "https://" .. label .. ".invalid", max_retry_delay = 0.2 }
    assert(lost:track "A")
    local ok, message, code = lost:flush(0.3)
    assert.is_nil(ok)
    assert.equal("timeout: 1 record undelivered", message)
    assert.equal("timeout", code)
    assert.matches("resolve", last_error(lost))
    lost:close(0)
  end)

  it("keeps records from a server whose certificate does not verify", function()
    local wary = new { api_host = server.tls_url, max_retry_delay = 0.2 }
    assert(wary:track "A")
    assert.matches("certificate", last_error(wary))
    assert.equal(0, #server:requests())
    wary:close(0)
  end)
end)

describe("mixpanel.date", function()
  it("writes UTC as Mixpanel's profiles take it", function()
    assert.equal("1970-01-01T00:00:00", mixpanel.date(0))
    assert.equal("2023-11-14T22:13:20", mixpanel.date(1700000000))
    assert.equal("2023-11-14T22:13:20", mixpanel.date(1700000000.999))
    assert.equal("1969-12-31T23:59:59", mixpanel.date(-0.5))
    assert.equal("0001-01-01T00:00:00", mixpanel.date(-62135596800))
    assert.equal("9999-12-31T23:59:59", mixpanel.date(253402300799))
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d$", mixpanel.date())
  end)

  it("raises for what is no time", function()
    for shown, seconds in pairs {
      nan = 0 / 0,
      inf = 1 / 0,
      ["-inf"] = -1 / 0,
      ["253402300800"] = 253402300800,
      ["-62135596801"] = -62135596801,
      ["1e300"] = 1e300,
    } do
      raises(
        ("bad argument #1 to 'date' (seconds: got %s, expected seconds since the epoch, "):format(
          shown
        ) .. "of a time in the years 1 to 9999)",
        function()
          mixpanel.date(seconds)
        end
      )
    end
    raises("bad argument #1 to 'date' (seconds: number expected, got string)", function()
      mixpanel.date "now"
    end)
  end)
end)

describe("the module", function()
  it("may be loaded again beside its clients", function()
    local mp = mixpanel.new("t", { api_host = "http://127.0.0.1:1", name = "first" })
    package.loaded.mixpanel = nil
    local again = require "mixpanel"
    assert.are_not.equal(mixpanel, again)
    local other = again.new("t", { api_host = "http://127.0.0.1:1", name = "second" })
    assert(mp:track("A", { list = again.array {} }))
    assert(mp.track(other, "B", { list = mixpanel.array {} }))
    assert(other.people:set("u", "a", 1))
    assert.equal(1, mp:stats().accepted)
    assert.equal(2, other:stats().accepted)
    mp:close(0)
    other:close(0)
    package.loaded.mixpanel = mixpanel
  end)

  it("has a version, and the null of every other library", function()
    assert.matches("^%d+%.%d+%.%d+", mixpanel._VERSION)
    assert.equal(cjson.null, mixpanel.null)
  end)
end)
