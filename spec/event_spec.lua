-- Events: what goes around the caller's properties.
-- luacheck: std max+busted
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local sandboxed = require "spec.support.sandboxed"
local values = require "spec.support.values"

local has_ffi, ffi = pcall(require, "ffi")

describe("events", function()
  local here = sandboxed "event"
  local new, arrived = here.new, here.arrived
  local server, mp

  before_each(function()
    server, mp = here.server, here.mp
  end)

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
      assert(mp:track("Event", { mp_lib = "mine", ["$lib_version"] = "7" }))
      assert(mp:flush(10))
      local line = server:lines("/track")[1]
      local _, libraries = line:gsub('"mp_lib":', "")
      local _, versions = line:gsub('"$lib_version":', "")
      assert.same({ 1, 1 }, { libraries, versions })
      assert.is_truthy(line:find('"mp_lib":"mine"', 1, true))
      assert.is_truthy(line:find('"$lib_version":"7"', 1, true))
    end)

    it("no version of ours beside the caller's library", function()
      assert(mp:track("Event", { mp_lib = "mine" }))
      assert(mp:flush(10))
      assert.is_nil(server:lines("/track")[1]:find("$lib_version", 1, true))
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
