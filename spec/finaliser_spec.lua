-- Finalisers that track while a record is being made: the collector runs them
-- at any allocation.
local mixpanel = require "mixpanel"
local sandbox = require "spec.support.sandbox"

-- Garbage whose finaliser calls `f`.
local function litter(f)
  if rawget(_G, "newproxy") then -- Lua 5.1
    getmetatable(rawget(_G, "newproxy")(true)).__gc = f
  else
    setmetatable({}, { __gc = f })
  end
end

describe("finalisers", function()
  local server

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
    collectgarbage("setpause", 200)
    collectgarbage("setstepmul", 200)
  end)

  before_each(function()
    server:reset()
    collectgarbage("setpause", 0) -- a cycle begins as soon as one has ended
    collectgarbage("setstepmul", 10000)
  end)

  it("that track during a call find it undisturbed", function()
    local mp = mixpanel.new("projecttoken", { api_host = server.url, name = "nested" })
    local inside, nested, total = false, 0, 0

    local function finalise()
      if inside then
        nested = nested + 1
      end
      total = total + 1
      assert(mp:track("Nested", { distinct_id = "u", n = total, text = ("n"):rep(total % 50) }))
      mp.people:set("nested", { n = total })
    end

    local calls = {
      function(n)
        return mp:track("Outer", { distinct_id = "u", n = n, list = mixpanel.array { n } })
      end,
      function(n)
        return mp:track_batch {
          { event = "Outer", properties = { distinct_id = "u", n = n } },
        }
      end,
      function(n)
        return mp.people:set(n, { n = n, [n + 0.5] = "number" })
      end,
      function(n)
        return not mp:track("Outer", { distinct_id = "u", n = n, bad = { [{}] = 1 } })
      end,
      function(n)
        return mp:set_config { properties = { default = n } }
      end,
    }
    local rounds = 500
    for n = 1, rounds do
      litter(finalise)
      local call = calls[n % #calls + 1]
      inside = true
      local ok, message = call(n)
      inside = false
      assert(ok, message)
    end
    collectgarbage()
    collectgarbage()
    assert.is_true(nested > 50, nested)
    assert(mp:flush(20))

    local seen = { Outer = {}, Nested = {} }
    for _, record in ipairs(server:records "/track") do
      local list, n = seen[record.event], record.properties.n
      assert.is_nil(list[n])
      list[n] = true
      if record.event == "Nested" then
        assert.equal(("n"):rep(n % 50), record.properties.text)
      elseif record.properties.list then
        assert.same({ n }, record.properties.list)
      end
    end
    assert.equal(total, #seen.Nested)
    local outer = 0
    for _ in pairs(seen.Outer) do
      outer = outer + 1
    end
    assert.equal(rounds / #calls * 2, outer)
    assert.equal(total + outer + total + rounds / #calls, mp:stats().delivered)
    mp:close()
  end)

  it("that collect the client during its own call do no harm", function()
    for n = 1, 40 do
      local mp = mixpanel.new("projecttoken", { api_host = server.url, name = "own" })
      local people = mp.people
      litter(function()
        collectgarbage()
      end)
      assert(people:set("u", { n = n }))
      mp, people = nil, nil -- luacheck: ignore
      assert(mixpanel.new("projecttoken", { api_host = server.url, name = "own" }):track "Own")
    end
    local last = mixpanel.new("projecttoken", { api_host = server.url, name = "own" })
    assert(last:flush(20))
    assert.equal(80, last:stats().delivered)
    last:close()
  end)
end)
