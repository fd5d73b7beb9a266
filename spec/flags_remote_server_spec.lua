-- Flags that Mixpanel decides, over the network: scripts that wait for it, a
-- server that answers late, badly or not at all, processes that fork and end.
local definitions = require "spec.support.definitions"
local flag_process = require "spec.support.flag_process"
local mixpanel = require "mixpanel"
local socket = require "socket"

local flag, ruled = definitions.flag, definitions.ruled
local PATH = "/flags"

describe("a script with flags of Mixpanel's", function()
  local processes, server
  local names, open = 0, {}
  local user = { distinct_id = "u1", custom_properties = { plan = "Pro" } }

  setup(function()
    processes = flag_process.start()
    server = processes.server
  end)

  teardown(function()
    processes:stop()
  end)

  before_each(function()
    server:reset()
    server:flags {
      flags = { flag "a", ruled("b", { ["=="] = { { var = "plan" }, "pro" } }) },
    }
  end)

  after_each(function()
    for _, mp in ipairs(open) do
      mp:close(0)
    end
    open = {}
  end)

  local function client(options, others)
    names = names + 1
    others = others or {}
    others.name = "remote flags " .. names
    others.api_host = others.api_host or server.url
    others.flags = options or "remote"
    local mp = mixpanel.new("projecttoken", others)
    open[#open + 1] = mp
    return mp, mp.remote_flags
  end

  local function fetches()
    local list = {}
    for _, request in ipairs(server:requests()) do
      if request.path == PATH then
        list[#list + 1] = request
      end
    end
    return list
  end

  it("waits for the answer, and asks once for each context", function()
    local mp, f = client()
    assert.is_true(f:is_enabled("a", user))
    assert.is_true(f:get_variant_value("b", "no", user))
    assert.equal("no", f:get_variant_value("b", "no", { distinct_id = "u1" }))
    assert.is_true(f:get_all_variants(user).b.variant_value)
    assert.equal("remote", f:get_variant("a", nil, user).variant_source)
    local list = fetches()
    assert.equal(2, #list)
    local query = list[1].query
    assert.equal('{"distinct_id":"u1","custom_properties":{"plan":"Pro"}}', query.context)
    query.context = nil
    assert.same({ token = "projecttoken", mp_lib = "lua", lib_version = mixpanel._VERSION }, query)
    assert.same({ kind = "basic", username = "projecttoken", password = "" }, list[1].auth)
    assert.equal(0, mp:stats().flags.polls)
    assert.is_true(mp:flush(20))
    assert.equal(2, #server:records "/track") -- a and b of u1
  end)

  it("asks with a service account, if there is one", function()
    local account = { username = "user", secret = "secret", project_id = 4711 }
    server:config { accounts = { account } }
    local _, f = client("remote", {
      service_account = account,
      api_host = server.tls_url,
      ca_file = server.ca_file,
    })
    assert.is_true(f:is_enabled("a", user))
    assert.equal("4711", fetches()[1].query.project_id)
  end)

  it("waits no longer than its timeout", function()
    server:script { endpoint = PATH, delay_ms = 60000, times = -1 }
    local best = math.huge
    for _ = 1, 3 do
      local _, f = client { mode = "remote", timeout = 0.2 }
      local start = socket.gettime()
      assert.is_false(f:is_enabled("a", user))
      best = math.min(best, socket.gettime() - start)
    end
    assert.is_true(best > 0.19 and best < 0.45, best)
    local _, f = client { mode = "remote", timeout = 30 }
    local start = socket.gettime()
    assert.equal("NOT_READY", f:get_variant("a", nil, user, true, 0).fallback_reason)
    assert.is_false(f:is_enabled("a", user, true, 0))
    assert.equal("timeout", select(3, f:get_all_variants(user, 0)))
    assert.is_true(socket.gettime() - start < 15)
  end)

  it("comes when it comes, however little anybody waits", function()
    server:script { endpoint = PATH, delay_ms = 600, times = -1 }
    local _, f = client { mode = "remote", timeout = 0.05 }
    -- Of a user of its own: what the test before gave up may arrive now.
    local late = { distinct_id = "late" }
    assert.equal("NOT_READY", f:get_variant("a", nil, late).fallback_reason)
    assert.is_true(f:is_enabled("a", late, true, 10))
    local asked = 0
    for _, request in ipairs(fetches()) do
      asked = asked + (request.query.context == '{"distinct_id":"late"}' and 1 or 0)
    end
    assert.equal(1, asked)
  end)

  it("does not wait for a server that has just failed", function()
    for _, reply in ipairs {
      { status = 500 },
      { status = 401 },
      { close = "after" },
      { body = "<html>garbage</html>" },
      { close = "mid" },
      { status = 429, headers = { ["Retry-After"] = "30" } },
    } do
      server:script {}
      reply.endpoint, reply.times = PATH, -1
      server:reset()
      server:script(reply)
      local mp, f = client()
      local got = f:get_variant("a", nil, user)
      assert.equal("BACKEND_ERROR", got.fallback_reason)
      assert.is_truthy(got.fallback_message:find "%w")
      for i = 1, 100 do
        got = f:get_variant("a", nil, { distinct_id = i })
        assert.equal("BACKEND_ERROR", got.fallback_reason)
        assert.is_truthy(got.fallback_message:find "%w")
        if mp:stats().flags.remote.requests > 1 then
          break -- the second is over on a slow machine
        end
      end
      local stats = mp:stats().flags
      assert.equal(stats.remote.requests, stats.remote.failures)
      assert.equal(got.fallback_message, stats.last_error)
    end
  end)

  it("asks again later", function()
    server:script { endpoint = PATH, status = 503 }
    local _, f = client()
    assert.is_false(f:is_enabled("a", user))
    local deadline = socket.gettime() + 20
    while not f:is_enabled("a", user) do
      assert(socket.gettime() < deadline, "waited in vain")
      socket.sleep(0.01)
    end
    assert.equal(2, #fetches())
  end)

  it("has many contexts under way", function()
    local _, f = client()
    local ids = {}
    for i = 1, 300 do
      ids[i] = assert(f:request { distinct_id = i })
    end
    local deadline = socket.gettime() + 60
    for i = 1, 300 do
      local variants = f:result(ids[i])
      while variants == false do
        assert(socket.gettime() < deadline, "waited in vain")
        socket.sleep(0.002)
        variants = f:result(ids[i])
      end
      assert.is_true(variants.a.variant_value)
    end
    assert.equal(300, #fetches())
  end)

  it("is sent its records, too, while it asks", function()
    server:script { endpoint = PATH, delay_ms = 60000, times = -1 }
    local mp, f = client()
    for i = 1, 50 do
      f:request { distinct_id = i }
    end
    mp:track("Event", {})
    assert.is_true(mp:flush(20))
    assert.equal(1, #server:records "/track")
  end)

  local HEAD = [[
    local mp = client { flags = "remote" }
    local f = mp.remote_flags
  ]]

  local function run(program)
    return processes:run(HEAD .. program)
  end

  it("asks in each of its children", function()
    run [[
      assert(f:is_enabled("a", user))
      for i = 1, 10 do
        f:request { distinct_id = "waits " .. i }
        in_child(function()
          assert(f:is_enabled("a", user)) -- of the parent's answer
          assert(f:is_enabled("a", { distinct_id = "waits " .. i }))
          assert(f:is_enabled("a", { distinct_id = "child " .. i }))
          assert(mp:stats().flags.remote.requests <= i + 1)
        end)
      end
      reap(10)
      assert(f:is_enabled("a", { distinct_id = "waits 10" }))
    ]]
  end)

  it("ends while it asks, and so does its Lua state", function()
    server:script { endpoint = PATH, delay_ms = 60000, times = -1 }
    for _, ending in ipairs { "", "os.exit(0)", "os.exit(0, true)", "mp:close()" } do
      local seconds = run([[
        for i = 1, 20 do
          f:request { distinct_id = i }
        end
        f:is_enabled("a", user, true, 0.1)
      ]] .. ending)
      assert.is_true(seconds < 20, ending)
    end
  end)
end)
