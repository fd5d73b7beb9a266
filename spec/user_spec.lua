-- The user object: whose records they are, and what they carry.
local mixpanel = require "mixpanel"
local users = require "spec.support.users"

local uuid = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"

local refused, fails = users.refused, users.fails

describe("a user", function()
  local mp

  before_each(function()
    mp = users.client()
  end)

  describe("starts", function()
    it("as a new device", function()
      local me, other = mp:user(), mp:user {}
      assert.is_truthy(me:get_device_id():find(uuid))
      assert.equal("$device:" .. me:get_device_id(), me:get_distinct_id())
      assert.not_equal(me:get_device_id(), other:get_device_id())
      me:track "A"
      local p = users.only(mp)
      assert.equal(me:get_distinct_id(), p.distinct_id)
      assert.equal(me:get_device_id(), p["$device_id"])
      assert.is_nil(p["$user_id"])
      assert.is_nil(p["$had_persisted_distinct_id"])
      assert.equal("mixpanel.user (anonymous)", tostring(me))
    end)

    it("as a known device, or as a known person", function()
      local device = mp:user { device_id = "D1" }
      assert.equal("$device:D1", device:get_distinct_id())
      local me = mp:user { distinct_id = 17 }
      me:track "A"
      local p = users.only(mp)
      assert.same({ "17", "17" }, { p.distinct_id, p["$user_id"] })
      assert.is_nil(p["$device_id"])
      assert.is_nil(me:get_device_id())
      local both = mp:user { distinct_id = "u", device_id = "d" }
      assert.equal("d", both:get_device_id())
    end)

    it("only with options that exist and ids that are", function()
      fails("unknown option", mp.user, mp, { distinct = "x" })
      fails("options: table", mp.user, mp, "u1")
      fails("option 'distinct_id': got true", mp.user, mp, { distinct_id = true })
      fails("option 'state': got 5", mp.user, mp, { state = 5 })
      fails("option 'state'", mp.user, mp, { state = "" })
      fails("manual", mp.user, mp, { state = "/tmp/never" })
      fails("opt_out_by_default", mp.user, mp, { opt_out_by_default = 1 })
      refused("invalid", "empty id", mp:user { distinct_id = "" })
      refused("invalid", "undefined", mp:user { device_id = "undefined" })
      refused("invalid", "$device:", mp:user { distinct_id = "$device:x" })
      refused("invalid", "$device:", mp:user { device_id = "$device:x" })
    end)
  end)

  describe("is identified", function()
    it("by an event that joins both ids, once", function()
      local me = mp:user()
      local before = me:get_distinct_id()
      me:register { plan = "pro" }
      assert.is_true(me:identify "u1")
      assert.is_true(me:identify "u1")
      local p, record = users.only(mp)
      assert.equal("$identify", record.event)
      assert.equal("track", record.endpoint)
      assert.equal("u1", p.distinct_id)
      assert.equal("u1", p["$user_id"])
      assert.equal(before, p["$anon_distinct_id"])
      assert.equal(me:get_device_id(), p["$device_id"])
      assert.equal("pro", p.plan)
      me:track "A"
      p = users.only(mp)
      assert.same({ "u1", "u1" }, { p.distinct_id, p["$user_id"] })
      assert.is_truthy(p["$device_id"])
      me:identify(2)
      p = users.only(mp)
      assert.same({ "2", "u1" }, { p.distinct_id, p["$anon_distinct_id"] })
    end)

    it("with its old id for a device when it has none", function()
      local me = mp:user { distinct_id = "old" }
      me:identify "new"
      local p = users.only(mp)
      assert.equal("old", p["$device_id"])
      assert.is_true(p["$had_persisted_distinct_id"])
      me:track "A"
      assert.is_true(users.only(mp)["$had_persisted_distinct_id"])
      me.people:set("a", 1)
      local update = users.only(mp)
      assert.is_true(update["$had_persisted_distinct_id"])
      assert.equal("old", update["$device_id"])
      me:identify "third"
      p = users.only(mp)
      assert.same({ "old", true }, { p["$device_id"], p["$had_persisted_distinct_id"] })
    end)

    it("by ids that can be one", function()
      local me = mp:user()
      fails("id: string or integer", me.identify, me, {})
      fails("id: string or integer", me.identify, me, 1.5)
      refused("invalid", "empty id", me:identify "")
      refused("invalid", "refuses", me:identify "null")
      refused("invalid", "$device:", me:identify "$device:other")
      refused("invalid", "256 bytes", me:identify(("x"):rep(256)))
      refused("invalid", "256 bytes", me:alias(("x"):rep(256)))
      refused("invalid", "256 bytes", mp:user { device_id = ("x"):rep(256) })
      assert.same({}, users.sent(mp))
    end)

    it("under an alias, where its id stays", function()
      local me = mp:user { device_id = "D" }
      assert.is_true(me:alias "A")
      local sent = users.sent(mp)
      assert.equal(2, #sent)
      assert.equal("$create_alias", sent[1].event)
      assert.equal("A", sent[1].properties.alias)
      assert.equal("$device:D", sent[1].properties.distinct_id)
      assert.equal("$identify", sent[2].event)
      assert.equal("A", sent[2].properties.distinct_id)
      assert.equal("$device:D", sent[2].properties["$anon_distinct_id"])
      me:track "E"
      local p = users.only(mp)
      assert.same({ "$device:D", "A" }, { p.distinct_id, p["$user_id"] })
      assert.is_true(me:identify "A")
      assert.same({}, users.sent(mp))
      me:alias("B", "other")
      sent = users.sent(mp)
      assert.equal("other", sent[1].properties.distinct_id)
      refused("invalid", "$device:", me:alias "$device:D")
      refused("invalid", "alias of", me:alias("x", "x"))
      refused("invalid", "alias of", mp:user({ distinct_id = "u1" }):alias "u1")
      refused("invalid", "empty id", me:alias("x", ""))
      fails("alias: string or integer", me.alias, me)
    end)

    it("no more after reset", function()
      local me = mp:user()
      local device = me:get_device_id()
      me:identify "u1"
      me:register({ a = 1 }, { persistent = false })
      me:register { b = 2 }
      me:time_event "A"
      users.sent(mp)
      assert.is_true(me:reset())
      assert.not_equal(device, me:get_device_id())
      me:track "A"
      local p = users.only(mp)
      assert.is_nil(p["$user_id"])
      assert.is_nil(p.a)
      assert.is_nil(p.b)
      assert.is_nil(p["$duration"])
      assert.equal("$device:" .. me:get_device_id(), p.distinct_id)
    end)
  end)

  describe("carries super properties", function()
    it("weaker than an event's own, stronger than the client's", function()
      mp = users.client { properties = { a = "client", b = "client", c = "client" } }
      local me = mp:user()
      me:register { b = "user", c = "user", d = { 1, { x = 2 } } }
      me:track("E", { c = "own" })
      local p = users.only(mp)
      assert.same({ "client", "user", "own" }, { p.a, p.b, p.c })
      assert.same({ 1, { x = 2 } }, p.d)
      mp:set_config { properties = { a = "later" } }
      me:track "E"
      p = users.only(mp)
      assert.same({ "later", "user", "user" }, { p.a, p.b, p.c })
    end)

    it("of no more bytes than an event takes", function()
      local me = mp:user()
      assert.is_true(me:register { a = ("x"):rep(600000) })
      refused("invalid", "bytes of super properties", me:register { b = ("x"):rep(600000) })
      assert.is_nil(me:get_property "b")
      assert.is_true(me:register { a = 1, b = 2 })
      assert.is_true(me:track "E")
    end)

    it("and no ids of the client's", function()
      mp = users.client { properties = { distinct_id = "c", ["$user_id"] = "c", a = 1 } }
      local me = mp:user()
      me:track "E"
      local p = users.only(mp)
      assert.equal(1, p.a)
      assert.equal("$device:" .. me:get_device_id(), p.distinct_id)
      assert.is_nil(p["$user_id"])
      mp:user({ distinct_id = "u1" }):track "E"
      assert.equal("u1", users.only(mp)["$user_id"])
    end)

    it("set once, or until this run ends", function()
      local me = mp:user()
      me:register { a = 1, none = "None", nope = "no" }
      me:register_once { a = 2, b = 2, none = "x" }
      me:register_once({ nope = "y", a = 3 }, "no")
      assert.same({ 1, 2, "x", "y" }, {
        me:get_property "a",
        me:get_property "b",
        me:get_property "none",
        me:get_property "nope",
      })
      me:register({ a = "run" }, { persistent = false })
      me:track "E"
      assert.equal("run", users.only(mp).a)
      assert.equal("run", me:get_property "a")
      me:unregister("a", { persistent = false })
      assert.equal(1, me:get_property "a")
      me:unregister "a"
      assert.is_nil(me:get_property "a")
      me:register_once({ s = 1 }, nil, { persistent = false })
      me:register_once({ s = 2 }, nil, { persistent = false })
      assert.equal(1, me:get_property "s")
      assert.is_nil(me:export_state().properties.s)
    end)

    it("with a name tag", function()
      local me = mp:user()
      me:name_tag "Ada"
      me:track "E"
      assert.equal("Ada", users.only(mp).mp_name_tag)
      fails("name_tag: string", me.name_tag, me, 5)
    end)

    it("that come back as they were", function()
      local me = mp:user()
      me:register {
        int = 9007199254740993,
        real = 0.1,
        yes = true,
        null = mixpanel.null,
        list = { "a", 1 },
        ['odd "name"\n'] = "x",
        text = "é\0z",
      }
      assert.equal(0.1, me:get_property "real")
      assert.is_true(me:get_property "yes")
      assert.equal(mixpanel.null, me:get_property "null")
      assert.same({ "a", 1 }, me:get_property "list")
      assert.equal("x", me:get_property 'odd "name"\n')
      assert.equal("é\0z", me:get_property "text")
      local exact = me:get_property "int"
      local text = type(exact) == "string" and exact or ("%d"):format(exact)
      assert.is_truthy(text:find "^900719925474099[23]$") -- doubles end at 2
      assert.equal(me:get_distinct_id(), me:get_property "distinct_id")
      assert.equal(me:get_device_id(), me:get_property "$device_id")
      assert.is_nil(me:get_property "$user_id")
      assert.is_nil(me:get_property "unknown")
    end)

    if rawget(_G, "jit") then
      it("with 64-bit integers that no number holds", function()
        local int64 = loadstring "return 9223372036854775807LL, -5LL, 18446744073709551615ULL" -- luacheck: ignore
        local high, low, unsigned = int64()
        local me = mp:user { distinct_id = high }
        assert.equal("9223372036854775807", me:get_distinct_id())
        me:register { high = high, low = low, unsigned = unsigned }
        me:set_group("team", high)
        assert.equal("9223372036854775807", me:get_property "high")
        assert.equal(-5, me:get_property "low")
        assert.equal("18446744073709551615", me:get_property "unsigned")
        local again = mp:user { state = me:export_state() }
        assert.equal("18446744073709551615", again:get_property "unsigned")
        users.sent(mp)
        again:track "E"
        mp:flush()
        local request = mp:next_request()
        assert.is_truthy(request.body:find('"unsigned":18446744073709551615', 1, true))
        assert.is_truthy(request.body:find('"team":[9223372036854775807]', 1, true))
        mp:answer(request.id, 200, nil, "1")
      end)
    end

    it("that are its own to set, all or none", function()
      local me = mp:user()
      me:register { kept = 1 }
      for _, name in ipairs {
        "distinct_id",
        "$device_id",
        "$user_id",
        "token",
        "time",
        "$insert_id",
        "$had_persisted_distinct_id",
      } do
        refused("invalid", name, me:register { ok = 1, [name] = "x" })
      end
      refused("invalid", "properties.f: function", me:register { ok = 1, f = print })
      refused("invalid", "default: function", me:register_once({ a = 1 }, print))
      refused("invalid", "zero byte", me:register { ["a\0b"] = 1 })
      refused("invalid", "properties.a: there is a zero byte", me:register { a = { ["\0"] = 1 } })
      assert.is_true(me:register { kept = "\0", text = { a = "\0" } })
      assert.same({ a = "\0" }, me:get_property "text")
      me:unregister "text"
      me:register { kept = 1 }
      fails("properties: table", me.register, me, "a")
      fails("options: table", me.register, me, {}, 30)
      fails("unknown option", me.register, me, {}, { days = 30 })
      fails("persistent", me.register, me, {}, { persistent = "no" })
      fails("name: string", me.unregister, me)
      fails("name: string", me.get_property, me, 1)
      assert.same({ kept = "1" }, me:export_state().properties)
      local many = {}
      for i = 1, 255 do
        many["p" .. i] = i
      end
      refused("invalid", "more than 254", me:register(many))
      many.p255, many.p254 = nil, nil
      assert.is_true(me:register(many))
      assert.is_true(me:track "E")
      refused("invalid", "more than 254", me:track("E", { one = 1 }))
    end)
  end)

  describe("times events", function()
    it("once each, in seconds", function()
      local me = mp:user()
      me:time_event "E"
      local start = os.clock()
      while os.clock() - start < 0.02 do
        start = start + 0
      end
      me:track "Other"
      me:track "E"
      me:track "E"
      local sent = users.sent(mp)
      assert.is_nil(sent[1].properties["$duration"])
      local duration = sent[2].properties["$duration"]
      assert.is_true(duration >= 0.015 and duration < 60)
      assert.equal(duration, tonumber(("%.3f"):format(duration)))
      assert.is_nil(sent[3].properties["$duration"])
    end)

    it("until they are sent, and not over their own duration", function()
      local me = mp:user()
      me:time_event "E"
      refused("invalid", "function", me:track("E", { f = print }))
      me:track("E", { ["$duration"] = 7 })
      assert.equal(7, users.only(mp)["$duration"])
      me:track "E"
      assert.is_nil(users.only(mp)["$duration"])
    end)

    it("across restarts on the wall clock, but never below zero", function()
      local now = os.time() * 1000
      local me = mp:user {
        state = {
          version = 1,
          distinct_id = "u",
          timers = { Past = now - 5000, Future = now + 60000 },
        },
      }
      me:track "Past"
      me:track "Future"
      local sent = users.sent(mp)
      assert.is_true(sent[1].properties["$duration"] >= 5)
      assert.is_true(sent[1].properties["$duration"] < 120)
      assert.is_nil(sent[2].properties["$duration"])
    end)

    it("by names that are, and not without end", function()
      local me = mp:user()
      fails("event: string", me.time_event, me)
      refused("invalid", "blank", me:time_event " ")
      for i = 1, 254 do
        assert.is_true(me:time_event("E" .. i))
      end
      assert.is_true(me:time_event "E1")
      refused("queue_full", "254 timers", me:time_event "one more")
    end)
  end)

  describe("sends events", function()
    it("of a page", function()
      local me = mp:user()
      me:track_pageview { page = "home" }
      me:track_pageview({}, { event_name = "View" })
      local sent = users.sent(mp)
      assert.equal("$mp_web_page_view", sent[1].event)
      assert.equal("home", sent[1].properties.page)
      assert.equal("View", sent[2].event)
      fails("event_name", me.track_pageview, me, {}, { event_name = 1 })
      fails('unknown option "name"', me.track_pageview, me, {}, { name = "View" })
      fails("properties: table", me.track_pageview, me, "x")
    end)

    it("unless they are disabled", function()
      local me = mp:user()
      me:disable { "A", "B" }
      me:disable "C"
      assert.is_true(me:track "A")
      me:time_event "A"
      me:track "D"
      me:enable { "A" }
      me:track "A"
      me:track "C"
      local sent = users.sent(mp)
      assert.equal(2, #sent)
      assert.same({ "D", "A" }, { sent[1].event, sent[2].event })
      assert.is_nil(sent[2].properties["$duration"])
      me:disable()
      assert.is_true(me:track "D")
      assert.is_true(me:identify "u1")
      me.people:set("a", 1)
      sent = users.sent(mp)
      assert.equal(1, #sent)
      assert.equal("u1", sent[1]["$distinct_id"])
      me:enable()
      me:track "D"
      me:track "B"
      assert.equal("D", select(2, users.only(mp)).event)
      fails("events: list of names", me.disable, me, 5)
      fails("events[1]", me.enable, me, { 5 })
    end)

    it("only of names and properties that are some", function()
      local me = mp:user()
      fails("event: string", me.track, me)
      fails("properties: table", me.track, me, "E", 5)
      refused("invalid", "blank", me:track "")
      refused("invalid", "properties.x", me:track("E", { x = print }))
      fails("mixpanel.user expected", me.track, mp, "E")
      fails("mixpanel.client expected", mp.track, me, "E")
      fails("mixpanel.user.people expected", me.people.set, mp.people, "a", 1)
      assert.same({}, users.sent(mp))
    end)
  end)

  it("never sends what the client excludes", function()
    mp = users.client { exclude_properties = { "secret", "mp_lib" }, properties = { secret = 1 } }
    local me = mp:user { distinct_id = "u" }
    me:register { secret = 2, plan = "pro" }
    me:track("E", { secret = 3, a = 1 })
    mp:track("E", { secret = 4, b = 1 })
    for _, record in ipairs(users.sent(mp)) do
      assert.is_nil(record.properties.secret)
      assert.is_nil(record.properties.mp_lib)
      assert.is_truthy(record.properties.a or record.properties.b)
    end
    me.people:set { secret = 1, a = 2 }
    mp.people:set("u", { secret = 1, a = 2 })
    mp.groups:set("company", "acme", { secret = 1, a = 2 })
    for _, record in ipairs(users.sent(mp)) do
      assert.same({ a = 2 }, record["$set"])
    end
    assert.is_true(me.people:set("secret", 1))
    assert.is_true(me:set_group("secret", "acme"))
    assert.is_true(me:register { secret = 2 })
    assert.is_true(mp.people:union("u", "secret", 1))
    assert.is_true(mp.people:set("u", { secret = 1 }))
    assert.same({}, users.sent(mp))
    mp:set_config { exclude_properties = {} }
    me:track "E"
    assert.equal(2, users.only(mp).secret)
    mp:track "E"
    assert.equal(1, users.only(mp).secret)
    for _, bad in ipairs { { 5 }, { secret = "x" }, { "token" }, { "distinct_id" }, { "ip" } } do
      fails("exclude_properties", users.client, { exclude_properties = bad })
    end
    fails("a list of names", users.client, { exclude_properties = "secret" })
  end)

  it("of wrong numbers shows what they were", function()
    local me = mp:user()
    fails("timeout: got -1, expected seconds from 0 to 1e9", mp.flush, mp, -1)
    fails("timeout: got nan, expected seconds from 0 to 1e9", me.save, me, 0 / 0)
    fails("ticket: got -1, expected what mark() returned", mp.done, mp, -1)
    fails("max: got 0, expected how many reports to take, at least 1", mp.poll, mp, 0)
  end)

  it("ends with its client, and says so", function()
    local me = mp:user()
    local group = me:get_group("company", "acme")
    me:register { a = 1 }
    mp:close()
    local calls = {
      { "track", "E" },
      { "track_pageview" },
      { "track_with_groups", "E", {}, {} },
      { "time_event", "E" },
      { "disable" },
      { "enable" },
      { "identify", "u" },
      { "alias", "u" },
      { "reset" },
      { "name_tag", "x" },
      { "register", {} },
      { "register_once", {} },
      { "unregister", "a" },
      { "set_group", "k", "v" },
      { "add_group", "k", "v" },
      { "remove_group", "k", "v" },
      { "get_group", "k", "v" },
      { "opt_in_tracking" },
      { "opt_out_tracking" },
      { "clear_opt_in_out_tracking" },
      { "save" },
    }
    for _, call in ipairs(calls) do
      local ok, message, code = me[call[1]](me, call[2], call[3], call[4])
      assert.is_nil(ok)
      assert.equal("closed", code, call[1])
      assert.equal("this client is closed", message)
    end
    refused("closed", "closed", me.people:set("a", 1))
    refused("closed", "closed", me.people:delete_user())
    refused("closed", "closed", group:set("a", 1))
    refused("closed", "closed", mp:user())
    assert.equal(1, me:get_property "a")
    assert.is_truthy(me:get_distinct_id())
    assert.is_false(me:has_opted_in_tracking())
    assert.equal("mixpanel.user (closed)", tostring(me))
  end)

  it("may be collected in the midst of its calls", function()
    local newproxy = rawget(_G, "newproxy") -- Lua 5.1
    local function litter(f)
      if newproxy then
        getmetatable(newproxy(true)).__gc = f
      else
        setmetatable({}, { __gc = f })
      end
    end
    local t
    local calls = {
      function(me)
        return me:track("E", t)
      end,
      function(me)
        return me.people:set(t)
      end,
      function(me)
        return me:register(t)
      end,
      function(me)
        return me:register_once(t, t)
      end,
      function(me)
        return me:track_with_groups("E", t, { k = { "v" } })
      end,
      function(me)
        return me:identify "u1"
      end,
      function(me)
        return me:set_group("k", { "v" })
      end,
      function(me)
        return me:opt_in_tracking { track_properties = t }
      end,
    }
    local pause, step = collectgarbage("setpause", 0), collectgarbage("setstepmul", 10000)
    local during = 0
    for i = 1, 4 * #calls do
      local client = users.client { name = "midst" .. i }
      local me = client:user()
      local inside, collected = false, false
      t = {}
      for k = 1, 20 do
        t[i + k / 1024] = { [-i - k / 1024] = i } -- keys that make strings
      end
      collectgarbage()
      pcall(litter, function()
        getmetatable(me).__gc(me)
        collected = inside
      end)
      inside = true
      local ok, _, code = calls[i % #calls + 1](me)
      inside = false
      during = during + (collected and 1 or 0)
      assert.is_true(ok or code == "closed")
      collectgarbage()
      refused("closed", "closed", me:track "E")
      for _, record in ipairs(users.sent(client)) do
        local of = record.properties or record
        assert.is_truthy(of.distinct_id or of["$distinct_id"])
      end
    end
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", step)
    assert.is_true(during > 0 or not newproxy) -- PUC Lua collects when it pleases
  end)

  it("is collected with or without its client", function()
    for _ = 1, 200 do
      local client = users.client { name = "collected" }
      local me = client:user()
      me:register { text = ("x"):rep(1000) }
      me.people:set("a", 1)
      me:time_event "E"
      local people, group = me.people, me:get_group("k", "v")
      client = nil -- luacheck: ignore
      me = nil -- luacheck: ignore
      collectgarbage()
      assert.is_true(people:set("a", 1))
      assert.is_true(group:set("a", 1))
    end
    collectgarbage()
    collectgarbage()
  end)
end)
