-- Programs that embed Lua: they close states while records wait, open many, and
-- run out of memory. The states are those of Lua 5.4, whatever runs this spec.
local cjson = require "cjson"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"

describe("a program that embeds Lua", function()
  local server

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  -- Runs a program, which goes on until so many events have arrived; returns
  -- what it printed.
  local function embed(states, events, cpath, text)
    local path, out = script.write(text), os.tmpname()
    local pipe = assert(
      io.popen(
        ("( timeout 120 %s/spec/embedder %d 60 %s '%s' %s; echo status $? ) >%s 2>&1"):format(
          script.build,
          states,
          path,
          cpath,
          server.url,
          out
        ),
        "w"
      )
    )
    local arrived, why = pcall(process.wait_for, function()
      return #server:records "/track" >= events or process.slurp(out):find "status %d+\n$"
    end, "the events", 60)
    pipe:close() -- which ends it
    local printed, status = process.slurp(out):match "^(.*)status (%d+)\n$"
    os.remove(path)
    os.remove(out)
    assert.equal("0", status, printed)
    assert.is_true(arrived, why)
    return printed
  end

  local cpath = script.cpath_of "5.4"

  -- The second is not linked to stay loaded.
  for _, build in ipairs { "5.4", "spec/unpinned" } do
    it("closes the state while records wait, and goes on: " .. build, function()
      embed(
        1,
        100,
        ("./%s/%s/?.so"):format(script.build, build),
        [[
          local _, cpath, url = ...
          package.cpath = cpath
          local mixpanel = require "mixpanel"
          local mp = mixpanel.new("projecttoken", { api_host = url, flush_interval = 0.2 })
          for i = 1, 100 do
            mp:track("Embedded", { distinct_id = "u", i = i })
          end
        ]]
      )
      assert.equal(100, #server:records "/track")
    end)
  end

  it("opens and closes 1 000 states", function()
    local printed = embed(
      1000,
      1000,
      cpath,
      [[
        local number, cpath, url = ...
        package.cpath = cpath
        local mixpanel = require "mixpanel"
        local mp = mixpanel.new("projecttoken", {
          api_host = url,
          name = number % 2 == 0 and "one of many " .. number or "shared",
          flush_interval = 0.1,
        })
        mp:track("Embedded", { distinct_id = "u", number = number })
        if number % 10 == 0 then
          assert(mp:flush(10))
        end
        if number == 500 or number == 1000 then
          local status = io.open("/proc/self/status"):read "a"
          print(status:match "VmRSS:%s*(%d+)", status:match "Threads:%s*(%d+)")
        end
      ]]
    )
    local seen = {}
    for _, record in ipairs(server:records "/track") do
      assert.is_nil(seen[record.properties.number])
      seen[record.properties.number] = true
    end
    assert.equal(1000, #seen)
    local before, threads, after, threads_after = printed:match "(%d+)%s+(%d+)%s+(%d+)%s+(%d+)"
    -- What a state leaves behind is fragments of the heap: kB for 500 states.
    assert.is_true(after - before < 8192, printed)
    assert.is_true(tonumber(threads) <= 2 and tonumber(threads_after) <= 2, printed)
  end)

  it("runs out of memory in the midst of a record, which then is not there", function()
    local printed = embed(
      1,
      0,
      cpath,
      [[
        local _, cpath, url = ...
        package.cpath = cpath .. package.cpath
        local mixpanel = require "mixpanel"
        local mp = mixpanel.new("projecttoken", { api_host = url, flush_interval = 60 })
        local by_hand = mixpanel.new("projecttoken", { transport = "manual" })

        local deep = { 1 }
        for i = 1, 20 do
          deep = { deep, mixpanel.array { i } }
        end
        local properties = { distinct_id = "u", deep = deep, number = 1.5, text = ("x"):rep(100) }

        -- Each is called in a thread of its own, whose stack is still small.
        local calls = {
          track = function()
            return mp:track("Starved", properties)
          end,
          defaults = function()
            local other = mixpanel.new("projecttoken", {
              api_host = url,
              flush_interval = 60,
              properties = { a = deep },
            })
            return other:track("Starved", properties)
          end,
          track_batch = function()
            return mp:track_batch {
              { event = "Starved", properties = properties },
              { event = "Starved", properties = properties },
            }
          end,
          people = function()
            return mp.people:set(1234, { deep = deep, [17] = "number" })
          end,
          groups = function()
            return mp.groups:union("company", 17, "tags", { "a", deep })
          end,
          invalid = function()
            return mp:track("Starved", { distinct_id = "u", bad = { deep, print } }) == nil
          end,
          next_request = function()
            assert(by_hand:track("Starved", properties))
            by_hand:flush()
            local request = by_hand:next_request()
            if request then
              by_hand:answer(request.id, 200, nil, "1")
            end
            return true
          end,
          stats = function()
            return mp:stats() and mp:poll()
          end,
        }

        local records = { track = 1, defaults = 1, track_batch = 2, people = 1, groups = 1 }
        local starved, expected = 0, 0
        for name, call in pairs(calls) do
          for n = 1, 10000 do
            local thread = coroutine.create(call)
            starve(n)
            local ok, result, message, code = coroutine.resume(thread)
            local failed = starve()
            starved = starved + (failed and 1 or 0)
            if ok and not result then
              ok = code == "memory"
              assert(ok, name .. ": " .. tostring(message))
            elseif ok then
              expected = expected + (records[name] or 0)
            else
              assert(tostring(result):find "memory", name .. ": " .. tostring(result))
            end
            -- No lock is held: all of this would wait for it for ever.
            assert(mp:track("Fed", { distinct_id = "u" }))
            expected = expected + 1
            if not failed then
              break
            end
            assert(n < 10000, name)
          end
        end
        assert(starved > 50, starved)
        assert(mp:flush(20))
        local stats = mp:stats()
        assert(stats.accepted == expected, stats.accepted .. " for " .. expected)
        assert(stats.delivered == stats.accepted, stats.last_error)

        -- What memory did not suffice for was given back, not lost.
        local deadline = os.time() + 20
        repeat
          local request = by_hand:next_request()
          if request then
            by_hand:answer(request.id, 200, nil, "1")
          end
          by_hand:flush()
          local s = by_hand:stats()
        until s.delivered == s.accepted or os.time() > deadline
        local s = by_hand:stats()
        assert(s.delivered == s.accepted and s.in_flight == 0, s.delivered .. " of " .. s.accepted)
        print(stats.accepted)
      ]]
    )
    -- Every record is whole: the sandbox parsed them all.
    local arrived = 0
    for _, endpoint in ipairs { "/track", "/engage", "/groups" } do
      arrived = arrived + #server:records(endpoint)
    end
    assert.equal(tonumber(printed), arrived)
    for _, request in ipairs(server:requests()) do
      assert.is_table(cjson.decode(request.body))
    end
  end)
end)
