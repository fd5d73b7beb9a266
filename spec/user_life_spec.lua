-- How a user ends: with its client, and by the collector.
local finalise_later = require "spec.support.finalise_later"
local users = require "spec.support.users"

local refused = users.refused

describe("a user", function()
  local mp

  before_each(function()
    mp = users.client()
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
    local during, rounds, i = 0, 0, 0
    -- When Lua collects depends on all that the other specs left behind.
    while rounds < 4 or (newproxy and during == 0 and rounds < 8) do
      i = i + 1
      rounds = math.floor(i / #calls)
      if rounds == 4 then
        collectgarbage("setstepmul", 0) -- all at once, however much that is
      end
      local client = users.client { name = "midst" .. i }
      local me = client:user()
      local inside, collected = false, false
      t = {}
      for k = 1, 20 do
        t[i + k / 1024] = { [-i - k / 1024] = i } -- keys that make strings
      end
      collectgarbage()
      pcall(finalise_later, function()
        debug.getmetatable(me).__gc(me)
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
