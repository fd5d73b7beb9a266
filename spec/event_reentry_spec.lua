-- Where events can be tracked: under any call, and in the midst of another.
local finalise_later = require "spec.support.finalise_later"
local sandboxed = require "spec.support.sandboxed"

describe("events", function()
  local here = sandboxed "event reentry"
  local new, arrived = here.new, here.arrived
  local mp

  before_each(function()
    mp = here.mp
  end)

  describe("can be tracked", function()
    local function count()
      return #arrived()
    end

    it("under pcall, and by calls that Lua itself makes", function()
      assert.same({ true, true }, { pcall(mp.track, mp, "pcall") })
      xpcall(error, function()
        mp:track "message handler"
      end)
      table.sort({ 2, 1 }, function(a, b)
        mp:track "sort"
        return a < b
      end)
      string.gsub("x", "x", function()
        mp:track "gsub"
      end)
      assert.is_true(count() >= 4)
    end)

    it("in coroutines, also when an error ends them in the middle", function()
      for i = 1, 50 do
        local co = coroutine.wrap(function()
          assert(mp:track("one", { i = i }))
          coroutine.yield()
          assert(mp:track("two", { i = i }))
          mp:track(nil)
        end)
        co()
        assert.is_false(pcall(co))
      end
      assert.equal(100, count())
    end)

    it("in metamethods", function()
      local t = setmetatable({}, {
        __index = function(_, key)
          return mp:track(key)
        end,
        __call = function()
          return mp:track "call"
        end,
        __concat = function()
          return mp:track "concat"
        end,
        __eq = function()
          return mp:track "eq"
        end,
      })
      assert.is_true(t.index)
      assert.is_true(t())
      assert.is_true(t .. t)
      assert.equal(3, count())
    end)

    it("in finalisers that run in the middle of another call", function()
      local finalised, tracked = 0, 0
      local function finalise()
        finalised = finalised + 1
        assert(mp:track("nested", { n = finalised, list = { 1, { a = "b" } } }))
        assert(mp.people:set("u", { n = finalised }))
      end
      for i = 1, 3000 do
        finalise_later(finalise)
        -- Number keys and array make Lua allocate while the record is written.
        assert(mp:track("outer", { [i + 0.5] = i, [i + 0.25] = { [-i] = { i } }, x = "y" }))
        assert(mp:track_batch { { event = "outer", properties = { [i * 2 + 0.5] = 1 } } })
        tracked = tracked + 2
      end
      collectgarbage()
      collectgarbage()
      assert.is_true(finalised > 100)
      local outer, nested = 0, 0
      for _, record in ipairs(arrived()) do
        outer = outer + (record.event == "outer" and 1 or 0)
        if record.event == "nested" then
          nested = nested + 1
          assert.same({ 1, { a = "b" } }, record.properties.list)
        end
      end
      assert.equal(tracked, outer)
      assert.equal(finalised, nested)
    end)

    it("while finalisers raise, which some Luas pass on to whoever allocates", function()
      local function fail()
        error "from a finaliser"
      end
      local i, accepted = 0, 0
      local function track()
        assert(mp:track("outer", { [i + 0.5] = i, [i + 0.25] = { [-i] = { i } } }))
        accepted = accepted + 1
      end
      local function update()
        assert(mp.people:set("u", { [i + 0.5] = i, [i + 0.25] = { [-i] = { i } } }))
        accepted = accepted + 1
      end
      for k = 1, 2000 do
        i = k
        pcall(finalise_later, fail)
        pcall(k % 2 == 0 and track or update)
      end
      repeat
      until pcall(collectgarbage)
      assert.equal(accepted, mp:stats().accepted)
      assert.is_true(accepted > 0)
      arrived()
      assert.equal(accepted, mp:stats().delivered)
    end)

    it("while a finaliser collects the client under the call", function()
      local outcomes = {}
      for i = 1, 200 do
        local victim = new()
        local function finalise()
          debug.getmetatable(victim).__gc(victim)
        end
        local list = {}
        for k = 1, 50 do
          list[k] = { event = "A", properties = { [k + 0.5] = { [-k] = i } } }
        end
        finalise_later(finalise)
        local ok, message, code = victim:track_batch(list)
        outcomes[ok and "true" or code] = true
        assert.is_true(ok or message == "this client is closed")
        victim.people:set("u", { [i + 0.5] = 1 })
        assert.matches("^mixpanel%.client", tostring(victim))
        victim:set_config { gzip = false }
        victim:close(0)
      end
      assert.is_true(outcomes["true"])
    end)
  end)
end)
