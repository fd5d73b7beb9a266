-- The option `properties` as a function that fails, or does what it likes.
local finalise_later = require "spec.support.finalise_later"
local mixpanel = require "mixpanel"
local script = require "spec.support.script"
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
        "^option 'properties': the function raised spec/event_properties_fault_spec.lua:%d+: oops$",
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
