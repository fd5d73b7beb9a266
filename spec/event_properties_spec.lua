-- The option `properties` as a function of the event's name.
local cjson = require "cjson"
local flagged = require "spec.support.flagged"
local mixpanel = require "mixpanel"
local raises = require "spec.support.raises"
local users = require "spec.support.users"

local refused = users.refused

describe("a function as the option properties", function()
  local mp

  local function client(...)
    mp = users.client_with(...)
    return mp
  end

  local function sent()
    return users.sent_properties(mp)
  end

  it("is called for each event with its name, and the event's own win", function()
    local names = {}
    client(function(name)
      names[#names + 1] = name
      return { n = #names, own = "function" }
    end)
    assert(mp:track("A", { own = "event" }))
    assert(mp:track "B")
    local found = sent()
    assert.same({ "A", "B" }, names)
    assert.equal(1, found.A.n)
    assert.equal("event", found.A.own)
    assert.equal(2, found.B.n)
    assert.equal("function", found.B.own)
    assert.equal(0, mp:stats().properties_failed)
  end)

  it("is called for every kind of event that a table goes with, but for $merge", function()
    local names = {}
    client(function(name)
      names[#names + 1] = name
      return { added = true }
    end)
    assert(mp:track_batch { { event = "B1" }, { event = "B2", properties = { x = 1 } } })
    assert(mp:import("I", os.time() - 86400 * 30))
    assert(mp:import_batch { { event = "I1", properties = { time = os.time() - 86400 * 30 } } })
    assert(mp:identify("user", "0b0b0b0b-0b0b-4b0b-8b0b-0b0b0b0b0b0b"))
    assert(mp:alias("other", "user"))
    assert(mp:merge("user", "other"))
    assert(mp:track("$merge", { ["$distinct_ids"] = { "a", "b" } }))
    assert.same({ "B1", "B2", "I", "I1", "$identify", "$create_alias" }, names)
    local found = sent()
    for _, name in ipairs(names) do
      assert.is_true(found[name].added, name)
    end
    assert.is_nil(found["$merge"].added)
  end)

  it("is not called for calls that are refused before, or for profiles", function()
    local calls = 0
    client(function()
      calls = calls + 1
    end)
    refused("invalid", "blank", mp:track " ")
    assert(mp.people:set("u", { a = 1 }))
    assert.is_false(pcall(mp.track, mp, 5))
    mp:close(0)
    refused("closed", "closed", mp:track "A")
    assert.equal(0, calls)
  end)

  it("may give ids, and is used like a table in every way", function()
    client(function()
      return { distinct_id = "u", ["$lib_version"] = "1", mp_lib = "x", ip = "1.2.3.4" }
    end)
    mp:track "A"
    mp:track("B", { distinct_id = "own" })
    local found = sent()
    assert.equal("u", found.A.distinct_id)
    assert.equal("x", found.A.mp_lib)
    assert.equal("1.2.3.4", found.A.ip)
    assert.equal("own", found.B.distinct_id)
  end)

  it("counts with the event's own among 254 properties", function()
    client(function()
      return { a = 1, b = 2 }
    end)
    local many = {}
    for i = 1, 253 do
      many["p" .. i] = i
    end
    refused("invalid", "more than 254 properties", mp:track("A", many))
    many.p253 = nil
    assert(mp:track("A", many))
  end)

  it("has properties excluded", function()
    client(function()
      return { secret = 1, open = 2 }
    end, { exclude_properties = { "secret", "mp_lib" } })
    mp:track "A"
    mp:set_config { exclude_properties = {} }
    mp:track "B"
    local found = sent()
    assert.is_nil(found.A.secret)
    assert.is_nil(found.A.mp_lib)
    assert.equal(2, found.A.open)
    assert.equal(1, found.B.secret)
    assert.equal("lua", found.B.mp_lib)
  end)

  it("may add nothing", function()
    local results = { [3] = {} }
    local calls = 0
    client(function()
      calls = calls + 1
      if calls > 1 then
        return results[calls]
      end
    end)
    for _ = 1, 3 do
      assert(mp:track("A", { a = 1 }))
    end
    assert.equal(3, #sent())
    assert.equal(0, mp:stats().properties_failed)
    assert.same({}, mp:poll())
  end)

  it("is taken by set_config, stays, and gives way to a table", function()
    client { a = "table" }
    mp:track "A"
    mp:set_config {
      properties = function()
        return { b = "function" }
      end,
    }
    mp:track "B"
    mp:set_config { gzip = false }
    mp:track "C"
    mp:set_config { properties = { c = "table" } }
    mp:track "D"
    local found = sent()
    assert.same({ "table" }, { found.A.a, found.A.b, found.A.c })
    assert.is_nil(found.B.a)
    assert.equal("function", found.B.b)
    assert.equal("function", found.C.b)
    assert.is_nil(found.D.b)
    assert.equal("table", found.D.c)
  end)

  it("is a table or a function", function()
    raises(
      "bad argument #2 to 'new' (option 'properties': got 5, expected a table, or a function "
        .. "that returns one)",
      function()
        mixpanel.new("t", { properties = 5 })
      end
    )
  end)

  describe("with a user", function()
    it("gives way to super properties and ids", function()
      client(function()
        return { plan = "function", added = 1, distinct_id = "x", ["$device_id"] = "y" }
      end)
      local me = mp:user()
      me:register { plan = "super" }
      assert(me:track "A")
      assert(me:track("B", { added = 2 }))
      assert(me:identify "u")
      local found = sent()
      assert.equal("super", found.A.plan)
      assert.equal(1, found.A.added)
      assert.equal(me:get_device_id(), found.A["$device_id"])
      assert.equal("$device:" .. me:get_device_id(), found.A.distinct_id)
      assert.equal(2, found.B.added)
      assert.equal(1, found["$identify"].added)
      assert.equal("u", found["$identify"].distinct_id)
    end)

    it("has properties excluded", function()
      client(function()
        return { secret = 1, open = 2 }
      end, { exclude_properties = { "secret" } })
      mp:user():track "A"
      assert.is_nil(sent().A.secret)
    end)

    it("may change the user, and the event is of who that is then", function()
      local me
      client(function(name)
        if name == "A" then
          me:reset()
          me:register { plan = "new" }
        end
        return { added = 1 }
      end)
      me = mp:user()
      me:register { plan = "old" }
      local before = me:get_device_id()
      assert(me:track "A")
      local found = sent()
      assert.not_equal(before, me:get_device_id())
      assert.equal(me:get_device_id(), found.A["$device_id"])
      assert.equal("new", found.A.plan)
      assert.equal(1, found.A.added)
    end)

    it("may opt the user out, and nothing is sent", function()
      local me
      client(function()
        me:opt_out_tracking()
        return { added = 1 }
      end)
      me = mp:user()
      refused("opted_out", "opted out", me:track "A")
      assert.equal(0, #sent())
      mp:set_config { properties = {} }
      assert(me:opt_in_tracking())
      assert.equal(1, #sent())
    end)

    it("is called for each event of alias, and for opting in", function()
      local names = {}
      client(function(name)
        names[#names + 1] = name
        return { added = 1 }
      end)
      local me = mp:user()
      assert(me:alias "u")
      assert(me:opt_in_tracking())
      assert(me:track_pageview())
      assert(me:track_with_groups("G", {}, { company = "acme" }))
      assert.same({ "$create_alias", "$identify", "$opt_in", "$mp_web_page_view", "G" }, names)
      for _, properties in ipairs(sent()) do
        assert.equal(1, properties.added)
      end
    end)

    it("is called for an exposure, also when it resets the user and closes", function()
      local me, ends
      local exposed = 0
      mp = flagged.new {
        flags = "remote",
        properties = function()
          exposed = exposed + 1
          if ends then
            me:reset()
            mp:close(0)
          end
          return { added = 1 }
        end,
      }
      me = mp:user { distinct_id = "u1", flags = true }
      local on = { variant_key = "on", variant_value = true }
      local request = assert(mp:next_request())
      mp:answer(request.id, 200, nil, cjson.encode { code = 200, flags = { a = on, b = on } })
      assert.is_true(me.flags:is_enabled "a")
      local p = users.only(mp)
      assert.equal("a", p["Experiment name"])
      assert.equal(1, p.added)
      ends = true
      assert.is_true(me.flags:is_enabled "b")
      assert.equal(2, exposed)
      assert.equal(1, mp:stats().flags.exposures)
      assert.equal(1, mp:stats().flags.exposures_failed)
    end)

    it("may close the client in the middle of alias", function()
      client(function(name)
        if name == "$identify" then
          mp:close(0)
        end
      end)
      refused("closed", "this client is closed", mp:user():alias "u")
    end)
  end)
end)
