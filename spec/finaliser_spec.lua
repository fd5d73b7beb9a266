-- Finalisers that track while a record is being made: the collector runs them
-- at any allocation.
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"

-- Every allocation runs a whole cycle, or nearly.
local common = [[
local mixpanel = require "mixpanel"
local url = arg[1]
collectgarbage("setpause", 0)
collectgarbage("setstepmul", jit and 0 or 10000)

-- Garbage whose finaliser calls `f`.
local function litter(f)
  if newproxy then -- Lua 5.1
    getmetatable(newproxy(true)).__gc = f
  else
    setmetatable({}, { __gc = f })
  end
end
]]

-- Prints how many finalisers ran during a call, how many in all, and how many
-- records the calls themselves were to make.
local nested = common
  .. [[
local mp = mixpanel.new("projecttoken", { api_host = url, flush_interval = 60 })
local inside, during, total, outer = false, 0, 0, 0

local function finalise()
  during = during + (inside and 1 or 0)
  total = total + 1
  assert(mp:track("Nested", { distinct_id = "u", n = total, text = ("n"):rep(total % 50) }))
  assert(mp.people:set("nested", { n = total }))
end

local function track(n)
  return mp:track("Outer", { distinct_id = "u", n = n, list = mixpanel.array { n } })
end

local function track_batch(n)
  return mp:track_batch { { event = "Outer", properties = { n = n, list = { n } } } }
end

local function set(n)
  return mp.people:set(n, { n = n, [n + 0.5] = "number" })
end

local function invalid(n)
  return not mp:track("Outer", { n = n, bad = { [{}] = 1 } })
end

local function set_config(n)
  return mp:set_config { properties = { default = n } }
end

local calls = { track, track_batch, set, invalid, set_config }
for n = 1, 2000 do
  litter(finalise)
  local call = calls[n % #calls + 1]
  inside = true
  assert(call(n))
  inside = false
  outer = outer + ((call == track or call == track_batch) and 1 or 0)
end
litter = nil
collectgarbage()
collectgarbage()
assert(mp:flush(20))
assert(mp:stats().delivered == mp:stats().accepted)
print(during, total, outer)
]]

local collected = common
  .. [[
local options = { api_host = url }
for n = 1, 200 do
  local mp = mixpanel.new("projecttoken", options)
  local people, groups = mp.people, mp.groups
  mp = nil
  litter(function()
    collectgarbage()
  end)
  assert(people:set("u", { n = n }))
  people = nil
  assert(groups:set("company", "acme", { n = n }))
  groups = nil
  assert(mixpanel.new("projecttoken", options):track "Own")
end
local last = mixpanel.new("projecttoken", options)
assert(last:flush(20))
assert(last:stats().delivered == 600, last:stats().delivered)
]]

-- Every round a finaliser makes another device of the user, while its id is
-- copied or elsewhere.
local resets = common
  .. [[
local mp = mixpanel.new("projecttoken", { transport = "manual" })
local me = mp:user()
local pattern = ("%x"):rep(8) .. ("%-" .. ("%x"):rep(4)):rep(3) .. "%-" .. ("%x"):rep(12)
local inside, during = false, 0
local function finalise()
  during = during + (inside and 1 or 0)
  me:reset()
  me:register { ["name"] = ("x"):rep(40) }
end
local calls = {
  function()
    return me:get_device_id()
  end,
  function()
    return me:get_distinct_id():match "^%$device:(.*)$"
  end,
  function()
    return me:get_property "$device_id"
  end,
}
for n = 1, 3000 do
  litter(finalise)
  local waste = {} -- or every cycle may end at the same place, outside of calls
  for i = 1, math.random(0, 40) do
    waste[i] = {}
  end
  local call = calls[n % #calls + 1]
  inside = true
  local id = call()
  inside = false
  assert(id and id:find("^" .. pattern .. "$"), ("%q"):format(tostring(id)))
end
print(during)
]]

describe("finalisers", function()
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

  it("that track during a call find it undisturbed", function()
    local printed, status = script.run(nested, server.url)
    assert.equal(0, status, printed)
    local during, total, outer = printed:match "(%d+)%s+(%d+)%s+(%d+)"
    assert.is_true(tonumber(during) > 100, printed)

    local seen, found = { Outer = {}, Nested = {} }, { Outer = 0, Nested = 0 }
    for _, record in ipairs(server:records "/track") do
      local list, n = seen[record.event], record.properties.n
      assert.is_nil(list[n])
      list[n] = true
      found[record.event] = found[record.event] + 1
      if record.event == "Nested" then
        assert.equal(("n"):rep(n % 50), record.properties.text)
      else
        assert.same({ n }, record.properties.list)
      end
    end
    assert.equal(tonumber(total), found.Nested)
    assert.equal(tonumber(outer), found.Outer)
    assert.equal(total + 400, #server:records "/engage")
  end)

  it("that collect clients of which only a part is left do no harm", function()
    local printed, status = script.run(collected, server.url)
    assert.equal(0, status, printed)
  end)

  it("that reset a user find no id of it half copied", function()
    local printed, status = script.run(resets)
    assert.equal(0, status, printed)
    assert.is_true(tonumber(printed) > 0, printed)
  end)

  it("are put in place though memory ran out before they were", function()
    local printed, status = script.run [[
      local types = { "scratch", "draft", "defaults", "json", "report" }
      for _, name in ipairs(types) do
        debug.getregistry()["mixpanel." .. name] = {} -- as far as it got
      end
      local mp = require("mixpanel").new("t", { transport = "manual", properties = { a = 1 } })
      local me = mp:user { state = { version = 5 } }
      me:register { a = { 1 } }
      me:get_property "a"
      mp:poll()
      for _, name in ipairs(types) do
        local metatable = debug.getregistry()["mixpanel." .. name]
        assert(type(metatable.__gc) == "function", name)
        assert(metatable.__metatable == false, name)
      end
    ]]
    assert.equal("", printed)
    assert.equal(0, status)
  end)
end)
