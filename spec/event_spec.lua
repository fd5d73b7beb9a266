-- Events: what goes around the caller's properties, what is refused, and where
-- the calls may be made.
-- luacheck: std max+busted
local cjson = require "cjson"
local json = require "spec.support.json"
local mixpanel = require "mixpanel"
local raises = require "spec.support.raises"
local refused = require "spec.support.refused"
local sandbox = require "spec.support.sandbox"
local values = require "spec.support.values"

local has_ffi, ffi = pcall(require, "ffi")

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

-- Calls a function once the garbage is collected.
local function finalise_later(finalise)
  if newproxy then
    getmetatable(newproxy(true)).__gc = finalise
  else
    setmetatable({}, { __gc = finalise })
  end
end

describe("events", function()
  local server, mp
  local clients = 0

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  local function new(options)
    clients = clients + 1 -- of another name each, so that each has its own counters
    options = options or {}
    options.api_host = server.url
    options.name = "event " .. clients
    return mixpanel.new("projecttoken", options)
  end

  before_each(function()
    server:reset()
    mp = new()
  end)

  after_each(function()
    mp:close()
  end)

  -- The records that arrived, and the paths that they went to. Every line is
  -- read strictly, so that no key stands twice in any.
  local function arrived(client)
    assert((client or mp):flush(10))
    local records, paths = {}, {}
    for _, request in ipairs(server:requests()) do
      for _, line in ipairs(server:lines(request.path)) do
        json.read(line)
      end
      for _, record in ipairs(cjson.decode(request.body)) do
        records[#records + 1] = record
        paths[#paths + 1] = request.path
      end
    end
    server:reset()
    return records, paths
  end

  -- The properties of the one event that was tracked with these.
  local function properties(given, client)
    assert((client or mp):track("Event", given))
    local records = arrived(client)
    assert.equal(1, #records)
    return records[1].properties
  end

  describe("carry", function()
    it("the name, the token, a time, an id, the library and the caller's own", function()
      local from = os.time()
      assert(mp:track("Signup", { distinct_id = "1234" }))
      assert(mp:flush(10))
      local time, id = server:lines("/track")[1]:match(
        '^{"event":"Signup","properties":{"token":"projecttoken","time":(%d+),'
          .. '"$insert_id":"(%x+)","mp_lib":"lua","$lib_version":"'
          .. mixpanel._VERSION:gsub("%p", "%%%0")
          .. '","ip":0,"distinct_id":"1234"}}$'
      )
      assert.is_true(tonumber(time) >= (from - 1) * 1000)
      assert.is_true(tonumber(time) <= (os.time() + 2) * 1000)
      assert.equal(32, #id)
    end)

    it("nobody's id when they have none", function()
      assert.equal("", properties().distinct_id)
      assert.equal("", properties({ distinct_id = mixpanel.null }).distinct_id)
      assert.equal("", properties({ distinct_id = "" }).distinct_id)
      assert.equal("", properties({ ["$user_id"] = "" }).distinct_id)
      for _, name in ipairs { "$user_id", "$device_id", "$distinct_id" } do
        local p = properties { [name] = "u" }
        assert.equal("u", p[name])
        assert.is_nil(p.distinct_id)
      end
    end)

    it("an $insert_id of their own each", function()
      local seen, n = {}, 0
      for _ = 1, 1000 do
        assert(mp:track "Event")
      end
      for _, record in ipairs(arrived()) do
        local id = record.properties["$insert_id"]
        assert.matches("^%x+$", id)
        assert.is_nil(seen[id])
        seen[id] = true
        n = n + 1
      end
      assert.equal(1000, n)
    end)

    it("the caller's $insert_id", function()
      for _, id in ipairs { "a", ("z"):rep(36), "A-9" } do
        assert.equal(id, properties({ ["$insert_id"] = id })["$insert_id"])
      end
      assert.equal("12", properties({ ["$insert_id"] = 12 })["$insert_id"])
      assert.equal(32, #properties({ ["$insert_id"] = mixpanel.null })["$insert_id"])
    end)

    it("times as integer milliseconds, from seconds or milliseconds", function()
      for given, sent in pairs {
        [1700000000] = "1700000000000",
        [1700000000.5] = "1700000000500",
        [1700000000.1234] = "1700000000123",
        [1700000000123] = "1700000000123",
        [1700000000123.6] = "1700000000124",
        [1e11] = "100000000000",
        [99999999999] = "99999999999000",
        [31536000] = "31536000000",
        [253402300799999] = "253402300799999",
      } do
        assert(mp:track("Event", { time = given }))
        assert(mp:import("Event", given))
        assert(mp:flush(10))
        for _, path in ipairs { "/track", "/import" } do
          for _, line in ipairs(server:lines(path)) do
            assert.equal(sent, line:match '"time":([^,]*),')
          end
        end
        server:reset()
      end
      if has_ffi then
        assert.equal(1700000000123, properties({ time = ffi.new("int64_t", 1700000000123) }).time)
      end
      assert.is_true(properties({ time = mixpanel.null }).time > 1700000000000)
    end)

    it("no place, unless it is the caller's or Mixpanel may find it", function()
      assert.equal(0, properties().ip)
      assert.equal(0, properties({ ip = mixpanel.null }).ip)
      assert.equal("1.2.3.4", properties({ ip = "1.2.3.4" }).ip)
      local finder = new { geolocate = true }
      assert.is_nil(properties(nil, finder).ip)
      assert.equal("1.2.3.4", properties({ ip = "1.2.3.4" }, finder).ip)
      finder:close()
    end)

    it("integers as ids, as their decimal text", function()
      for _, name in ipairs { "distinct_id", "$distinct_id", "$user_id", "$device_id" } do
        assert.equal("1234", properties({ [name] = 1234 })[name])
        assert.equal("-7", properties({ [name] = -7.0 })[name])
      end
      if has_ffi then
        local id = ffi.new("uint64_t", 765611979602879) * 100 + 31
        assert.equal("76561197960287931", properties({ distinct_id = id }).distinct_id)
      elseif math.type then
        assert.equal(
          "76561197960287931",
          properties({ distinct_id = 76561197960287931 }).distinct_id
        )
      end
    end)

    it("the client's token, whatever the caller says", function()
      local p = properties { token = "another", ["$token"] = "kept" }
      assert.equal("projecttoken", p.token)
      assert.equal("kept", p["$token"])
      assert.equal(1, mp:stats().repaired)
      properties { token = print }
      assert.equal(2, mp:stats().repaired)
    end)

    it("the caller's library", function()
      local p = properties { mp_lib = "mine", ["$lib_version"] = "7" }
      assert.equal("mine", p.mp_lib)
      assert.equal("7", p["$lib_version"])
    end)

    it("names with any character", function()
      for _, name in ipairs { '漢字 "x"', "a\0b", "\1", " padded " } do
        assert(mp:track(name))
        assert.equal(name, arrived()[1].event)
      end
      assert(mp:track "a\255")
      assert.equal("a\239\191\189", arrived()[1].event)
      assert.equal(1, mp:stats().repaired)
    end)
  end)

  describe("with the client's properties", function()
    local own = {
      plan = "free",
      nested = { a = { 1, 2 } },
      distinct_id = "default",
      ['quoted "name"'] = 1,
      mp_lib = "wrapper",
      ip = "9.9.9.9",
      [5] = "five",
    }
    local client

    before_each(function()
      client = new { properties = own }
    end)

    after_each(function()
      client:close()
    end)

    it("carry those that they do not give themselves", function()
      local p = properties(nil, client)
      assert.same({ a = { 1, 2 } }, p.nested)
      assert.equal("free", p.plan)
      assert.equal("default", p.distinct_id)
      assert.equal(1, p['quoted "name"'])
      assert.equal("wrapper", p.mp_lib)
      assert.equal("9.9.9.9", p.ip)
      assert.equal("five", p["5"])
    end)

    it("win, name by name", function()
      local given = {
        plan = "pro",
        distinct_id = "u",
        ['quoted "name"'] = 2,
        mp_lib = "mine",
        ip = "1.1.1.1",
        ["5"] = "FIVE",
      }
      local p = properties(given, client)
      for name, value in pairs(given) do
        assert.equal(value, p[name])
      end
      assert.same({ a = { 1, 2 } }, p.nested)
      assert.equal("FIVE 2", properties({ [5] = "FIVE 2" }, client)["5"])
      assert.equal(cjson.null, properties({ plan = mixpanel.null }, client).plan)
      -- Null is no id and no address, so the client's stay.
      p = properties({ distinct_id = mixpanel.null, ip = mixpanel.null }, client)
      assert.equal("default", p.distinct_id)
      assert.equal("9.9.9.9", p.ip)
    end)

    it("are nobody's when they take the only id away", function()
      local p = properties({ ["$user_id"] = "" }, new { properties = { ["$user_id"] = "u" } })
      assert.equal("", p["$user_id"])
      assert.equal("", p.distinct_id)
      p = properties({ distinct_id = "" }, client)
      assert.equal("", p.distinct_id)
      p = properties(nil, new { properties = { distinct_id = mixpanel.null, ip = mixpanel.null } })
      assert.equal("", p.distinct_id)
      assert.equal(0, p.ip)
    end)

    it("carry all of many, whichever are overridden", function()
      local many, n = {}, 200
      for i = 1, n do
        many["p" .. i] = i
      end
      local big = new { properties = many }
      for _, step in ipairs { 1, 2, 3, 7, 63, 64, 65 } do
        local given = {}
        for i = 1, n, step do
          given["p" .. i] = -i
        end
        local p = properties(given, big)
        for i = 1, n do
          assert.equal((i - 1) % step == 0 and -i or i, p["p" .. i])
        end
      end
      big:close()
    end)

    it("keep a table of the caller out of it", function()
      local live = { plan = "free" }
      local snapshot = new { properties = live }
      live.plan = "changed"
      assert.equal("free", properties(nil, snapshot).plan)
      assert.same({ plan = "changed" }, live)
      snapshot:close()
    end)

    it("carry the new ones after set_config", function()
      assert(client:set_config { properties = { plan = "team" } })
      local p = properties(nil, client)
      assert.equal("team", p.plan)
      assert.is_nil(p.nested)
      assert.equal("", p.distinct_id)
      assert(client:set_config { properties = {} })
      assert.is_nil(properties(nil, client).plan)
      assert(client:set_config { flush_interval = 1 })
    end)

    it("count what had to be repaired in these, in every event", function()
      local broken = new { properties = { a = "\255", b = 0 / 0 } }
      properties(nil, broken)
      properties({ c = 1 / 0 }, broken)
      assert.equal(5, broken:stats().repaired)
      broken:close()
    end)
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
      raises("bad argument #2 to 'track' (properties: table expected, got string)", function()
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
      raises("bad argument #1 to 'track' (mixpanel.client expected, got table)", function()
        mp.track({}, "Event")
      end)
      raises("bad argument #1 to 'track' (mixpanel.client expected, got string)", function()
        mp.track "Event"
      end)
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

  describe("in a list", function()
    it("go all, in order", function()
      local list = {}
      for i = 1, 2500 do
        list[i] = { event = "Step " .. i, properties = { n = i, distinct_id = "u" } }
      end
      local ok, n = mp:track_batch(list)
      assert.is_true(ok)
      assert.equal(2500, n)
      local records = arrived()
      assert.equal(2500, #records)
      local seen = {}
      for _, record in ipairs(records) do
        assert.equal(("Step %d"):format(record.properties.n), record.event)
        seen[record.properties.n] = true
      end
      assert.equal(2500, #seen)
    end)

    it("may have no properties, and be none", function()
      assert.same({ true, 0 }, { mp:track_batch {} })
      assert.same({ true, 1 }, { mp:track_batch { { event = "A" } } })
      assert.equal("A", arrived()[1].event)
    end)

    it("go to /import with a time each", function()
      local t = os.time() - 60
      assert.same({ true, 2 }, {
        mp:import_batch {
          { event = "A", properties = { time = t } },
          { event = "B", properties = { time = t * 1000 + 1 } },
        },
      })
      local records, paths = arrived()
      assert.same({ "/import", "/import" }, paths)
      assert.equal(t * 1000, records[1].properties.time)
      assert.equal(t * 1000 + 1, records[2].properties.time)
    end)

    it("go all or none, with the place of the first that is wrong", function()
      local function refuse(message, place, list, import)
        local ok, why, code, i = mp[import and "import_batch" or "track_batch"](mp, list)
        assert.is_nil(ok)
        assert.equal(message, why)
        assert.equal("invalid", code)
        assert.equal(place, i)
      end
      local good = { event = "Good", properties = { a = 1 } }
      refuse("list[2].properties.x[1]: function has no JSON form", 2, {
        good,
        { event = "Bad", properties = { x = { print } } },
      })
      refuse("list[3]: expected { event =, properties = }, got 5", 3, { good, good, 5 })
      refuse('list[1]: expected { event =, properties = }, got "Event"', 1, { "Event" })
      refuse(
        'list[1]: "name" is no field of an event: expected { event =, properties = }',
        1,
        { { event = "A", name = "B" } }
      )
      refuse(
        "list[1]: 1 is no field of an event: expected { event =, properties = }",
        1,
        { { event = "A", { a = 1 } } }
      )
      refuse("list[2].event: string expected, got nil", 2, { good, { properties = {} } })
      refuse("list[1].event: string expected, got 5", 1, { { event = 5 } })
      refuse("list[1].event: the name of the event is blank", 1, { { event = " " } })
      refuse(
        'list[1].properties: table expected, got "a"',
        1,
        { { event = "A", properties = "a" } }
      )
      refuse("list[2].properties.time: import wants to know when each event happened", 2, {
        { event = "A", properties = { time = os.time() } },
        { event = "B", properties = {} },
      }, true)
      refuse(
        'list[2].event: "$merge" goes to another endpoint than the events before it: '
          .. "send it in a call of its own",
        2,
        { good, { event = "$merge", properties = { ["$distinct_ids"] = { "a", "b" } } } }
      )
      assert.equal(0, mp:stats().accepted)
    end)

    it("lose none: a table that is no list is refused whole", function()
      local message = "list: expected a list of { event =, properties = }, "
        .. "with the keys 1, 2, 3... and no others"
      local good = { event = "Good" }
      refused(message, mp:track_batch(good))
      refused(message, mp:track_batch { [2] = good })
      refused(message, mp:track_batch { good, n = 1 })
      refused(message, mp:track_batch { [1] = good, [2] = good, [4] = good })
      refused(message, mp:track_batch { [1] = good, [1.5] = good })
      assert.equal(0, mp:stats().accepted)
    end)

    it("go all or none when the queue is full", function()
      local small = new { max_queue_bytes = 65536 }
      server:script { status = 503, times = 0 }
      local list = {}
      for i = 1, 100 do
        list[i] = { event = "Large", properties = { text = ("x"):rep(1000) } }
      end
      local ok, message, code, place = small:track_batch(list)
      assert.is_nil(ok)
      assert.equal(
        "the queue is full: max_queue_bytes = 65536 are waiting to be delivered",
        message
      )
      assert.equal("queue_full", code)
      assert.is_nil(place)
      assert.equal(0, small:stats().accepted)
      small:close(0)
    end)
  end)

  describe("of identity", function()
    local anonymous = "5be8f0a6-7b6a-4d5e-9c53-0d2f4c6d4a11"

    -- Those of the record, without what every event carries.
    local function own(record)
      local p = record.properties
      assert.equal("projecttoken", p.token)
      for _, name in ipairs { "token", "time", "$insert_id", "mp_lib", "$lib_version", "ip" } do
        p[name] = nil
      end
      return p
    end

    it("identify", function()
      assert(mp:identify("u1", anonymous))
      local records, paths = arrived()
      assert.same({ "/track" }, paths)
      assert.equal("$identify", records[1].event)
      assert.same(
        { ["$identified_id"] = "u1", ["$anon_id"] = anonymous, distinct_id = "u1" },
        own(records[1])
      )
    end)

    it("alias", function()
      assert(mp:alias("nick", 1234))
      local records, paths = arrived()
      assert.same({ "/track" }, paths)
      assert.equal("$create_alias", records[1].event)
      assert.same({ alias = "nick", distinct_id = "1234" }, own(records[1]))
    end)

    it("merge", function()
      assert(mp:merge("a", "b"))
      local records, paths = arrived()
      assert.same({ "/import" }, paths)
      assert.equal("$merge", records[1].event)
      assert.same({ ["$distinct_ids"] = { "a", "b" } }, own(records[1]))
    end)

    it("go where they belong also by name, and by a client that imports", function()
      local importer = new { events_via = "import", properties = { plan = "pro" } }
      assert(importer:identify("u1", anonymous))
      assert(importer:track("$create_alias", { alias = "n", distinct_id = "u1" }))
      assert(importer:track "Event")
      assert(importer:flush(10))
      assert(importer:merge("a", "b"))
      local records, paths = arrived(importer)
      local found = {}
      for i, record in ipairs(records) do
        found[record.event] = paths[i]
        -- A merge takes nothing but its ids.
        assert.equal(record.event ~= "$merge" and "pro" or nil, record.properties.plan)
      end
      assert.same({
        ["$identify"] = "/track",
        ["$create_alias"] = "/track",
        Event = "/import",
        ["$merge"] = "/import",
      }, found)
      importer:close()
    end)

    it("win over the client's properties", function()
      local client = new {
        properties = { distinct_id = "d", alias = "other", ["$anon_id"] = "other" },
      }
      assert(client:identify("u1", anonymous))
      assert(client:alias("nick", "u2"))
      local records = arrived(client)
      assert.equal("u1", records[1].properties.distinct_id)
      assert.equal(anonymous, records[1].properties["$anon_id"])
      assert.equal("nick", records[2].properties.alias)
      assert.equal("u2", records[2].properties.distinct_id)
      client:close()
    end)

    it("refuse ids that name nobody, or the same twice", function()
      refused("user_id: an empty id names nobody", mp:identify("", anonymous))
      refused("anon_id: an empty id names nobody", mp:identify("u", ""))
      refused('alias: Mixpanel refuses "null" as an id', mp:alias("null", "u"))
      refused('id2: Mixpanel refuses "0" as an id', mp:merge("u", 0))
      refused("distinct_id: the same id as alias", mp:alias("u", "u"))
      refused("anon_id: the same id as user_id", mp:identify(7, "7"))
      assert.equal(0, mp:stats().accepted)
    end)
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
          getmetatable(victim).__gc(victim)
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

  it("leave the caller's tables as they are", function()
    local random = values.new(7)
    for _ = 1, 200 do
      local given = random:properties()
      given.distinct_id, given.token, given.time = 5, "t", os.time()
      local list = { { event = "A", properties = given } }
      local before = values.describe(list)
      assert(mp:track("A", given))
      assert(mp:track_batch(list))
      assert(mp:import("A", os.time(), given))
      assert(mp.people:set("u", given))
      assert.equal(before, values.describe(list))
    end
  end)
end)
