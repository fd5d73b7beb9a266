-- The super properties of a user.
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local users = require "spec.support.users"

local refused, fails = users.refused, users.fails

describe("a user", function()
  local mp

  before_each(function()
    mp = users.client()
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

    it("given as name and value", function()
      local me = mp:user()
      assert.is_true(me:register("plan", "pro"))
      assert.is_true(me:register("run", false, { persistent = false }))
      assert.is_true(me:register("none", mixpanel.null))
      assert.is_true(me:register("list", { 1, 2 }))
      refused("invalid", "properties.token", me:register("token", 1))
      me:track "E"
      local p = users.only(mp)
      assert.same({ "pro", false, cjson.null }, { p.plan, p.run, p.none })
      assert.same({ 1, 2 }, p.list)
      assert.is_nil(me:export_state().properties.run)
    end)

    it("that can be read and forgotten, all at once", function()
      local me = mp:user()
      assert.same({}, me:get_super_properties())
      me:register { plan = "pro", n = 1, ['odd "key"\n'] = { 1, { x = mixpanel.null } } }
      me:register({ n = 2, run = true }, { persistent = false })
      me:set_group("company", "acme")
      local all = {
        plan = "pro",
        n = 2,
        run = true,
        ['odd "key"\n'] = { 1, { x = mixpanel.null } },
        company = { "acme" },
      }
      local got = me:get_super_properties()
      assert.same(all, got)
      got.plan = "free" -- a copy
      assert.same(all, me:get_super_properties())
      assert.is_true(me:clear_super_properties())
      assert.is_true(me:clear_super_properties())
      assert.same({}, me:get_super_properties())
      assert.is_nil(me:export_state().properties)
      me:track "E"
      assert.is_nil(users.only(mp).plan)
      me:opt_out_tracking()
      me:register("plan", "pro")
      assert.is_true(me:clear_super_properties())
      mp:close(0)
      refused("closed", "closed", me:clear_super_properties())
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
      local behind = { 1e19, { ["\0"] = 1 } } -- a number that is too large for an integer
      refused("invalid", "properties.a: there is a zero byte", me:register { a = behind })
      assert.is_true(me:register { kept = "\0", text = { a = "\0" } })
      assert.same({ a = "\0" }, me:get_property "text")
      me:unregister "text"
      me:register { kept = 1 }
      fails("value expected, got nil: see unregister", me.register, me, "a")
      fails("value expected", me.register, me, "a", nil, { persistent = false })
      fails("options: table", me.register, me, "a", 1, 30)
      fails("properties: table", me.register_once, me, "a")
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
end)
