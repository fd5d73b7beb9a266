-- The profile, the groups and the consent of a user.
local mixpanel = require "mixpanel"
local users = require "spec.support.users"

local refused, fails = users.refused, users.fails

-- The operations of updates, in order: { name, payload }.
local function operations(records)
  local list = {}
  for _, record in ipairs(records) do
    for name, payload in pairs(record) do
      local id = name == "$token" or name:find "_id$" or name == "$ip"
      if name:sub(1, 1) == "$" and not id then
        list[#list + 1] = { name, payload }
      end
    end
  end
  return list
end

describe("the profile of a user", function()
  local mp, me

  before_each(function()
    mp = users.client()
    me = mp:user()
  end)

  it("takes every operation without an id", function()
    me:identify "u1"
    users.sent(mp)
    me.people:set("a", 1)
    me.people:set { a = 1, b = 2 }
    me.people:set_once("a", 1)
    me.people:increment "a"
    me.people:increment("a", -2)
    me.people:append("l", { 1 })
    me.people:union("l", 1)
    me.people:remove("l", 1)
    me.people:unset { "a" }
    me.people:clear_charges()
    me.people:update { ["$set"] = { z = 1 } }
    me.people:delete_user()
    local sent = users.sent(mp)
    assert.same({
      { "$set", { a = 1 } },
      { "$set", { a = 1, b = 2 } },
      { "$set_once", { a = 1 } },
      { "$add", { a = 1 } },
      { "$add", { a = -2 } },
      { "$append", { l = { 1 } } },
      { "$union", { l = { 1 } } },
      { "$remove", { l = 1 } },
      { "$unset", { "a" } },
      { "$set", { ["$transactions"] = {} } },
      { "$set", { z = 1 } },
      { "$delete", "" },
    }, operations(sent))
    for _, record in ipairs(sent) do
      assert.equal("u1", record["$distinct_id"])
      assert.equal("u1", record["$user_id"])
      assert.equal(me:get_device_id(), record["$device_id"])
      assert.equal("projecttoken", record["$token"])
      assert.equal("0", record["$ip"])
    end
    me.people:track_charge(9.5, { sku = "x" })
    local charge = users.only(mp)["$append"]["$transactions"]
    assert.equal(9.5, charge["$amount"])
    assert.equal("x", charge.sku)
    assert.is_truthy(charge["$time"]:find "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d$")
    me.people:set("a", 1, { ip = "1.2.3.4", ignore_time = true })
    assert.equal("1.2.3.4", users.only(mp)["$ip"])
  end)

  it("is held in order until somebody is identified", function()
    me.people:set("a", 1)
    me.people:increment "n"
    me.people:append("l", 1, { ip = "1.2.3.4" })
    me.people:set("a", 2)
    assert.equal(0, mp:stats().accepted)
    assert.same({}, users.sent(mp))
    refused("invalid", "identify", me.people:delete_user())
    refused("invalid", "identify", me.people:update { ["$delete"] = "" })
    me:identify "u1"
    assert.equal(5, mp:stats().accepted)
    local sent = users.sent(mp)
    local updates = {}
    for _, record in ipairs(sent) do
      if record.endpoint == "engage" then
        updates[#updates + 1] = record
        assert.equal("u1", record["$distinct_id"])
      end
    end
    assert.same({
      { "$set", { a = 1 } },
      { "$add", { n = 1 } },
      { "$append", { l = 1 } },
      { "$set", { a = 2 } },
    }, operations(updates))
    assert.equal("1.2.3.4", updates[3]["$ip"])
    me:identify "u1"
    assert.same({}, users.sent(mp))
  end)

  it("of an anonymous device is sent when asked for", function()
    me.people:set("a", 1)
    assert.is_true(me:identify())
    me.people:set("b", 1)
    local sent = users.sent(mp)
    assert.equal(2, #sent)
    for _, record in ipairs(sent) do
      assert.equal("engage", record.endpoint)
      assert.equal(me:get_distinct_id(), record["$distinct_id"])
      assert.is_nil(record["$user_id"])
    end
    local other = mp:user()
    other.people:set("a", 1)
    assert.is_true(other:identify(other:get_distinct_id()))
    assert.equal(other:get_distinct_id(), users.only(mp)["$distinct_id"])
  end)

  it("holds no more than 1000 updates, or 4 MiB", function()
    for i = 1, 1000 do
      assert.is_true(me.people:set("n", i))
    end
    refused("queue_full", "1000", me.people:set("n", 1001))
    refused("queue_full", "1000", me:set_group("company", "acme"))
    assert.is_nil(me:get_property "company")
    me:identify "u1"
    local sent = users.sent(mp)
    assert.equal(1001, #sent)
    for i = 1, 1000 do
      assert.equal(i, sent[i + 1]["$set"].n)
    end
    local large = mp:user()
    for _ = 1, 4 do
      assert.is_true(large.people:set("text", ("x"):rep(1000000)))
    end
    refused("queue_full", "4 updates", large.people:set("text", ("x"):rep(1000000)))
  end)

  it("drops what it held when it is reset, and counts it", function()
    me.people:set("a", 1)
    me.people:set("a", 2)
    me:reset()
    assert.equal(2, mp:stats().held_dropped)
    me:identify "u1"
    assert.equal(1, #users.sent(mp))
  end)

  it("keeps what the queue has no room for, in order", function()
    mp = users.client { max_queue_bytes = 65536 }
    me = mp:user()
    for i = 1, 20 do
      assert.is_true(me.people:set("n" .. i, ("x"):rep(5000)))
    end
    refused("queue_full", "20 profile updates are still held", me:identify "u1")
    assert.equal("u1", me:get_distinct_id())
    refused("queue_full", "max_queue_bytes", me.people:set("late", 1))
    assert.equal("$identify", select(2, users.only(mp)).event)
    mp:set_config { max_queue_bytes = 1048576 }
    assert.is_true(me.people:set("last", 1))
    local sent = users.sent(mp)
    assert.equal(21, #sent)
    assert.is_truthy(sent[1]["$set"].n1)
    assert.equal(1, sent[21]["$set"].last)
  end)

  it("refuses what is no update", function()
    me:identify "u1"
    users.sent(mp)
    refused("invalid", "a", me.people:increment("a", "5x"))
    refused("invalid", "properties.a", me.people:increment { a = {} })
    refused("invalid", "properties.l", me.people:union("l", { x = 1 }))
    refused("invalid", "empty list", me.people:union("l", {}))
    refused("invalid", "names", me.people:unset {})
    fails("value", me.people.set, me.people, "a")
    fails("properties: string or table", me.people.set, me.people, 5)
    fails("modifiers: table", me.people.set, me.people, "a", 1, 5)
    fails("unknown operation", me.people.update, me.people, { ["$foo"] = 1 })
    fails("amount: number", me.people.track_charge, me.people, "9")
    assert.same({}, users.sent(mp))
  end)
end)

describe("the groups of a user", function()
  local mp, me

  before_each(function()
    mp = users.client()
    me = mp:user()
    me:identify "u1"
    users.sent(mp)
  end)

  it("are set, added and removed, in events and in the profile", function()
    assert.is_true(me:set_group("company", "acme"))
    assert.is_true(me:add_group("company", "b"))
    assert.is_true(me:add_group("company", "b"))
    assert.is_true(me:add_group("team", 7))
    assert.same({ "acme", "b" }, me:get_property "company")
    assert.is_true(me:remove_group("company", "acme"))
    assert.same({ "b" }, me:get_property "company")
    local sent = users.sent(mp)
    me:track "E"
    local p = users.only(mp)
    assert.same({ "b" }, p.company)
    assert.same({ 7 }, p.team)
    assert.same({
      { "$set", { company = { "acme" } } },
      { "$union", { company = { "b" } } },
      { "$union", { company = { "b" } } },
      { "$union", { team = { 7 } } },
      { "$remove", { company = "acme" } },
    }, operations(sent))
    me:remove_group("company", "b")
    assert.is_nil(me:get_property "company")
    assert.is_nil(me:get_property "group_key")
    me:remove_group("nothing", "x")
    me:set_group("company", { "a", "b" })
    assert.same({ "a", "b" }, me:get_property "company")
  end)

  it("count a scalar as a list of one", function()
    me:register { company = "acme", odd = "[x]" }
    me:add_group("company", "b")
    me:add_group("odd", "y")
    assert.same({ "acme", "b" }, me:get_property "company")
    assert.same({ "[x]", "y" }, me:get_property "odd")
    me:register { company = "acme" }
    me:remove_group("company", "acme")
    assert.is_nil(me:get_property "company")
  end)

  it("come with an event", function()
    assert.is_true(
      me:track_with_groups(
        "E",
        { a = 1, company = "own" },
        { company = { "acme", "b" }, team = 7, none = mixpanel.null }
      )
    )
    local p = users.only(mp)
    assert.same({ "acme", "b" }, p.company)
    assert.equal(7, p.team)
    assert.equal(1, p.a)
    assert.is_nil(p.none)
    assert.is_true(me:track_with_groups("E", nil, nil))
    assert.is_true(me:track_with_groups("E", { a = 1 }))
  end)

  it("have profiles of their own, which nobody has to be identified for", function()
    local anonymous = mp:user()
    local group = assert(anonymous:get_group("company", 42))
    group:set("a", 1)
    group:set_once { b = 2 }
    group:unset "a"
    group:union("l", "x")
    group:remove("l", "x")
    group:delete()
    local sent = users.sent(mp)
    assert.same(
      {
        { "$set", { a = 1 } },
        { "$set_once", { b = 2 } },
        { "$unset", { "a" } },
        { "$union", { l = { "x" } } },
        { "$remove", { l = "x" } },
        { "$delete", "" },
      },
      operations((function()
        for _, record in ipairs(sent) do
          assert.equal("groups", record.endpoint)
          assert.equal("company", record["$group_key"])
          assert.equal("42", record["$group_id"])
          record["$group_key"] = nil
        end
        return sent
      end)())
    )
  end)

  it("have keys and ids that can be ones", function()
    for _, name in ipairs { "set_group", "add_group", "remove_group" } do
      local call = me[name]
      fails("group_key: string", call, me, 5, "x")
      fails("group_id: string or integer", call, me, "k")
      fails("group_id: string or integer", call, me, "k", true)
      refused("invalid", "group_key: an empty group key", call(me, "", "x"))
      refused("invalid", "empty group id", call(me, "k", ""))
      refused("invalid", "refuses", call(me, "k", "undefined"))
      refused("invalid", "no group key", call(me, "distinct_id", "x"))
      refused("invalid", 'group_key: "token" is', call(me, "token", "x"))
      refused("invalid", "zero byte", call(me, "a\0b", "x"))
      refused("invalid", "no group key", call(me, "$had_persisted_distinct_id", "x"))
    end
    refused("invalid", "one id", me:add_group("k", { "a" }))
    refused("invalid", "empty table", me:set_group("k", {}))
    refused("invalid", "another table", me:set_group("k", { x = 1 }))
    refused("invalid", "group_id[2]", me:set_group("k", { "a", "" }))
    refused("invalid", "group_id[1]", me:set_group("k", { {} }))
    local large = {}
    for i = 1, 20 do
      large[i] = ("x"):rep(100000) .. i
    end
    refused("invalid", "Mixpanel takes at most", me:set_group("k", large))
    fails("groups: table", me.track_with_groups, me, "E", {}, 5)
    refused("invalid", "groups.k", me:track_with_groups("E", {}, { k = "" }))
    refused("invalid", "no group key", me:track_with_groups("E", {}, { "a" }))
    refused("invalid", "groups.k", me:track_with_groups("E", {}, { k = { x = 1 } }))
    refused("invalid", "group_key", me:get_group("", "x"))
    refused("invalid", "group_id", me:get_group("k", ""))
    fails("group_key: string", me.get_group, me, 5, "x")
    assert.same({}, users.sent(mp))
    assert.is_nil(me:export_state().properties)
  end)
end)

describe("the consent of a user", function()
  local mp, me

  before_each(function()
    mp = users.client()
    me = mp:user()
  end)

  it("is unknown at first, then given or refused", function()
    assert.is_false(me:has_opted_in_tracking())
    assert.is_false(me:has_opted_out_tracking())
    assert.is_true(me:opt_in_tracking())
    assert.equal("$opt_in", select(2, users.only(mp)).event)
    assert.is_true(me:has_opted_in_tracking())
    me:opt_in_tracking { track_event_name = "Agreed", track_properties = { page = 3 } }
    local p, record = users.only(mp)
    assert.equal("Agreed", record.event)
    assert.equal(3, p.page)
    assert.is_true(me:opt_out_tracking())
    assert.is_true(me:has_opted_out_tracking())
    assert.is_false(me:has_opted_in_tracking())
    assert.is_true(me:clear_opt_in_out_tracking())
    assert.is_false(me:has_opted_out_tracking())
    assert.equal("mixpanel.user (anonymous)", tostring(me))
  end)

  it("once refused lets nothing out", function()
    me:identify "u1"
    me:track "Before"
    local device = me:get_device_id()
    me:register { plan = "pro" }
    me:opt_out_tracking()
    assert.equal("mixpanel.user (opted out)", tostring(me))
    local sent = users.sent(mp)
    assert.equal(3, #sent) -- $identify, Before, the deletion
    assert.same({ { "$delete", "" } }, operations { sent[3] })
    assert.equal("u1", sent[3]["$distinct_id"])
    local group = me:get_group("k", "v")
    refused("opted_out", "opted out", me:track "E")
    refused("opted_out", "opted out", me:track_pageview())
    refused("opted_out", "opted out", me:track_with_groups("E", {}, {}))
    refused("opted_out", "opted out", me:set_group("k", "v"))
    refused("opted_out", "opted out", me:add_group("k", "v"))
    refused("opted_out", "opted out", me:remove_group("k", "v"))
    refused("opted_out", "opted out", me.people:set("a", 1))
    refused("opted_out", "opted out", me.people:delete_user())
    refused("opted_out", "opted out", me.people:track_charge(1))
    refused("opted_out", "opted out", me.people:clear_charges())
    refused("opted_out", "opted out", group:set("a", 1))
    refused("opted_out", "opted out", me:alias "a")
    me:opt_out_tracking()
    refused("opted_out", "the id was taken", me:identify "u2")
    assert.same({}, users.sent(mp))
    me:opt_in_tracking()
    local p = users.only(mp)
    assert.equal("u2", p.distinct_id)
    assert.is_nil(p.plan)
    assert.not_equal(device, p["$device_id"])
  end)

  it("may be refused without forgetting", function()
    me:identify "u1"
    me:register { plan = "pro" }
    users.sent(mp)
    me:opt_out_tracking { delete_user = false, clear_persistence = false }
    assert.same({}, users.sent(mp))
    assert.equal("u1", me:get_distinct_id())
    me:opt_in_tracking()
    assert.equal("pro", users.only(mp).plan)
  end)

  it("drops what was held, or sends it when it is given again", function()
    me.people:set("a", 1)
    me:opt_out_tracking { clear_persistence = false }
    refused("opted_out", "taken", me:identify "u1")
    me:opt_in_tracking()
    local sent = users.sent(mp)
    assert.equal(2, #sent)
    assert.equal("u1", sent[1]["$distinct_id"] or sent[2]["$distinct_id"])
    local other = mp:user()
    other.people:set("a", 1)
    other:opt_out_tracking()
    assert.equal(1, mp:stats().held_dropped)
    other:opt_in_tracking()
    other:identify "u2"
    for _, record in ipairs(users.sent(mp)) do
      assert.equal("track", record.endpoint)
    end
  end)

  it("may be refused by default", function()
    me = mp:user { opt_out_by_default = true }
    assert.is_true(me:has_opted_out_tracking())
    refused("opted_out", "opted out", me:track "E")
    assert.is_nil(me:export_state().consent)
    me:opt_in_tracking()
    me:track "E"
    assert.equal(2, #users.sent(mp))
    local again = mp:user { opt_out_by_default = true, state = me:export_state() }
    assert.is_false(again:has_opted_out_tracking())
    again:clear_opt_in_out_tracking()
    assert.is_true(again:has_opted_out_tracking())
  end)

  it("is no matter of bad options, or of a bad event", function()
    me:opt_out_tracking()
    fails("unknown option", me.opt_in_tracking, me, { event = "x" })
    fails("track_event_name", me.opt_in_tracking, me, { track_event_name = 5 })
    fails("track_properties", me.opt_in_tracking, me, { track_properties = 5 })
    fails("options: table", me.opt_out_tracking, me, true)
    fails("delete_user", me.opt_out_tracking, me, { delete_user = "no" })
    refused("invalid", "blank", me:opt_in_tracking { track_event_name = " " })
    refused("invalid", "properties.f", me:opt_in_tracking { track_properties = { f = print } })
    assert.is_true(me:has_opted_out_tracking())
    assert.same({}, users.sent(mp))
  end)
end)

describe("the state of a user", function()
  it("goes through a table", function()
    local mp = users.client()
    local me = mp:user()
    me:register { plan = "pro", n = 3, ["odd key"] = { 1, { a = mixpanel.null } } }
    me:register({ run = 1 }, { persistent = false })
    me:set_group("company", { "a", "b" })
    me.people:increment("n", 5)
    me.people:set("x", 1, { ip = "1.2.3.4" })
    me:time_event "E"
    local state = me:export_state()
    assert.equal(1, state.version)
    assert.equal(me:get_distinct_id(), state.distinct_id)
    local you = mp:user { state = state }
    assert.same(state, you:export_state())
    assert.equal("pro", you:get_property "plan")
    assert.is_nil(you:get_property "run")
    you:identify "u1"
    local sent = users.sent(mp)
    assert.equal(4, #sent)
    assert.same({ n = 5 }, sent[3]["$add"])
    assert.equal("1.2.3.4", sent[4]["$ip"])
    you:track "E"
    assert.is_truthy(users.only(mp)["$duration"])
    you:alias "a"
    state = you:export_state()
    assert.equal("a", state.alias)
    assert.same(state, mp:user({ state = state }):export_state())
    assert.is_nil(mp:user({ distinct_id = "x" }):export_state().device_id)
    assert.same({}, mp:poll())
  end)

  it("of somebody else is left behind, but for the consent", function()
    local mp = users.client()
    local me = mp:user { distinct_id = "u1", device_id = "d1" }
    me:register { a = 1 }
    me:opt_in_tracking()
    local state = me:export_state()
    assert.equal(1, mp:user({ state = state, distinct_id = "u1" }):get_property "a")
    assert.equal(1, mp:user({ state = state, device_id = "d1" }):get_property "a")
    local other = mp:user { state = state, distinct_id = "u2" }
    assert.is_nil(other:get_property "a")
    assert.is_true(other:has_opted_in_tracking())
    assert.is_nil(other:get_device_id())
    assert.is_nil(mp:user({ state = state, device_id = "d2" }):get_property "a")
    local held = mp:user()
    held.people:set("a", 1)
    mp:user { state = held:export_state(), distinct_id = "u3" }
    assert.equal(1, mp:stats().held_dropped)
  end)

  it("that cannot be is reported and left alone", function()
    for _, bad in ipairs {
      {},
      { version = 2 },
      { version = 1, distinct_id = 5 },
      { version = 1, consent = "maybe" },
      { version = 1, properties = { a = "{" } },
      { version = 1, properties = { a = "1\n" } },
      { version = 1, properties = { a = 5 } },
      { version = 1, timers = { a = "b" } },
      { version = 1, held = { "[]" } },
      { version = 1, held = { a = 1 } },
      { version = 1, f = print },
    } do
      local mp = users.client()
      local me = mp:user { state = bad }
      assert.is_truthy(me:get_device_id())
      local reports = mp:poll()
      assert.equal(1, #reports)
      assert.equal("state", reports[1].outcome)
      assert.is_truthy(reports[1].message:find("cannot be used", 1, true))
    end
  end)

  it("needs a file to be saved", function()
    local mp = users.client()
    refused("invalid", "no state file", mp:user():save())
    fails("timeout: number", mp:user().save, mp:user(), "1")
  end)
end)
