-- Profile updates that are refused, and calls that raise.
local mixpanel = require "mixpanel"
local raises = require "spec.support.raises"
local refused = require "spec.support.refused"
local sandboxed = require "spec.support.sandboxed"
local update_text = require "spec.support.update_text"

describe("people", function()
  local here = sandboxed "people refusal"
  local mp, people

  before_each(function()
    mp, people = here.mp, here.mp.people
  end)

  local function sent(...)
    return update_text(here, mp, ...)
  end

  describe("raise at the caller's line", function()
    it("for properties that are none", function()
      raises("bad argument #2 to 'set' (properties: string or table expected, got nil)", function()
        people:set("u", nil)
      end)
      raises(
        "bad argument #2 to 'increment' (properties: string or table expected, got number)",
        function()
          people:increment("u", 5)
        end
      )
      raises("bad argument #3 to 'set' (value expected, got no value)", function()
        people:set("u", "a")
      end)
      raises(
        "bad argument #2 to 'unset' (names: string or table expected, got no value)",
        function()
          people:unset "u"
        end
      )
    end)

    it("for an amount or its properties", function()
      raises("bad argument #2 to 'track_charge' (amount: number expected, got string)", function()
        people:track_charge("u", "9.5")
      end)
      raises(
        "bad argument #3 to 'track_charge' (properties: table expected, got number)",
        function()
          people:track_charge("u", 9.5, 5)
        end
      )
      raises(
        "bad argument #4 to 'track_charge' (modifiers: table expected, got boolean)",
        function()
          people:track_charge("u", 9.5, {}, true)
        end
      )
    end)

    it("for an update without one operation", function()
      raises("bad argument #2 to 'update' (update: no operation)", function()
        people:update("u", {})
      end)
      raises("bad argument #2 to 'update' (update: more than one operation)", function()
        people:update("u", { ["$set"] = {}, ["$unset"] = { "a" } })
      end)
      raises(
        "bad argument #2 to 'update' (update: unknown operation \"set\": expected $set, $set_once, "
          .. "$add, $append, $union, $remove, $unset or $delete)",
        function()
          people:update("u", { set = {} })
        end
      )
      raises("bad argument #2 to 'update' (update: table expected, got nil)", function()
        people:update("u", nil)
      end)
    end)
  end)

  describe("refuse, with the path,", function()
    it("values of no use", function()
      refused(
        "properties.a: the value is nil: pass mixpanel.null for null",
        people:set("u", "a", nil)
      )
      refused("properties.a: function has no JSON form", people:set("u", "a", print))
      refused(
        "properties.a.b[1]: function has no JSON form",
        people:set("u", { a = { b = { print } } })
      )
      refused(
        "update.$set.a: function has no JSON form",
        people:update("u", { ["$set"] = { a = print } })
      )
      refused('update.$set: expected a table, got "x"', people:update("u", { ["$set"] = "x" }))
      refused("properties: a boolean as key has no JSON form", people:set("u", { [true] = 1 }))
      refused(
        'properties: key "1" occurs twice, as a number and as a string',
        people:set("u", { ["1"] = "a", [1] = "b" })
      )
    end)

    it("increments that are no finite number", function()
      refused('properties.n: "5" is no finite number', people:increment("u", "n", "5"))
      refused("properties.n: nan is no finite number", people:increment("u", "n", 0 / 0))
      refused("properties.n: inf is no finite number", people:increment("u", { n = 1 / 0 }))
      refused("properties.n: null is no finite number", people:increment("u", "n", mixpanel.null))
      refused("amount: nan is no finite number", people:track_charge("u", 0 / 0))
    end)

    it("unions with no list or none to add", function()
      refused("properties.a: an empty list adds nothing", people:union("u", "a", {}))
      refused("properties.a: an empty list adds nothing", people:union("u", "a", mixpanel.array {}))
      refused("properties: an empty table adds nothing", people:union("u", {}))
      refused(
        "properties.a: the table is no list: its keys are not 1, 2, 3...",
        people:union("u", "a", { b = 1 })
      )
      refused("properties.a: a userdata is no list", people:union("u", "a", mixpanel.object { 1 }))
      refused("properties.a: a function is no list", people:union("u", "a", print))
    end)

    it("names that are none", function()
      local no_list = "names: the table is no list: its keys are not 1, 2, 3..."
      refused("names: an empty list removes nothing", people:unset("u", {}))
      refused("names[2]: expected the name of a property, got 5", people:unset("u", { "a", 5 }))
      refused("names.a: expected the name of a property, got true", people:unset("u", { a = true }))
      refused(no_list, people:unset("u", { a = "b" }))
      refused(no_list, people:unset("u", { "a", nil, "c" }))
      refused(
        "update.$unset[1]: expected the name of a property, got 1",
        people:update("u", { ["$unset"] = mixpanel.array { 1 } })
      )
      refused(
        "update.$unset: the table is no list: its keys are not 1, 2, 3...",
        people:update("u", { ["$unset"] = mixpanel.array { [2] = "b" } })
      )
      refused("update.$unset: 5 is no list", people:update("u", { ["$unset"] = 5 }))
      refused(
        "update.$unset: an empty list removes nothing",
        people:update("u", { ["$unset"] = mixpanel.array {} })
      )
    end)

    it("names of what belongs beside the operation", function()
      local hint = "this is a modifier and no property: pass { %s = ... } as the last argument"
      local ids = "this says whose profile it is, and is no property"
      local operation = "this is an operation and no property: see update"
      local cases = {
        ["$token"] = "the token is the client's, always",
      }
      local modifiers = "ip time ignore_time ignore_alias latitude longitude"
      for name in modifiers:gmatch "%S+" do
        cases["$" .. name] = hint:format(name)
      end
      for _, name in ipairs { "distinct_id", "device_id", "user_id", "group_key", "group_id" } do
        cases["$" .. name] = ids
      end
      cases["$had_persisted_distinct_id"] = ids
      for _, name in ipairs { "set", "set_once", "add", "append", "union", "remove", "unset" } do
        cases["$" .. name] = operation
      end
      cases["$delete"] = operation
      for name, message in pairs(cases) do
        local where = ("properties.%s: %s"):format(name, message)
        refused(where, people:set("u", name, 1))
        refused(where, people:set("u", { [name] = 1 }))
        refused(where, people:set_once("u", { [name] = 1 }))
        refused(where, people:increment("u", { [name] = 1 }))
        refused(where, people:append("u", name, 1))
        refused(where, people:union("u", { [name] = { 1 } }))
        refused(where, people:remove("u", name, 1))
        refused(
          ("update.$set.%s: %s"):format(name, message),
          people:update("u", { ["$set"] = { [name] = 1 } })
        )
        refused(where, mp.groups:set("company", "acme", { [name] = 1 }))
        if name ~= "$time" then
          refused(where, people:track_charge("u", 1, { [name] = 1 }))
        end
        local text = sent(people:unset("u", name)) -- what another SDK has put there
        assert.equal(('"$unset":["%s"]'):format(name), text)
      end
      for _, name in ipairs { "ip", "time", "$", "$i", "$ipp", "$name", "token", "set" } do
        assert.equal(('"$set":{"%s":1}'):format(name), sent(people:set("u", name, 1)))
      end
      assert.equal('"$set":{"a":{"$ip":1}}', sent(people:set("u", "a", { ["$ip"] = 1 })))
    end)

    it("a charge with an amount of its own", function()
      refused(
        "properties.$amount: the amount is an argument",
        people:track_charge("u", 1, { ["$amount"] = 2 })
      )
    end)

    it("more than 2000 properties, objects too deep or too wide, and a megabyte", function()
      local function keys_to(n)
        local object = {}
        for i = 1, n do
          object["k" .. i] = i
        end
        return object
      end
      sent(people:set("u", keys_to(2000)))
      refused(
        "properties: more than 2000 properties; a profile takes no more",
        people:set("u", keys_to(2001))
      )
      refused("properties.a: the object has more than 254 keys", people:set("u", "a", keys_to(255)))
      refused(
        "properties.a.b.c.d: objects lie deeper than 3 levels in a property",
        people:set("u", "a", { b = { c = { d = {} } } })
      )
      local names = {}
      for i = 1, 2001 do
        names[i] = "k" .. i
      end
      refused("names: 2001 names; a profile has at most 2000 properties", people:unset("u", names))
      local list = {}
      for i = 1, 1000 do
        list[i] = i
      end
      sent(people:set("u", "a", list)) -- lists of people may be long
      local ok, message, code = people:set("u", "a", ("x"):rep(1048576))
      assert.is_nil(ok)
      assert.equal("invalid", code)
      assert.matches("^the record is %d+ bytes of JSON; Mixpanel takes at most 1048576$", message)
    end)
  end)
end)
