-- Events that are refused, and calls that raise.
local mixpanel = require "mixpanel"
local raises = require "spec.support.raises"
local refused = require "spec.support.refused"
local sandboxed = require "spec.support.sandboxed"

-- Mixpanel docs, import events: disallowed ids.
local refused_ids = {
  "00000000-0000-0000-0000-000000000000",
  "anon",
  "anonymous",
  "nil",
  "none",
  "null",
  "n/a",
  "na",
  "undefined",
  "unknown",
  "<nil>",
  "0",
  "-1",
  "true",
  "false",
  "[]",
  "{}",
}

describe("events", function()
  local here = sandboxed "event refusal"
  local new = here.new
  local mp

  before_each(function()
    mp = here.mp
  end)

  describe("refuse", function()
    it("blank names", function()
      for _, name in ipairs { "", " ", "\t\n\v\f\r " } do
        refused("event: the name of the event is blank", mp:track(name))
        refused("event: the name of the event is blank", mp:import(name, os.time()))
      end
    end)

    it("what is no time, or nobody's", function()
      local expected = ": expected seconds or milliseconds since the epoch, as os.time()"
      for shown, given in pairs {
        ["12.5 is before 1971"] = 12.5,
        ["0 is before 1971"] = 0,
        ["-1 is before 1971"] = -1,
        ["31535999 is before 1971"] = 31535999,
        ["nan is no time"] = 0 / 0,
        ["inf is no time"] = 1 / 0,
        ["-inf is no time"] = -1 / 0,
        ["253402300800000 is after the year 9999"] = 253402300800000,
        ["1e300 is after the year 9999"] = 1e300,
        ['"1700000000" is no time'] = "1700000000",
        ["true is no time"] = true,
        ["a table is no time"] = {},
      } do
        refused("properties.time: " .. shown .. expected, mp:track("Event", { time = given }))
        if type(given) == "number" then
          refused("time: " .. shown .. expected, mp:import("Event", given))
        end
      end
    end)

    it("an $insert_id with other characters, or none, or too many", function()
      for shown, id in pairs {
        ['""'] = "",
        ['"a b"'] = "a b",
        ['"a_b"'] = "a_b",
        ['"a\\u0000b"'] = "a\0b",
        ['"é"'] = "é",
        ['"' .. ("x"):rep(37) .. '"'] = ("x"):rep(37),
      } do
        refused(
          "properties.$insert_id: "
            .. shown
            .. " is no insert id: expected 1 to 36 letters, digits and hyphens",
          mp:track("Event", { ["$insert_id"] = id })
        )
      end
      refused(
        'properties.$insert_id: Mixpanel refuses "undefined" as an id',
        mp:track("Event", { ["$insert_id"] = "undefined" })
      )
    end)

    it("ids that Mixpanel would cut", function()
      local long = ("x"):rep(256)
      assert(mp:track("A", { distinct_id = long:sub(2) }))
      for _, name in ipairs { "distinct_id", "$user_id", "$device_id" } do
        refused(
          ("properties.%s: 256 bytes: Mixpanel cuts an id at 255"):format(name),
          mp:track("A", { [name] = long })
        )
      end
      refused("id: 256 bytes: Mixpanel cuts an id at 255", mp.people:set(long, "a", 1))
      refused("group_id: 256 bytes: Mixpanel cuts an id at 255", mp.groups:set("g", long, "a", 1))
      refused("alias: 256 bytes: Mixpanel cuts an id at 255", mp:alias(long, "u"))
      refused("distinct_id: 256 bytes: Mixpanel cuts an id at 255", mp:alias("u", long))
    end)

    it("ids that Mixpanel refuses", function()
      for _, id in ipairs(refused_ids) do
        for _, name in ipairs { "distinct_id", "$distinct_id", "$user_id", "$device_id" } do
          refused(
            ('properties.%s: Mixpanel refuses "%s" as an id'):format(name, id),
            mp:track("Event", { [name] = id })
          )
        end
      end
      refused(
        'properties.distinct_id: Mixpanel refuses "0" as an id',
        mp:track("Event", { distinct_id = 0 })
      )
      refused(
        'properties.distinct_id: Mixpanel refuses "0" as an id',
        mp:track("Event", { distinct_id = -0.0 })
      )
    end)

    it("ids that are no id", function()
      for shown, id in pairs {
        ["1.5"] = 1.5,
        ["nan"] = 0 / 0,
        ["9007199254740992"] = 2.0 ^ 53,
        ["1e300"] = 1e300,
        ["true"] = true,
        ["a table"] = {},
        ["a function"] = print,
      } do
        refused(
          ("properties.distinct_id: %s is no exact id: pass a string or a 64-bit integer"):format(
            shown
          ),
          mp:track("Event", { distinct_id = id })
        )
      end
    end)

    it("more than 254 properties, those of the client included", function()
      local message = "properties: more than 254 properties, those of the client included"
      local function count_to(n, prefix)
        local p = {
          distinct_id = "u",
          time = os.time(),
          ["$insert_id"] = "i",
          ip = 0,
          mp_lib = "x",
          ["$user_id"] = "u",
        }
        for i = 1, n do
          p[prefix .. i] = i
        end
        return p
      end
      assert(mp:track("Event", count_to(254, "p")))
      refused(message, mp:track("Event", count_to(255, "p")))
      local client = new { properties = { p1 = 1, q1 = 1 } }
      assert(client:track("Event", count_to(253, "p")))
      refused(message, client:track("Event", count_to(254, "p")))
      client:close()
    end)

    it("properties of a client that are no properties of all events", function()
      local function option(name, value, message)
        raises(
          ("bad argument #2 to 'new' (option 'properties'.%s: %s)"):format(name, message),
          function()
            mixpanel.new("projecttoken", { properties = { [name] = value } })
          end
        )
      end
      option("token", "x", "the token is the client's, always: it is the first argument of new")
      option("time", 5, "this belongs to each event, not to all events of a client")
      option("$insert_id", "x", "this belongs to each event, not to all events of a client")
      option("distinct_id", "null", 'Mixpanel refuses "null" as an id')
      option("a", print, "function has no JSON form")
    end)

    it("nothing of a refused event, and queue nothing", function()
      mp:track("Event", { a = 1, b = print })
      mp:track("Event", { a = "\255", b = print })
      assert.equal(0, mp:stats().accepted)
      assert.equal(0, mp:stats().repaired)
    end)
  end)

  describe("raise at the caller's line", function()
    it("for a name that is no string", function()
      raises("bad argument #1 to 'track' (event: string expected, got number)", function()
        mp:track(5)
      end)
      raises("bad argument #1 to 'track' (event: string expected, got no value)", function()
        mp:track()
      end)
      raises("bad argument #1 to 'import' (event: string expected, got nil)", function()
        mp:import(nil, os.time())
      end)
    end)

    it("for properties that are no table", function()
      local message = "bad argument #2 to 'track' (properties: table expected, "
        .. 'got string "plan=pro": properties are { name = value })'
      raises(message, function()
        mp:track("Event", "plan=pro")
      end)
      raises("bad argument #2 to 'track' (properties: table expected, got boolean)", function()
        mp:track("Event", false)
      end)
      raises("bad argument #2 to 'track' (properties: table expected, got userdata)", function()
        mp:track("Event", mixpanel.object {})
      end)
      raises("bad argument #3 to 'import' (properties: table expected, got number)", function()
        mp:import("Event", os.time(), 5)
      end)
    end)

    it("for an import without a time", function()
      raises("bad argument #2 to 'import' (time: number expected, got no value)", function()
        mp:import "Event"
      end)
      raises("bad argument #2 to 'import' (time: number expected, got table)", function()
        mp:import("Event", { distinct_id = "u" })
      end)
      raises("bad argument #2 to 'import' (time: number expected, got string)", function()
        mp:import("Event", "1700000000")
      end)
    end)

    it("for lists that are no table", function()
      raises("bad argument #1 to 'track_batch' (list: table expected, got string)", function()
        mp:track_batch "Event"
      end)
      raises("bad argument #1 to 'import_batch' (list: table expected, got nil)", function()
        mp:import_batch(nil)
      end)
    end)

    it("for ids that are none", function()
      raises(
        "bad argument #1 to 'identify' (user_id: string or integer expected, got nil)",
        function()
          mp:identify(nil, "x")
        end
      )
      raises(
        "bad argument #2 to 'alias' (distinct_id: string or integer expected, got no value)",
        function()
          mp:alias "x"
        end
      )
      raises("bad argument #2 to 'merge' (id2: string or integer expected, got 1.5)", function()
        mp:merge("x", 1.5)
      end)
    end)

    it("for another self", function()
      raises(
        "bad argument #1 to 'track' (mixpanel.client expected, got table: call it with a colon)",
        function()
          mp.track({}, "Event")
        end
      )
      raises(
        "bad argument #1 to 'track' (mixpanel.client expected, got string: call it with a colon)",
        function()
          mp.track "Event"
        end
      )
      raises("bad argument #1 to 'track' (mixpanel.client expected, got userdata)", function()
        mp.track(mp.people, "Event")
      end)
      raises("bad argument #1 to 'set' (mixpanel.people expected, got userdata)", function()
        mp.people.set(mp, "u", "a", 1)
      end)
      raises("bad argument #1 to 'set' (mixpanel.groups expected, got userdata)", function()
        mp.groups.set(mp.people, "company", "acme", "a", 1)
      end)
    end)
  end)
end)
