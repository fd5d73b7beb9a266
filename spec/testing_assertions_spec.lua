-- The assertions of mixpanel.testing.
local mixpanel = require "mixpanel"
local testing = require "mixpanel.testing"

describe("assertions of mixpanel.testing", function()
  local mp

  before_each(function()
    mp = testing.new()
    mp:track("Signup", { distinct_id = "u1", plan = "pro", ["a b"] = { 1, "x\n" } })
    mp.people:set("u1", { plan = "pro" })
  end)

  local function fails(expected, f)
    local ok, message = pcall(f)
    assert.is_false(ok)
    assert.is_truthy(tostring(message):find(expected, 1, true), tostring(message))
    assert.matches("^%S*testing_assertions_spec.lua:%d+: ", tostring(message))
  end

  it("hold", function()
    assert.tracked(mp, "Signup")
    assert.tracked(mp, "Signup", { plan = "pro" }, 1)
    assert.is_not.tracked(mp, "Signup", { plan = "free" })
    assert.not_tracked(mp, "Login")
    assert.tracked(mp, "Login", nil, 0)
    assert.updated(mp, "u1", { ["$set"] = { plan = "pro" } })
    assert.not_updated(mp, "u2", { ["$set"] = { plan = "pro" } })
    assert.recorded(mp)
    assert.recorded(mp, { ["$set"] = { plan = "pro" } })
    assert.not_recorded(testing.new())
  end)

  it("know an id by its number, however Lua writes that", function()
    for _, id in ipairs { 17, 17.0, 1.7e15, -5 } do
      mp.people:set(id, { n = 1 })
      mp.groups:set("company", id, { n = 1 })
      assert.updated(mp, id, { ["$set"] = { n = 1 } })
      assert.updated(mp, "company", id, { ["$set"] = { n = 1 } })
    end
    local literal = load "return 9007199254740993LL" -- of LuaJIT
    if literal then
      local id = literal()
      mp.people:set(id, { n = 1 })
      assert.updated(mp, id, { ["$set"] = { n = 1 } })
    end
  end)

  it("say what was recorded instead", function()
    mp = testing.new("projecttoken", { profile_time = false })
    mp:track("Signup", { distinct_id = "u1", plan = "pro", ["a b"] = { 1, "x\n" } })
    mp.people:set("u1", { plan = "pro" })
    local recorded = [[ Recorded:
  1. "Signup" { ["a b"] = { 1, "x\n" }, distinct_id = "u1", plan = "pro" }
  2. { ["$distinct_id"] = "u1", ["$set"] = { plan = "pro" } }]]
    fails(
      'An event "Signup" with { plan = 5 } was to be recorded, and was not.' .. recorded,
      function()
        assert.tracked(mp, "Signup", { plan = 5 })
      end
    )
    fails('An event "Signup" was not to be recorded, and was once.' .. recorded, function()
      assert.not_tracked(mp, "Signup")
    end)
    fails('An event "Signup" was to be recorded 2 times, and was once.', function()
      assert.tracked(mp, "Signup", nil, 2)
    end)
    fails('An update { ["$distinct_id"] = "u1", ["$unset"] = { "plan" } } was to be', function()
      assert.updated(mp, "u1", { ["$unset"] = { "plan" } })
    end)
    fails("Something was not to be recorded, and was 2 times.", function()
      assert.not_recorded(mp)
    end)
    fails("Something was to be recorded, and was not. Nothing was recorded.", function()
      assert.recorded(testing.new())
    end)
    for i = 1, 30 do
      mp:track("E" .. i)
    end
    fails("and 12 more", function()
      assert.tracked(mp, "Login")
    end)
  end)

  it("say what is wrong with their arguments", function()
    for _, wrong in ipairs { 5, "x", {}, mixpanel.new("t", { transport = "manual" }) } do
      fails("the first argument is no client of mixpanel.testing", function()
        assert.tracked(wrong, "Signup")
      end)
    end
    fails("expected the name of an event", function()
      assert.tracked(mp, 5)
    end)
    fails("the last argument is an update such as", function()
      assert.updated(mp, "u1")
    end)
  end)
end)
