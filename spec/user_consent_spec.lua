-- The consent of a user.
local users = require "spec.support.users"

local operations, refused, fails = users.operations, users.refused, users.fails

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

  it("is timed as other events are", function()
    me:time_event "Agreed"
    me:opt_in_tracking { track_event_name = "Agreed", track_properties = { page = 3 } }
    assert.is_true(users.only(mp)["$duration"] >= 0)
    me:track "Agreed"
    assert.is_nil(users.only(mp)["$duration"])
    me:time_event "$opt_in"
    me:opt_in_tracking { track_properties = { ["$duration"] = 7 } }
    assert.equal(7, users.only(mp)["$duration"])
    me:opt_in_tracking()
    assert.is_nil(users.only(mp)["$duration"])
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
