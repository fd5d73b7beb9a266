-- mixpanel.testing: clients for users' specs, which record what was tracked.
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local testing = require "mixpanel.testing"
local users = require "spec.support.users"

-- A call must raise an error with this text, at the line of its caller.
local function raises(text, f, ...)
  local arguments = { n = select("#", ...), ... }
  local ok, message = pcall(function()
    local result = f((table.unpack or unpack)(arguments, 1, arguments.n)) -- luacheck: ignore
    return result
  end)
  assert.is_false(ok)
  assert.is_truthy(message:find(text, 1, true), message)
  assert.matches("^%S*testing_spec.lua:%d+: ", message)
end

local function events(records)
  local names = {}
  for i, record in ipairs(records) do
    names[i] = record.event
  end
  return table.concat(names, " ")
end

describe("a test client", function()
  local mp

  before_each(function()
    mp = testing.new()
  end)

  it("keeps what was tracked as it would be sent", function()
    assert(mp:track("Signup", { distinct_id = 1234, plan = "pro", list = { 1, "x" }, nan = 0 / 0 }))
    assert(mp:import("Old", 1700000000, { distinct_id = "1" }))
    assert(mp.people:set("1234", { plan = "pro" }, { ignore_time = true }))
    assert(mp.groups:union("company", "acme", "tags", "x"))
    local signup = mp:find "Signup"
    assert.equal("/track", signup.endpoint)
    assert.equal("1234", signup.properties.distinct_id)
    assert.equal("projecttoken", signup.properties.token)
    assert.same({ 1, "x" }, signup.properties.list)
    assert.equal(cjson.null, signup.properties.nan)
    assert.equal(1, mp:stats().repaired)
    assert.equal("/import", mp:find("Old").endpoint)
    assert.equal(1700000000000, mp:find("Old").properties.time)
    local set = mp:find { ["$distinct_id"] = "1234" }
    assert.same({ "/engage", true, { plan = "pro" } }, {
      set.endpoint,
      set["$ignore_time"],
      set["$set"],
    })
    assert.same({ tags = { "x" } }, mp:find({ ["$group_id"] = "acme" })["$union"])
    assert.equal(4, #mp:recorded())
    assert.equal(4, mp:stats().delivered)
  end)

  it("keeps the order of the calls", function()
    for i = 1, 5000 do
      assert(mp:track("E" .. i))
    end
    local list = mp:recorded()
    assert.equal(5000, #list)
    for i, record in ipairs(list) do
      assert.equal("E" .. i, record.event)
    end
  end)

  it("finds by name, pattern, matcher and function", function()
    mp:track("A", { n = 1, list = { 1, 2 }, deep = { a = { b = 1, c = 2 } } })
    mp:track("A", { n = 2 })
    mp:track("B", { n = 3 })
    assert.equal("A A", events(mp:recorded "A"))
    assert.equal(2, mp:find("A", { n = 2 }).properties.n)
    assert.is_nil(mp:find("A", { n = 3 }))
    assert.is_nil(mp:find "C")
    assert.is_truthy(mp:find("A", { deep = { a = { c = 2 } } }))
    assert.is_nil(mp:find("A", { deep = { a = { d = 2 } } }))
    assert.is_truthy(mp:find("A", { list = { 1, 2 } }))
    assert.is_nil(mp:find("A", { list = { 1 } }), "a list is whole")
    assert.is_truthy(mp:find("A", { list = { 1, match.is_number() } }))
    assert.is_nil(mp:find("A", { list = { 1, match.is_string() } }))
    assert.equal(
      "A B",
      events(mp:recorded {
        properties = {
          n = function(n)
            return n > 1
          end,
        },
      })
    )
    assert.equal(
      "B",
      events(mp:recorded(function(record)
        return record.event == "B"
      end))
    )
  end)

  it("forgets what was before clear", function()
    mp:track "A"
    mp:script { status = 503, times = 0 }
    mp:clear()
    assert.same({}, mp:recorded())
    mp:track "B"
    assert.equal("B", events(mp:recorded()))
    assert.is_true(mp:flush())
  end)

  it("has the errors of a client, at the caller's line", function()
    users.refused("invalid", "properties.f: function", mp:track("A", { f = print }))
    users.refused("invalid", 'Mixpanel refuses "nil"', mp.people:set("nil", "a", 1))
    assert.same({}, mp:recorded())
    local function raised(f)
      local ok, message = pcall(f)
      assert.is_false(ok)
      return message
    end
    local wrong = {
      function(client)
        client:track(5)
      end,
      function(client)
        client.track(5)
      end,
      function(client)
        client:flush "x"
      end,
      function(client)
        client:set_config { api_host = "https://x" }
      end,
      function(client)
        client:user { stat = "x" }
      end,
      function(client)
        client:user():register(5)
      end,
      function(client)
        client:answer(99, 200)
      end,
    }
    local real = mixpanel.new("projecttoken", { transport = "manual", name = tostring(wrong) })
    for _, f in ipairs(wrong) do
      assert.equal(
        raised(function()
          f(real)
        end),
        raised(function()
          f(mp)
        end)
      )
    end
    assert.equal(tostring(real), tostring(testing.new()))
  end)

  it("raises at the caller's line what is wrong with its own methods", function()
    raises("expected the name of an event, or a table or function alone", mp.find, mp, 5)
    raises("properties: table expected, got number", mp.find, mp, "A", 5)
    raises("or a table or function alone, got table", mp.recorded, mp, {}, {})
    raises("unknown field 'code' of a reply: expected", mp.script, mp, { code = 1 })
    raises("a reply is a table, got number", mp.script, mp, 5)
    raises("a reply is a table", mp.script, mp)
    raises("unknown field 'or' of a reply", mp.script, mp, { ["or"] = 1 })
    raises("status of a reply: number expected, got string", mp.script, mp, { status = "503" })
    raises("status of a reply: got 99, expected an integer from 100 to 599", mp.script, mp, {
      { status = 503 }, -- and this is not scripted either
      { status = 99 },
    })
    raises("times of a reply: got -1, expected an integer from 0", mp.script, mp, { times = -1 })
    raises("times of a reply: got 1.5", mp.script, mp, { times = 1.5 })
    raises("body of a reply: string or table expected, got number", mp.script, mp, { body = 5 })
    raises("headers of a reply: table expected", mp.script, mp, { headers = "x" })
    mp:track "A"
    assert(mp:flush(1))
    assert.equal(0, mp:stats().retried)
    raises("unknown option 'api_hots'", testing.new, "t", { api_hots = "x" })
    raises("the project token has white space", testing.new, "a b")
  end)

  it("returns as many results as a client", function()
    assert.equal(1, select("#", mp:track "A"))
    assert.equal(1, select("#", mp:mark()))
    assert.equal(3, select("#", mp:track ""))
    assert.equal(1, select("#", testing.new()))
  end)

  it("waits for nothing, and has delivered by the end of flush, close, mark and done", function()
    mp:track "A"
    assert.equal(1, mp:stats().queued)
    assert.is_true(mp:flush(5))
    assert.equal(1, mp:stats().delivered)
    mp:track "B"
    assert.is_true(mp:done(mp:mark()))
    mp:track "C"
    assert.is_true(mp:close())
    users.refused("closed", "closed", mp:track "D")
    users.refused("closed", "closed", mp:check())
    assert.equal("A B C", events(mp:recorded()))
  end)

  it("records once what had to be sent again", function()
    mp:script { { status = 503 }, { error = "no route" } }
    mp:track "A"
    for _ = 1, 2 do
      mp.people:increment("u", "n") -- two updates of the same bytes
    end
    assert.is_true(mp:flush())
    mp.people:increment("u", "n")
    assert.equal(4, #mp:recorded())
    assert.equal(3, mp:stats().retried)
    assert.equal(2, mp:stats().ambiguous)
  end)

  it("records a rejected update and the same one once more", function()
    mp:script { endpoint = "/engage", status = 400, body = { error = "no", status = 0 } }
    mp.people:increment("u", "n")
    mp:flush()
    mp.people:increment("u", "n")
    assert.equal(2, #mp:recorded())
    assert.equal(1, mp:stats().rejected)
    assert.equal(1, mp:stats().delivered)
  end)

  it("gives up at once where every reply is a failure", function()
    mp:script { endpoint = "/track", status = 503, times = 0 }
    mp:track "A"
    mp.people:set("u", "a", 1)
    users.refused("timeout", "timeout: 1 record undelivered", mp:flush(60))
    users.refused("timeout", "timeout: 1 record undelivered", mp:close(60))
    assert.equal(2, #mp:recorded())
    mp:clear()
    assert.is_true(mp:close())
  end)

  it("keeps to a pause that Mixpanel asks for", function()
    mp:script { status = 429, headers = { ["Retry-After"] = "30" } }
    mp:track "A"
    users.refused("timeout", "1 record undelivered", mp:flush(60))
    users.refused("timeout", "1 record undelivered", mp:flush(60))
    assert.equal(1, mp:stats().requests)
  end)

  it("isolates the records that a script refuses, and reports them", function()
    mp:script { match = '"poison"', times = 0, status = 400, body = { error = "bad" } }
    for i = 1, 100 do
      mp:track(i == 77 and "poison" or "good")
    end
    assert.is_true(mp:flush())
    assert.equal(99, mp:stats().delivered)
    local report = mp:poll()[1]
    assert.equal("rejected", report.outcome)
    assert.equal("bad", report.message)
    assert.equal(100, #mp:recorded())
  end)

  it("says of /import what a script says of single records", function()
    mp:script {
      status = 400,
      body = {
        code = 400,
        error = "some data points in the request failed validation",
        failed_records = {
          { index = 1, insert_id = "x", field = "properties.time", message = "m" },
        },
        num_records_imported = 1,
        status = "Bad Request",
      },
    }
    mp:import("A", 1700000000)
    mp:import("B", 1700000000)
    assert.is_true(mp:flush())
    assert.equal(1, mp:stats().rejected)
    assert.equal("m", mp:poll()[1].records[1].message)
  end)

  it("lets check say what is scripted", function()
    assert.is_true(mp:check())
    mp:script { { status = 401 }, { error = "no route" }, { status = 503 } }
    users.refused("unauthorized", "credentials", mp:check())
    users.refused("network", "no route", mp:check())
    users.refused("network", "503", mp:check())
    assert.is_true(mp:check())
  end)

  it("has the limits of a client", function()
    mp = testing.new("t", { max_queue_bytes = 65536, properties = { app = "x" } })
    local n, ok, _, code = 0
    repeat
      n = n + 1
      ok, _, code = mp:track("A", { text = ("x"):rep(1000) })
    until not ok
    assert.equal("queue_full", code)
    assert.equal(n - 1, #mp:recorded("A", { app = "x" }))
    assert.is_true(mp:track "A")
  end)

  it("still reads what it sends when gzip is asked for", function()
    assert.is_true(mp:set_config { gzip = 9, max_retry_delay = 60, sync_interval = 3 })
    mp:track "A"
    assert.equal("A", events(mp:recorded()))
    assert.equal("/track", mp:find("A").endpoint)
  end)

  it("records what the code under test carries itself", function()
    mp:track "A"
    mp:mark() -- here the sender was first
    local real = testing.new("t", { transport = "manual", flush_interval = 0 })
    real:track "B"
    local request = real:next_request()
    assert.equal("POST", request.method)
    assert.is_true(real:answer(request.id, nil, "no route"))
    assert.is_number(select(2, real:next_request()))
    assert.equal("B", events(real:recorded()))
    assert.equal(1, real:stats().delivered)
  end)

  it("writes no file and shares no queue", function()
    local path = os.tmpname()
    os.remove(path)
    local options = { spool = path, durability = "power", spool_max_bytes = 5e6, name = "same" }
    options.transport, options.bus = "nats", { servers = { "tls://n1:4222" } }
    local one, other = testing.new("t", options), testing.new("t", options)
    one:set_config { debug = path }
    one:track "A"
    assert.is_true(one:close())
    assert.equal(0, other:stats().accepted)
    assert.same({}, other:recorded())
    assert.is_nil(io.open(path))
  end)
end)

describe("a user of a test client", function()
  it("keeps its state file in memory", function()
    local mp = testing.new()
    local path = os.tmpname()
    os.remove(path)
    local me = mp:user { state = path }
    assert.is_true(me:register { level = 3 })
    assert.is_true(me:identify "u1")
    assert.is_true(me:save())
    me = mp:user { state = path, opt_out_by_default = false }
    assert.equal("u1", me:get_distinct_id())
    me:track "E"
    assert.tracked(mp, "E", { distinct_id = "u1", level = 3 })
    assert.is_true(me:opt_out_tracking())
    assert.is_true(mp:user({ state = path }):has_opted_out_tracking())
    assert.is_nil(io.open(path))
    assert.is_false(mp:user({ state = path .. "2" }):has_opted_out_tracking())
    users.refused("invalid", "no state file", mp:user():save())
    assert.matches("^mixpanel.user", tostring(me))
    mp:close()
    users.refused("closed", "closed", me:save())
  end)

  it("has a profile and groups", function()
    local mp = testing.new()
    local me = mp:user { distinct_id = "u1" }
    me.people:set("a", 1)
    me:get_group("company", "acme"):set("b", 2)
    assert.updated(mp, "u1", { ["$set"] = { a = 1 } })
    assert.updated(mp, "company", "acme", { ["$set"] = { b = 2 } })
  end)
end)

describe("testing.install", function()
  after_each(testing.uninstall)

  it("records clients that the code under test makes", function()
    local recorder = testing.install()
    local one, other = mixpanel.new "t", mixpanel.new("t", { properties = { n = 2 } })
    one:track "A"
    other:track "B"
    assert.equal("A B", events(recorder:recorded()))
    assert.same({ one, other }, recorder.clients)
    recorder:script { status = 400 }
    one:track "C"
    one:flush()
    assert.equal(1, one:stats().rejected)
    assert.equal("C", events(one:recorded "C"))
    raises("unknown option 'api_hots'", mixpanel.new, "t", { api_hots = "x" })
    raises("bad argument #1", mixpanel.new)
    raises("unknown field", recorder.script, recorder, { x = 1 })
    recorder:clear()
    assert.not_recorded(recorder)
  end)

  it("starts anew each time, and can be undone", function()
    testing.install()
    local one = mixpanel.new "t"
    local recorder = testing.install()
    one:track "A"
    assert.not_recorded(recorder)
    assert.recorded(one)
    testing.uninstall()
    assert.is_userdata(mixpanel.new("t", { transport = "manual" }))
  end)
end)
