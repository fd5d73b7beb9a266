-- The user object: whose records they are, and what is kept out of them.
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
      local long = ("d"):rep(247) -- with $device: the 255 bytes of an id
      assert.equal("$device:" .. long, mp:user({ device_id = long }):get_distinct_id())
      local message =
        "user.device_id: 248 bytes: with $device: in front of it Mixpanel cuts it at 247"
      refused("invalid", message, mp:user { device_id = long .. "d" })
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

  it("never sends charges when the client excludes them", function()
    mp = users.client { exclude_properties = { "$transactions" } }
    local me = mp:user { distinct_id = "u" }
    for _, ok in ipairs {
      me.people:track_charge(9.5),
      me.people:clear_charges(),
      mp.people:track_charge("u", 9.5),
      mp.people:clear_charges "u",
    } do
      assert.is_true(ok)
    end
    assert.same({}, users.sent(mp))
    refused("invalid", "amount", me.people:track_charge(1 / 0))
  end)

  it("of wrong numbers shows what they were", function()
    local me = mp:user()
    fails("timeout: got -1, expected seconds from 0 to 1e9", mp.flush, mp, -1)
    fails("timeout: got nan, expected seconds from 0 to 1e9", me.save, me, 0 / 0)
    fails("ticket: got -1, expected what mark() returned", mp.done, mp, -1)
    fails("max: got 0, expected how many reports to take, at least 1", mp.poll, mp, 0)
  end)
end)
