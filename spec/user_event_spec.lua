-- The events of a user: timed, of pages, disabled.
local socket = require "socket"
local users = require "spec.support.users"

local refused, fails = users.refused, users.fails

describe("a user", function()
  local mp

  before_each(function()
    mp = users.client()
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
      refused("invalid", "zero byte", me:time_event "E\0")
      refused("invalid", "event: the name is not valid UTF-8", me:time_event "E\255")
      for i = 1, 254 do
        assert.is_true(me:time_event("E" .. i))
      end
      assert.is_true(me:time_event "E1")
      refused("queue_full", "254 timers", me:time_event "one more")
    end)

    it("by names that its state has room for", function()
      local me = mp:user()
      local name = ("n"):rep(30000)
      assert.is_true(me:time_event(name .. 1))
      assert.is_true(me:time_event(name .. 2))
      refused("queue_full", "names of 65536 bytes together", me:time_event(name .. 3))
      assert.is_true(me:time_event(name .. 1))
      assert.is_true(me:clear_timed_event(name .. 1))
      assert.is_true(me:time_event(name .. 3))
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

    it("whose timers can be read and stopped", function()
      local me = mp:user()
      assert.is_nil(me:event_elapsed_time "A")
      me:time_event "A"
      me:time_event "B"
      me:time_event "C"
      local first = me:event_elapsed_time "A"
      assert.is_true(first >= 0)
      socket.sleep(0.01)
      assert.is_true(me:event_elapsed_time "A" >= first + 0.009)
      assert.is_true(me:clear_timed_event "A")
      assert.is_true(me:clear_timed_event "A")
      assert.is_nil(me:event_elapsed_time "A")
      assert.is_number(me:export_state().timers.B)
      me:track "A"
      me:track "B"
      local sent = users.sent(mp)
      assert.is_nil(sent[1].properties["$duration"])
      assert.is_number(sent[2].properties["$duration"])
      me:time_event "B"
      assert.is_true(me:clear_timed_events())
      assert.is_true(me:clear_timed_events())
      assert.is_nil(me:event_elapsed_time "B")
      assert.is_nil(me:event_elapsed_time "C")
      assert.is_nil(me:export_state().timers)
      fails("event: string", me.clear_timed_event, me)
      fails("event: string", me.event_elapsed_time, me, 5)
      mp:close(0)
      refused("closed", "closed", me:clear_timed_event "A")
      refused("closed", "closed", me:clear_timed_events())
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
      fails("events: name or list of names", me.disable, me, 5)
      fails("events[1]", me.enable, me, { 5 })
    end)

    it("only of names and properties that are some", function()
      local me = mp:user()
      fails("event: string", me.track, me)
      fails("properties: table", me.track, me, "E", 5)
      local hint = 'properties: table expected, got string "pro": properties are { name = value }'
      fails(hint, me.track, me, "E", "pro")
      fails(hint, mp.track, mp, "E", "pro")
      fails(hint, mp.import, mp, "E", 1, "pro")
      fails(hint, me.track_pageview, me, "pro")
      fails(hint, me.track_with_groups, me, "E", "pro", {})
      fails(hint, mp.people.track_charge, mp.people, "u", 5, "pro")
      refused("invalid", "blank", me:track "")
      refused("invalid", "properties.x", me:track("E", { x = print }))
      fails("mixpanel.user expected", me.track, mp, "E")
      fails("mixpanel.client expected", mp.track, me, "E")
      fails("mixpanel.user.people expected", me.people.set, mp.people, "a", 1)
      assert.same({}, users.sent(mp))
    end)
  end)
end)
