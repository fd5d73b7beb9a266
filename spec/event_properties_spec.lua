-- The option `properties` as a function of the event's name.
local cjson = require "cjson"
local finalise_later = require "spec.support.finalise_later"
local flagged = require "spec.support.flagged"
local mixpanel = require "mixpanel"
local raises = require "spec.support.raises"
local script = require "spec.support.script"
local users = require "spec.support.users"

local refused = users.refused

describe("a function as the option properties", function()
  local mp

  local function client(properties, more)
    local options = { properties = properties }
    for name, value in pairs(more or {}) do
      options[name] = value
    end
    mp = users.client(options)
    return mp
  end

  -- The properties of what is sent, by the names of the events.
  local function sent()
    local found = {}
    for i, record in ipairs(users.sent(mp)) do
      found[i] = record.properties
      found[record.event] = record.properties
    end
    return found
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

  describe("that fails", function()
    -- Tracks with it, and returns the one report there is.
    local function report_of(properties, more)
      client(properties, more)
      for i = 1, 3 do
        assert(mp:track("A", { i = i }))
      end
      local found = sent()
      assert.equal(3, #found)
      assert.equal(2, found[2].i)
      assert.is_nil(found[2].a)
      local stats, reports = mp:stats(), mp:poll()
      assert.equal(3, stats.properties_failed)
      assert.equal(3, stats.accepted)
      assert.equal(1, #reports)
      assert.equal("properties", reports[1].outcome)
      assert.equal("", reports[1].endpoint)
      assert.equal(0, reports[1].count)
      assert.equal(reports[1].message, stats.last_error)
      return reports[1].message
    end

    it("costs no event, is counted, and reported once with what it raised", function()
      assert.matches(
        "^option 'properties': the function raised spec/event_properties_spec.lua:%d+: oops$",
        report_of(function()
          error "oops"
        end)
      )
    end)

    it("whatever it raises", function()
      local never = function()
        error "shown"
      end
      local odd = setmetatable({}, { __tostring = never, __index = never, __name = 5 })
      for shown, value in pairs {
        ["a table"] = odd,
        ["5"] = 5,
        ["false"] = false,
        ["a function"] = never,
      } do
        local message = report_of(function()
          error(value, 0)
        end)
        assert.equal("option 'properties': the function raised " .. shown, message)
      end
      assert.matches(
        "^option 'properties': the function raised ",
        report_of(function()
          error()
        end)
      )
      assert.matches(
        "^option 'properties': the function raised x+$",
        report_of(function()
          error(("x"):rep(100000), 0)
        end)
      )
    end)

    it("because it yields", function()
      local co = coroutine.wrap(function()
        return report_of(function()
          coroutine.yield()
          return { a = 1 }
        end)
      end)
      assert.matches("^option 'properties': the function raised .*yield", co())
    end)

    it("because it never ends to call itself", function()
      local function deep()
        return deep() .. "x"
      end
      assert.matches("overflow", report_of(deep))
    end)

    it("because it returns no table", function()
      for shown, value in pairs {
        ['"text"'] = "text",
        ["5"] = 5,
        ["false"] = false,
        ["a function"] = print,
        ["null"] = mixpanel.null,
      } do
        local message = report_of(function()
          return value
        end)
        if value == mixpanel.null then
          shown = message:match "returned (.-),"
        end
        assert.equal(
          "option 'properties': the function returned " .. shown .. ", expected a table",
          message
        )
      end
    end)

    it("because what it returns cannot be encoded", function()
      local many, huge = {}, ("x"):rep(1100000)
      for i = 1, 255 do
        many["p" .. i] = i
      end
      local function message(value, more)
        return report_of(function()
          return value
        end, more)
      end
      assert.equal("option 'properties'.a: function has no JSON form", message { a = print })
      assert.equal(
        "option 'properties'.a.b[2]: function has no JSON form",
        message {
          a = { b = { 1, print } },
        }
      )
      assert.matches("^option 'properties'.*: more than 254 properties$", message(many))
      assert.matches(
        "^option 'properties'%.token: the token is the client's",
        message { token = "x" }
      )
      assert.matches(
        "^option 'properties'%.distinct_id: Mixpanel refuses \"null\"",
        message {
          distinct_id = "null",
        }
      )
      assert.matches("^option 'properties': the record is %d+ bytes", message { a = huge })
      assert.matches(
        "^option 'properties'.a: the number is not finite",
        message({
          a = 1 / 0,
        }, { on_invalid = "reject" })
      )
    end)

    it("still has properties excluded", function()
      client(function()
        error "oops"
      end, { exclude_properties = { "secret" } })
      assert(mp:track("A", { secret = 1, open = 2 }))
      assert(mp:user():track("B", { secret = 1, open = 2 }))
      local found = sent()
      for _, name in ipairs { "A", "B" } do
        assert.is_nil(found[name].secret)
        assert.equal(2, found[name].open)
      end
      assert.equal(2, mp:stats().properties_failed)
    end)

    it("is reported anew when it is another one", function()
      local function fail()
        error "one"
      end
      client(fail)
      mp:track "A"
      mp:set_config { properties = fail }
      mp:set_config { gzip = false }
      mp:track "A"
      assert.equal(1, #mp:poll())
      mp:set_config {
        properties = function()
          error "two"
        end,
      }
      mp:track "A"
      mp:track "A"
      local reports = mp:poll()
      assert.equal(1, #reports)
      assert.matches("two", reports[1].message)
      assert.equal(4, mp:stats().properties_failed)
    end)

    it("is not called again by what it calls", function()
      local depth, calls = 0, 0
      client(function(name)
        depth, calls = depth + 1, calls + 1
        assert(depth == 1)
        assert(mp:track("Inner", { of = name }))
        assert(mp:track_batch { { event = "Inner" }, { event = "Inner" } })
        assert(mp:user():track "Inner")
        assert.is_false(pcall(mp.track, mp, nil))
        assert.is_nil((mp:track("Inner", { a = print })))
        depth = depth - 1
        return { added = 1 }
      end)
      assert(mp:track("A", { own = 1 }))
      assert(mp:track_batch { { event = "B", properties = { own = 1 } }, { event = "C" } })
      assert(mp:user():track "D")
      local inner = 0
      for _, record in ipairs(users.sent(mp)) do
        if record.event == "Inner" then
          inner = inner + 1
          assert.is_nil(record.properties.added)
        else
          assert.equal(1, record.properties.added)
        end
      end
      assert.equal(4, calls)
      assert.equal(16, inner)
      assert.equal(0, mp:stats().properties_failed)
    end)
  end)

  describe("may", function()
    it("close the client: then nothing is queued", function()
      client(function(name)
        if name == "Last" then
          mp:close(0)
        end
        return { a = 1 }
      end)
      local list = { { event = "A" }, { event = "Last" }, { event = "B" } }
      local result, message, code, at = mp:track_batch(list)
      assert.is_nil(result)
      assert.same({ "this client is closed", "closed", 2 }, { message, code, at })
      assert.equal(0, mp:stats().accepted)
      for _, call in ipairs {
        function()
          return mp:track("Last", { b = 1 })
        end,
        function()
          return mp:import("Last", os.time())
        end,
        function()
          return mp:user():track "Last"
        end,
      } do
        client(function()
          mp:close(0)
          error "oops"
        end)
        refused("closed", "this client is closed", call())
        assert.equal(0, mp:stats().accepted)
      end
    end)

    it("lose the client to a finaliser", function()
      client(function()
        debug.getmetatable(mp).__gc(mp)
        return { a = 1 }
      end)
      local me = mp:user()
      refused("closed", "this client is closed", mp:track "A")
      refused("closed", "this client is closed", me:track "A")
      client(function()
        debug.getmetatable(mp).__gc(mp)
        error "oops"
      end)
      refused("closed", "this client is closed", mp:track "A")
      client(function()
        debug.getmetatable(mp).__gc(mp)
        return { a = print }
      end)
      refused("closed", "this client is closed", mp:track "A")
      local him
      client(function()
        debug.getmetatable(him).__gc(him)
        return { a = 1 }
      end)
      him = mp:user()
      refused("closed", "", him:track "A")
    end)

    it("return tables with metatables, whose functions are not called", function()
      local function never()
        error "called"
      end
      client(function()
        local metatable = { __index = never, __pairs = never, __len = never, __newindex = never }
        return setmetatable({ a = setmetatable({ b = 1 }, metatable) }, metatable)
      end)
      assert(mp:track "A")
      assert.same({ b = 1 }, sent().A.a)
    end)

    it("change the options, as of the next event", function()
      client(function()
        mp:set_config { properties = { static = 1 }, exclude_properties = { "secret" } }
        return { a = 1, secret = 1 }
      end)
      assert(mp:track "A")
      assert(mp:track "B")
      local found = sent()
      assert.equal(1, found.A.a)
      assert.is_nil(found.A.secret)
      assert.is_nil(found.B.a)
      assert.equal(1, found.B.static)
    end)

    it("change the list it is called for", function()
      local list = { { event = "A", properties = {} }, { event = "B" } }
      client(function()
        list[1].properties.late = 1
        list[2] = nil
        return { a = 1 }
      end)
      local result, _, code, at = mp:track_batch(list)
      assert.same({ nil, "invalid", 2 }, { result, code, at })
      assert.equal(0, mp:stats().accepted)
    end)

    it("make and collect garbage, also with finalisers that track", function()
      local finalised = 0
      client(function()
        finalise_later(function()
          finalised = finalised + 1
          assert(mp:track("Nested", { n = finalised }))
        end)
        collectgarbage()
        return { a = { 1, { b = ("x"):rep(100) } }, [0.5] = 1 }
      end, { exclude_properties = { "secret" } })
      local me = mp:user()
      for i = 1, 100 do
        assert(mp:track("A", { [i + 0.5] = i, own = { i } }))
        assert(me:track("B", { own = { i } }))
      end
      collectgarbage()
      local counts = { A = 0, B = 0, Nested = 0 }
      for _, record in ipairs(users.sent(mp)) do
        counts[record.event] = counts[record.event] + 1
        if record.event ~= "Nested" then
          assert.equal(100, #record.properties.a[2].b)
          assert.equal(1, #record.properties.own)
        end
      end
      assert.same({ 100, 100 }, { counts.A, counts.B })
      assert.is_true(counts.Nested > 50)
      assert.equal(0, mp:stats().properties_failed)
    end)

    it("refer to its client, which is collected all the same", function()
      local printed, status = script.run [[
        local mixpanel = require "mixpanel"
        local gone = setmetatable({}, { __mode = "k" })
        for i = 1, 50 do
          local mp
          mp = mixpanel.new("t", { transport = "manual", name = "n" .. i, properties = function()
            return { closed = tostring(mp) }
          end })
          assert(mp:track "A")
          gone[mp] = true
          mp = nil
        end
        for _ = 1, 4 do
          collectgarbage()
        end
        local left = 0
        for _ in pairs(gone) do
          left = left + 1
        end
        assert(left < 5, left)
      ]]
      assert.equal("", printed)
      assert.equal(0, status)
    end)
  end)

  it("is undisturbed by finalisers at any allocation, that reset, close and collect", function()
    local printed, status = script.run [[
      local mixpanel = require "mixpanel"
      collectgarbage("setpause", 0)
      collectgarbage("setstepmul", jit and 0 or 10000)
      local function litter(f)
        if newproxy then
          getmetatable(newproxy(true)).__gc = f
        else
          setmetatable({}, { __gc = f })
        end
      end
      local ran = 0
      for i = 1, 300 do
        local mp, me
        local function disturb()
          ran = ran + 1
          local k = (i + ran) % 5
          if k == 0 then
            me:reset()
          elseif k == 1 then
            me:register { s = ("s"):rep(50) }
          elseif k == 2 then
            mp:set_config { exclude_properties = { "x" .. i } }
          elseif k == 3 and i % 7 == 0 then
            mp:close(0)
          elseif k == 4 and i % 11 == 0 then
            debug.getmetatable(mp).__gc(mp)
          end
        end
        mp = mixpanel.new("t", { transport = "manual", name = tostring(i % 3),
          exclude_properties = { "secret" }, properties = function(name)
          litter(disturb)
          return { [i + 0.5] = name, secret = 1, list = { i, { -i } } }
        end })
        me = mp:user()
        for _ = 1, 3 do
          litter(disturb)
          local ok, _, code = mp:track("A", { [i + 0.25] = { [-i] = i } })
          assert(ok or code == "closed", code)
          litter(disturb)
          ok, _, code = me:track("B", { [i + 0.25] = { [-i] = i } })
          assert(ok or code == "closed", code)
          ok, _, code = me:alias("u" .. i .. ran)
          assert(ok or code == "closed", code)
        end
      end
      assert(ran > 300, ran)
    ]]
    assert.equal("", printed)
    assert.equal(0, status)
  end)
end)
