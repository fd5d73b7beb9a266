-- The groups of a user.
local mixpanel = require "mixpanel"
local users = require "spec.support.users"

local operations, refused, fails = users.operations, users.refused, users.fails

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

  it("are no more than an event can carry", function()
    for i = 1, 254 do
      assert.is_true(me:add_group("company", i))
    end
    assert.is_true(me:add_group("company", 254))
    refused("invalid", "group_id: the list has 255 elements", me:add_group("company", 255))
    assert.equal(254, #me:get_property "company")
    assert.equal(255, #users.sent(mp))
    refused("invalid", "cuts an id at 255", me:set_group("team", ("x"):rep(256)))
    refused("invalid", "cuts an id at 255", me:add_group("team", ("x"):rep(256)))
    assert.is_true(me:track "E")
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
      refused("invalid", "no group key", call(me, "$ignore_time", "x"))
      refused("invalid", "no group key", call(me, "$group_id", "x"))
    end
    refused("invalid", "one id", me:add_group("k", { "a" }))
    refused("invalid", "empty table", me:set_group("k", {}))
    refused("invalid", "another table", me:set_group("k", { x = 1 }))
    refused("invalid", "group_id[2]", me:set_group("k", { "a", "" }))
    refused("invalid", "group_id[1]", me:set_group("k", { {} }))
    refused("invalid", "group_id[1]: 256 bytes", me:set_group("k", { ("x"):rep(256) }))
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
