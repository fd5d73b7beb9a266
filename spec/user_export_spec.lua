-- The state of a user as a table; the file it may be kept in is in
-- user_state_spec.lua.
local mixpanel = require "mixpanel"
local users = require "spec.support.users"

local refused, fails = users.refused, users.fails

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
      { version = 1, distinct_id = "undefined" },
      { version = 1, distinct_id = "u", user_id = "null" },
      { version = 1, distinct_id = "u", device_id = "0" },
      { version = 1, consent = "maybe" },
      { version = 1, properties = { a = "{" } },
      { version = 1, properties = { a = "1\n" } },
      { version = 1, properties = { a = 5 } },
      { version = 1, properties = { a = "[ ]" } },
      { version = 1, properties = { a = '["\\u0061"]' } },
      { version = 1, held = { '{"$set": {}}' } },
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

  it("that cannot be still keeps a refusal", function()
    for _, bad in ipairs {
      { version = 1, consent = "refused", f = print },
      { version = 1, consent = "refused", held = { print } },
      { version = 1, consent = "refused", held = { "{}" } },
      { version = 2, consent = "refused" },
      { consent = "refused" },
    } do
      local mp = users.client()
      local me = mp:user { state = bad }
      assert.equal("state", mp:poll()[1].outcome)
      assert.is_true(me:has_opted_out_tracking())
      refused("opted_out", "", me:track "E")
      assert.equal("refused", me:export_state().consent)
    end
  end)

  it("needs a file to be saved", function()
    local mp = users.client()
    refused("invalid", "no state file", mp:user():save())
    fails("timeout: number", mp:user().save, mp:user(), "1")
  end)
end)
