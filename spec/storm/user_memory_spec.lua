-- Users of a state that runs out of memory: a call succeeds whole, or fails and
-- leaves its user as it was.
local script = require "spec.support.script"

-- The embedding program has Lua 5.4, whatever runs this spec.
local version_5_4 = ("package.cpath = %q .. package.cpath\n"):format(script.cpath_of "5.4")

describe("a user without memory", function()
  it("changes whole or not at all, in every call", function()
    local path = script.write(version_5_4 .. [[
      local mixpanel = require "mixpanel"
      local cjson = require "cjson"
      local mp = mixpanel.new(
        "projecttoken",
        { transport = "manual", gzip = false, profile_time = false } -- states compare
      )

      local function snapshot(me)
        local state = me:export_state()
        state.timers = nil
        return cjson.encode(state):gsub("%x+%-%x+%-%x+%-%x+%-%x+", "uuid")
      end

      -- The texts differ in the order of their members only.
      local function sorted(text)
        local bytes = { text:byte(1, -1) }
        table.sort(bytes)
        return table.concat(bytes, " ")
      end

      local calls = {
        track = function(me)
          return me:track("E", { a = { { 1 } } })
        end,
        track_with_groups = function(me)
          return me:track_with_groups("E", { a = 1 }, { k = { "x", "y" } })
        end,
        time_event = function(me)
          return me:time_event "E"
        end,
        register = function(me)
          return me:register { a = 1, b = { "x", { c = 2 } } }
        end,
        register_once = function(me)
          return me:register_once({ a = 1, plan = 2 }, { 1 })
        end,
        unregister = function(me)
          return me:unregister "plan"
        end,
        get_property = function(me)
          return me:get_property("list")[1] == 1
        end,
        name_tag = function(me)
          return me:name_tag "x"
        end,
        identify = function(me)
          return me:identify "u2"
        end,
        alias = function(me)
          return me:alias "u3"
        end,
        reset = function(me)
          return me:reset()
        end,
        set_group = function(me)
          return me:set_group("k", { "a", "b" })
        end,
        add_group = function(me)
          return me:add_group("group", "b")
        end,
        remove_group = function(me)
          return me:remove_group("group", "a")
        end,
        people = function(me)
          return me.people:set { a = { { 1 } } }
        end,
        group = function(me)
          local group, message, code = me:get_group("k", "v")
          if not group then
            return nil, message, code
          end
          return group:set("a", 1)
        end,
        opt_in = function(me)
          return me:opt_in_tracking { track_properties = { a = 1 } }
        end,
        opt_out = function(me)
          return me:opt_out_tracking()
        end,
        disable = function(me)
          return me:disable { "A", "B" }
        end,
        export = function(me)
          return me:export_state().version == 1
        end,
        import = function(me)
          return mp:user { state = me:export_state() }
        end,
        new = function()
          return mp:user { device_id = "d", opt_out_by_default = true }
        end,
      }

      local function drain()
        mp:flush()
        local request = mp:next_request()
        while request do
          assert(cjson.decode(request.body))
          mp:answer(request.id, 200, nil, "1")
          request = mp:next_request()
        end
      end

      local function fresh(identified)
        local me = assert(mp:user { device_id = "d1" })
        assert(me:register { plan = "pro", list = { 1 }, group = { "a" } })
        assert(identified and me:identify "u1" or me.people:set("x", 1))
        return me
      end

      local starved = 0
      for name, call in pairs(calls) do
        for _, identified in ipairs { true, false } do
          local whole = fresh(identified)
          assert(call(whole), name)
          local after = sorted(snapshot(whole))
          for n = 1, 10000 do
            local me = fresh(identified)
            local before = sorted(snapshot(me))
            local thread = coroutine.create(call)
            starve(n)
            local ok, result, message, code = coroutine.resume(thread, me)
            local failed = starve()
            starved = starved + (failed and 1 or 0)
            local text = tostring(ok and message or result)
            assert((ok and result) or code == "memory" or text:find "memory", name .. text)
            local now = sorted(snapshot(me))
            assert(now == before or now == after, name .. " " .. n .. " " .. snapshot(me))
            assert(not (ok and result) or now == after, name)
            me:opt_in_tracking()
            assert(me:track "Fed", name)
            assert(me:get_distinct_id())
            drain()
            if not failed then
              break
            end
            assert(n < 10000, name)
          end
        end
      end
      local s = mp:stats()
      assert(s.accepted == s.delivered and s.in_flight == 0)
      print(starved > 200 and "starved" or starved)
    ]])
    local printed = script.shell(("%s/spec/embedder 1 0 %s"):format(script.build, path))
    os.remove(path)
    assert.equal("starved\n", printed)
  end)
end)
