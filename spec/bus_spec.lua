-- Records that go over a message bus, through a driver of our own.
local fake = require "spec.support.bus"
local mixpanel = require "mixpanel"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

describe("a bus", function()
  local bus, cpath

  setup(function()
    cpath = package.cpath
    package.cpath = cpath .. ";" .. fake.drivers
  end)

  teardown(function()
    package.cpath = cpath
  end)

  before_each(function()
    bus = fake.new()
  end)

  after_each(function()
    bus:remove()
  end)

  local function client(options)
    options = options or {}
    options.transport = "fake"
    options.bus = options.bus or { servers = bus.servers }
    options.max_retry_delay = 0.1
    return mixpanel.new("projecttoken", options)
  end

  local function run(program, options)
    return bus:run(program, options)
  end

  -- ---- records ----

  it("gets each batch as a message", function()
    local mp = client()
    for i = 1, 3 do
      assert.is_true(mp:track("Event", { distinct_id = "u", n = i }))
    end
    mp:import("Old", 1500000000)
    mp.people:set("u", { a = 1 })
    mp.groups:set("company", "acme", { a = 1 })
    assert.is_true(mp:flush(20))
    local subjects = {}
    for _, put in ipairs(bus:puts()) do
      local lane = put.subject:match "^mp%.bb736de14e4f6f19%.(%l+)$"
      subjects[lane or put.subject] = true
      assert.matches("^%x+%-" .. lane .. "%-%d+$", put.id)
      assert.equal(
        ("Nats-Msg-Id=%s Mp-Format=1 Mp-Count=%d Mp-Lib=lua/%s"):format(
          put.id,
          #bus:records(put.id),
          mixpanel._VERSION
        ),
        put.headers
      )
    end
    assert.same({ events = true, import = true, people = true, groups = true }, subjects)
    local records = bus:records "-events-"
    assert.equal(3, #records)
    assert.equal("Event", records[3].event)
    assert.equal(3, records[3].properties.n)
    assert.equal(6, mp:stats().delivered)
  end)

  it("and Mixpanel serve clients of one process", function()
    local server = sandbox.start()
    local direct = mixpanel.new("projecttoken", { api_host = server.url })
    local mp = client()
    for _ = 1, 10 do
      mp:track "Bus"
      direct:track "Direct"
    end
    assert.is_true(mp:flush(20))
    assert.is_true(direct:flush(20))
    assert.equal(10, #server:records "/track")
    assert.equal("Direct", server:records("/track")[1].event)
    assert.equal(10, #bus:records "-events-")
    server:stop()
  end)

  it("that does not take them now gets them again, under one name", function()
    local mp = client()
    bus:reply "503 no leader, or no stream"
    mp:track "E"
    assert.is_nil((mp:flush(0.5)))
    assert.equal("no leader, or no stream", mp:stats().last_error)
    bus:reply "lost"
    process.wait_for(function()
      return #bus:ids() == 1
    end, "a message")
    bus:reply "200"
    assert.is_true(mp:flush(20))
    local puts = bus:puts()
    for _, put in ipairs(puts) do
      assert.equal(puts[1].id, put.id)
    end
    assert.equal("503", puts[1].outcome)
    assert.equal("200", puts[#puts].outcome)
    assert.equal(1, #bus:records "-events-")
    assert.equal(0, mp:stats().queued)
  end)

  it("that people must mend is reported", function()
    local mp = client()
    bus:reply "404 another stream has the subject"
    mp:track "E"
    mp:mark()
    local report = process.wait_for(function()
      return mp:poll()[1]
    end, "a report")
    assert.equal("paused", report.outcome)
    assert.equal(404, report.status)
    assert.equal("another stream has the subject", report.message)
    bus:reply "200"
    assert.is_true(mp:flush(20))
  end)

  it("that cannot be opened keeps them, and says why without the secret", function()
    local secret = bus.dir .. "/bus.creds"
    local mp = client { bus = { servers = bus.servers, credentials = secret } }
    mp:track "E"
    assert.is_nil((mp:flush(0.3)))
    local message = mp:stats().last_error
    assert.matches("^fake: credentials cannot be read: ", message)
    assert.is_true(mp:stats().requests > 1)
    local reports = mp:poll()
    assert.equal(1, #reports)
    assert.same({ "paused", message }, { reports[1].outcome, reports[1].message })
    local file = assert(io.open(secret, "w"))
    file:write "very secret"
    file:close()
    assert.is_true(mp:flush(20))
    assert.is_nil(tostring(mp):find("secret", 1, true))
  end)

  it("is traced, but for who may connect", function()
    local path, secret = os.tmpname(), os.tmpname()
    local mp = client { debug = path, bus = { servers = bus.servers, credentials = secret } }
    bus:reply "503 not now"
    mp:track("Traced", { n = 1 })
    assert.is_nil((mp:flush(0.3)))
    bus:reply "200"
    assert.is_true(mp:flush(20))
    local trace = process.slurp(path)
    os.remove(path)
    os.remove(secret)
    local id = bus:ids()[1]
    assert.truthy(
      trace:find(
        (" fake mp.bb736de14e4f6f19.events\n  Nats-Msg-Id: %s\n  Mp-Format: 1\n"):format(id),
        1,
        true
      ),
      trace
    )
    assert.truthy(trace:find('"event":"Traced"', 1, true), trace)
    assert.truthy(trace:find(" reply 503 not now\n", 1, true), trace)
    assert.truthy(trace:find(" reply 200 \n", 1, true), trace)
    assert.is_nil(trace:find(secret, 1, true))
    assert.is_nil(trace:find(bus.dir, 1, true))
  end)

  -- ---- a check ----

  it("is asked whether it would store records, and stores none", function()
    local mp = client()
    assert.is_true(mp:check(20))
    local lines = bus:log "probe"
    assert.equal(1, #lines)
    assert.matches("^probe %d+ mp%.bb736de14e4f6f19%.events 200$", lines[1])
    assert.same({}, bus:puts())
    assert.same({}, bus:ids())
    assert.equal(0, mp:stats().requests)
    assert.same({}, mp:poll())
    mp:close()
    assert.same({ nil, "this client is closed", "closed" }, { mp:check(1) })
  end)

  it("says why it would not", function()
    local mp = client()
    for reply, answer in pairs {
      ["401 not permitted"] = { nil, "not permitted", "unauthorized" },
      ["404 another stream has the subject"] = {
        nil,
        "another stream has the subject",
        "network",
      },
      ["503 no leader"] = { nil, "no leader", "network" },
      lost = { nil, "", "network" },
    } do
      bus:reply(reply)
      assert.same(answer, { mp:check(20) })
    end
    assert.same({}, bus:ids())
    bus:reply "hang"
    assert.same({ nil, "timeout: the bus has not answered yet", "timeout" }, { mp:check(0.1) })
    bus:reply "200" -- else the driver would note that one while the bus is removed
    assert.is_true(mp:check(20))
    local secret = bus.dir .. "/bus.creds"
    local another = client { bus = { servers = bus.servers, credentials = secret } }
    local _, message, code = another:check(20)
    assert.matches("^fake: credentials cannot be read: ", message)
    assert.equal("network", code)
    mp:close(0)
  end)

  it("is asked while records wait, and as the trace shows", function()
    local path = os.tmpname()
    local mp = client { debug = path }
    bus:reply "503 not now"
    mp:track "E"
    assert.is_nil((mp:flush(0.2)))
    assert.same({ nil, "not now", "network" }, { mp:check(20) })
    bus:reply "200"
    assert.is_true(mp:check(20))
    assert.is_true(mp:flush(20))
    local trace = process.slurp(path)
    os.remove(path)
    assert.truthy(
      trace:find(" fake mp.bb736de14e4f6f19.events, a check that stores nothing\n\n", 1, true),
      trace
    )
  end)

  -- ---- processes ----

  it("stores once what a killed process sent, too", function()
    local spool = bus.dir .. "/spool"
    bus:reply "lost"
    local _, status = run(
      [[
        mp:track("Spooled")
        mp:flush(0.5)
        posix.signal(9)
      ]],
      ("{ spool = %q, max_retry_delay = 0.1 }"):format(spool)
    )
    assert.equal(137, status)
    assert.equal(1, #bus:ids())
    bus:reply "200"
    local mp = client { spool = spool }
    process.wait_for(function()
      return mp:stats().adopted == 1 and mp:flush(1) and mp:stats().delivered == 1
    end, "adoption")
    local puts = bus:puts()
    assert.equal("200", puts[#puts].outcome)
    assert.equal(puts[1].id, puts[#puts].id)
    assert.equal(1, #bus:records "-events-")
    mp:close(20)
  end)

  it("does not hold up the end of a process", function()
    for _, stuck in ipairs { false, true } do
      bus:reply "hang"
      if stuck then
        bus:stick()
      end
      local printed, status, seconds = run('mp:track "E"', "{ exit_timeout = 0.5 }")
      assert.equal("", printed)
      assert.equal(0, status)
      assert.is_true(seconds >= 0.5 and seconds < 5, seconds)
    end
    assert.equal(2, #bus:log "close")
  end)

  it("gets what waits at the end of a process", function()
    local printed, status = run('mp:track "E"', "{ flush_interval = 3600, exit_timeout = 20 }")
    assert.equal("", printed)
    assert.equal(0, status)
    assert.equal(1, #bus:records "-events-")
    assert.equal(1, #bus:log "close")
  end)
end)
