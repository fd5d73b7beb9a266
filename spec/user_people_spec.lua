-- The profile of a user.
local socket = require "socket"
local users = require "spec.support.users"

local operations, refused, fails = users.operations, users.refused, users.fails

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

  it("is held without what the client excludes by the time it is sent", function()
    me.people:set { secret = 1, a = 1, l = { { secret = 1 } } }
    me.people:set("secret", 2)
    me.people:union { secret = { 3 } }
    me.people:unset { "secret" }
    me.people:set({ b = 1, secret = 4 }, { ip = "1.2.3.4" })
    me.people:set {}
    me.people:track_charge(5)
    me:set_group("secret", "acme")
    local state = me:export_state()
    mp:set_config { exclude_properties = { "secret", "$transactions" } }
    for _, user in ipairs { me, mp:user { state = state } } do
      user:identify "u1"
      local sent = users.sent(mp)
      table.remove(sent, 1) -- $identify
      assert.same({
        { "$set", { a = 1, l = { { secret = 1 } } } },
        { "$unset", { "secret" } },
        { "$set", { b = 1 } },
        { "$set", {} },
      }, operations(sent))
      assert.equal("1.2.3.4", sent[3]["$ip"])
      assert.is_number(sent[1]["$time"])
      assert.equal("0", sent[4]["$ip"])
    end
    local you = mp:user()
    mp:set_config { exclude_properties = {} }
    you.people:set("secret", 1)
    mp:set_config { exclude_properties = { "secret" } }
    you:identify "u2"
    assert.equal("$identify", select(2, users.only(mp)).event)
    assert.is_nil(you:export_state().held)
  end)

  it("in another spelling than that of a state evades nothing that is excluded", function()
    mp:set_config { exclude_properties = { "secret" } }
    for _, held in ipairs {
      [[{"$set":{"\u0073ecret":1,"a":1}}]],
      [[{"$set":{ "secret":1,"a":1}}]],
      [[{"$set":{"secret" :1,"a":1}}]],
      [[{"$set": {"secret":1,"a":1}}]],
      [[{"$append":{"a":1, "secret":1}}]],
      [[{"$set":{"a":"\/","sec\u0072et":1}}]],
    } do
      local state = { version = 1, user_id = "u1", distinct_id = "u1", held = { held } }
      mp:user({ state = state }):identify "u1"
      for _, record in ipairs(users.sent(mp)) do
        for _, payload in ipairs(users.operations { record }) do
          assert.is_nil(payload[2].secret, held)
        end
      end
    end
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

  it("says when each update was made, also when it was held", function()
    local before = os.time() * 1000
    me.people:set("a", 1)
    me.people:set("a", 2, { time = 1700000000 })
    me.people:set("a", 3, { ignore_time = true })
    me:set_group("company", "acme")
    me:add_group("company", "b")
    me:remove_group("company", "b")
    local you = mp:user { state = me:export_state() }
    local late = os.time() + 1
    while os.time() <= late do
      socket.sleep(0.05)
    end
    for _, user in ipairs { me, you } do
      user:identify("u1")
      local sent = users.sent(mp)
      assert.equal(7, #sent)
      assert.equal(1.7e12, sent[3]["$time"])
      assert.is_nil(sent[4]["$time"])
      for _, i in ipairs { 2, 5, 6, 7 } do
        local ms = sent[i]["$time"]
        assert.is_true(ms >= before and ms < late * 1000, tostring(ms))
      end
    end
    me:get_group("company", "acme"):set("a", 1)
    assert.is_nil(users.only(mp)["$time"])
    me:opt_out_tracking()
    local deletion = users.only(mp)
    assert.equal("", deletion["$delete"])
    assert.is_true(deletion["$time"] >= late * 1000)
    mp:set_config { profile_time = false }
    you:set_group("company", "acme")
    assert.is_nil(users.only(mp)["$time"])
    you:opt_out_tracking()
    assert.is_nil(users.only(mp)["$time"])
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
