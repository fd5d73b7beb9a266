-- The client itself: how it ends, what it shows, what it takes later.
local cjson = require "cjson"
local finalise_later = require "spec.support.finalise_later"
local mixpanel = require "mixpanel"
local process = require "spec.support.process"
local raises = require "spec.support.raises"
local sandboxed = require "spec.support.sandboxed"

describe("a client", function()
  local function patient() -- in what close waits for
    return { exit_timeout = 20 }
  end

  local here = sandboxed("client", patient)
  local new = here.new
  local server, mp

  before_each(function()
    server, mp = here.server, here.mp
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
    assert.is_false(pcall(debug.getmetatable(mp).__index, {}, "people"))
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
      mixpanel.new("projecttoken", { api_host = server.url, name = "client " .. here.clients })
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
    process.wait_for(function()
      return #names() >= 10
    end, "the records") -- in one request or more
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
    local gc = debug.getmetatable(mp).__gc
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
      finalise_later(function()
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
        local new, patient = ...
        local kept
        do
          local mp <close> = new(patient())
          kept = mp
          assert(mp:track "in scope")
        end
        local ok, err = pcall(function()
          local mp <close> = new(patient())
          assert(mp:track "in a failing scope")
          error "on purpose"
        end)
        assert(not ok and err:find "on purpose")
        return kept
      ]]
      local kept = run(new, patient)
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

  describe("of one project", function()
    local function shared(options)
      options.api_host, options.name = server.url, "shared"
      return mixpanel.new("projecttoken", options)
    end

    -- True if what `client` sends next is compressed.
    local function compresses(client)
      server:reset()
      assert(client:track "A")
      assert(client:flush(10))
      return server:requests()[1].content_encoding == "gzip"
    end

    it("reset nothing of each other that they do not name", function()
      local first = shared { gzip = false }
      local second = shared { flush_interval = 0.1 }
      assert.is_false(compresses(second))
      first:close()
      second:close()
    end)

    it("follow who spoke last among those that are open", function()
      local first = shared { gzip = false }
      local second = shared { gzip = 6 }
      assert.is_true(compresses(first))
      assert(first:set_config { gzip = false })
      assert.is_false(compresses(second))
      first:close()
      assert.is_true(compresses(second))
      second:close()
    end)

    it("forget what closed ones said once another is open", function()
      local first = shared { gzip = false }
      first:close()
      local second = shared {}
      assert.is_true(compresses(second))
      second:close()
    end)

    it("take away what others gave", function()
      local first = shared { proxy = "http://127.0.0.1:1" }
      local second = shared { proxy = false, ca_file = false, ca_path = false }
      assert.is_true(compresses(second))
      first:close()
      second:close()
    end)
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
    assert.matches("[Cc]ert", last_error(wary)) -- the words are the TLS library's
    assert.equal(0, #server:requests())
    wary:close(0)
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
