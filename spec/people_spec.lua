-- People: every operation in every form, and modifiers.
-- luacheck: std max+busted
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local raises = require "spec.support.raises"
local refused = require "spec.support.refused"
local sandboxed = require "spec.support.sandboxed"
local update_text = require "spec.support.update_text"

local has_ffi, ffi = pcall(require, "ffi")

describe("people", function()
  local here = sandboxed "people"
  local new = here.new
  local server, mp, people

  before_each(function()
    server, mp, people = here.server, here.mp, here.mp.people
  end)

  after_each(function()
    mp:close() -- one that the spec made itself, too
  end)

  local function sent(...)
    return update_text(here, mp, ...)
  end

  describe("take one property or a table:", function()
    it("set", function()
      assert.equal('"$set":{"a":1}', sent(people:set("u", "a", 1)))
      assert.equal('"$set":{"a":1}', sent(people:set("u", { a = 1 })))
      assert.equal('"$set":{"a":null}', sent(people:set("u", "a", mixpanel.null)))
      assert.equal('"$set":{}', sent(people:set("u", {})))
      assert.equal('"$set":{"a":{"b":[1,{}]}}', sent(people:set("u", "a", { b = { 1, {} } })))
      assert.equal('"$set":{"a b\\n":true}', sent(people:set("u", "a b\n", true)))
      assert.equal('"$set":{"1":"x"}', sent(people:set("u", { "x" })))
      assert.equal('"$set":{"":1}', sent(people:set("u", "", 1)))
    end)

    it("set_once", function()
      assert.equal('"$set_once":{"a":"x"}', sent(people:set_once("u", "a", "x")))
      assert.equal('"$set_once":{"a":"x"}', sent(people:set_once("u", { a = "x" })))
    end)

    it("append, where a list is one value", function()
      assert.equal('"$append":{"a":"x"}', sent(people:append("u", "a", "x")))
      assert.equal('"$append":{"a":[1,2]}', sent(people:append("u", { a = { 1, 2 } })))
    end)

    it("remove, where a list is one value", function()
      assert.equal('"$remove":{"a":"x"}', sent(people:remove("u", "a", "x")))
      assert.equal('"$remove":{"a":[1]}', sent(people:remove("u", { a = { 1 } })))
    end)

    it("union, which makes a list of one value", function()
      assert.equal('"$union":{"a":["x"]}', sent(people:union("u", "a", "x")))
      assert.equal('"$union":{"a":[1,2]}', sent(people:union("u", "a", { 1, 2 })))
      assert.equal('"$union":{"a":[true]}', sent(people:union("u", { a = true })))
      assert.equal('"$union":{"a":[""]}', sent(people:union("u", "a", "")))
      assert.equal('"$union":{"a":[null]}', sent(people:union("u", "a", mixpanel.null)))
      assert.equal('"$union":{"a":["x"]}', sent(people:union("u", "a", mixpanel.array { "x" })))
      if has_ffi then
        local id = ffi.new("int64_t", 5)
        assert.equal('"$union":{"a":[5]}', sent(people:union("u", "a", id)))
      end
    end)

    it("increment, by 1 unless told otherwise", function()
      assert.equal('"$add":{"n":1}', sent(people:increment("u", "n")))
      assert.equal('"$add":{"n":1}', sent(people:increment("u", "n", nil)))
      assert.equal('"$add":{"n":-2.5}', sent(people:increment("u", "n", -2.5)))
      assert.equal('"$add":{"n":7}', sent(people:increment("u", { n = 7 })))
      if has_ffi then
        local id = ffi.new("int64_t", 9007199254740992) + 1
        assert.equal('"$add":{"n":9007199254740993}', sent(people:increment("u", "n", id)))
      end
    end)
  end)

  it("take a name or a list of names to unset", function()
    assert.equal('"$unset":["a"]', sent(people:unset("u", "a")))
    assert.equal('"$unset":["a","b c"]', sent(people:unset("u", { "a", "b c" })))
  end)

  it("are deleted", function()
    assert.equal('"$delete":""', sent(people:delete_user "u"))
    assert.equal(
      '"$ignore_alias":true,"$delete":""',
      sent(people:delete_user("u", { ignore_alias = true }))
    )
  end)

  it("are charged, at a time", function()
    local text = sent(people:track_charge("u", 9.5))
    assert.matches(
      '^"%$append":{"%$transactions":{"%$amount":9.5,"%$time":"%d+%-%d+%-%d+T%d+:%d+:%d+"}}$',
      text
    )
    local time = mixpanel.date(1700000000)
    assert.equal(
      '"$append":{"$transactions":{"$amount":5,"$time":"2023-11-14T22:13:20"}}',
      sent(people:track_charge("u", 5, { ["$time"] = time }))
    )
    local charge = cjson.decode(
      "{" .. sent(people:track_charge("u", -5, { sku = "x", items = { 1 } })) .. "}"
    )["$append"]["$transactions"]
    assert.equal(-5, charge["$amount"])
    assert.equal("x", charge.sku)
    assert.same({ 1 }, charge.items)
    assert.is_truthy(charge["$time"])
    assert.equal('"$set":{"$transactions":[]}', sent(people:clear_charges "u"))
  end)

  it("take one operation as Mixpanel spells it", function()
    for operation, case in pairs {
      ["$set"] = { { a = 1 }, '{"a":1}' },
      ["$set_once"] = { { a = 1 }, '{"a":1}' },
      ["$add"] = { { a = 1 }, '{"a":1}' },
      ["$append"] = { { a = 1 }, '{"a":1}' },
      ["$remove"] = { { a = 1 }, '{"a":1}' },
      ["$union"] = { { a = 1 }, '{"a":[1]}' },
      ["$unset"] = { { "a" }, '["a"]' },
      ["$delete"] = { "", '""' },
    } do
      assert.equal(
        ('"%s":%s'):format(operation, case[2]),
        sent(people:update("u", { [operation] = case[1] }))
      )
    end
    assert.equal(
      '"$unset":["a"]',
      sent(people:update("u", { ["$unset"] = mixpanel.array { "a" } }))
    )
    assert.equal('"$unset":["a"]', sent(people:update("u", { ["$unset"] = "a" })))
  end)

  describe("modifiers", function()
    it("stand beside the operation, with or without their $", function()
      for given, text in pairs {
        time = { 1700000000, '"$time":1700000000000' },
        ["$time"] = { 1700000000.5, '"$time":1700000000500' },
        ignore_time = { true, '"$ignore_time":true' },
        ["$ignore_alias"] = { false, '"$ignore_alias":false' },
        latitude = { 47.5, '"$latitude":47.5' },
        ["$longitude"] = { -180, '"$longitude":-180' },
      } do
        assert.equal(
          text[2] .. ',"$set":{"a":1}',
          sent(people:set("u", "a", 1, { [given] = text[1] }))
        )
        assert.equal(
          text[2] .. ',"$set":{"a":1}',
          sent(people:set("u", { a = 1 }, { [given] = text[1] }))
        )
      end
    end)

    it("work with every call", function()
      local m = { ignore_time = true }
      local beside = '^"%$ignore_time":true,"%$%l+'
      assert.matches(beside, sent(people:set_once("u", "a", 1, m)))
      assert.matches(beside, sent(people:append("u", "a", 1, m)))
      assert.matches(beside, sent(people:union("u", "a", 1, m)))
      assert.matches(beside, sent(people:remove("u", "a", 1, m)))
      assert.matches(beside, sent(people:increment("u", "a", nil, m)))
      assert.matches(beside, sent(people:increment("u", { a = 1 }, m)))
      assert.matches(beside, sent(people:unset("u", "a", m)))
      assert.matches(beside, sent(people:unset("u", { "a" }, m)))
      assert.matches(beside, sent(people:delete_user("u", m)))
      assert.matches(beside, sent(people:track_charge("u", 1, nil, m)))
      assert.matches(beside, sent(people:clear_charges("u", m)))
      assert.matches(beside, sent(people:update("u", { ["$set"] = {} }, m)))
    end)

    it("say where somebody is", function()
      local head = '{"$token":"projecttoken","$distinct_id":"u",'
      assert.equal(
        head .. '"$ip":"1.2.3.4","$set":{"a":1}}',
        sent(people:set("u", "a", 1, { ip = "1.2.3.4" }))
      )
      assert.equal('"$set":{"a":1}', sent(people:set("u", "a", 1, { ip = 0 })))
      assert.equal('"$set":{"a":1}', sent(people:set("u", "a", 1, { ip = mixpanel.null })))
      mp:close()
      mp = new { geolocate = true }
      people = mp.people
      assert.equal(head .. '"$set":{"a":1}}', sent(people:set("u", "a", 1)))
    end)

    it("say when an update was made, which is now unless they say otherwise", function()
      local before = os.time() * 1000
      local function time(...)
        assert.is_true(...)
        assert(mp:flush(10))
        local record = server:records("/engage")[1]
        server:reset()
        return record["$time"]
      end
      local function is_now(...)
        local ms = time(...)
        assert.is_true(ms >= before and ms <= os.time() * 1000 + 1000, tostring(ms))
        assert.equal(0, ms % 1)
      end
      is_now(people:set("u", "a", 1))
      is_now(people:increment("u", "a"))
      is_now(people:unset("u", { "a" }))
      is_now(people:track_charge("u", 5))
      is_now(people:clear_charges "u")
      is_now(people:update("u", { ["$set"] = {} }, { time = mixpanel.null }))
      is_now(people:delete_user "u")
      is_now(people:set("u", "a", 1, { ignore_time = false }))
      is_now(people:set("u", "a", 1, { ip = "1.2.3.4", ignore_alias = true }))
      assert.equal(1.7e12, time(people:set("u", "a", 1, { ["$time"] = 1700000000 })))
      assert.is_nil(time(people:set("u", "a", 1, { ignore_time = true })))
      mp:set_config { profile_time = false }
      assert.is_nil(time(people:set("u", "a", 1)))
      assert.equal(1.7e12, time(people:set("u", "a", 1, { time = 1700000000 })))
      mp:set_config { profile_time = true }
      is_now(people:set("u", "a", 1))
    end)

    it("of a wrong type raise, at the caller's line", function()
      raises(
        "bad argument #4 to 'set' (unknown modifier \"$name\": expected ip, time, ignore_time, "
          .. "ignore_alias, latitude or longitude)",
        function()
          people:set("u", "a", 1, { ["$name"] = "x" })
        end
      )
      raises(
        "bad argument #3 to 'set' (unknown modifier 1: expected ip, time, ignore_time, "
          .. "ignore_alias, latitude or longitude)",
        function()
          people:set("u", { a = 1 }, { "ip" })
        end
      )
      raises("bad argument #4 to 'set' (modifiers: table expected, got string)", function()
        people:set("u", "a", 1, "ip")
      end)
      raises(
        "bad argument #4 to 'set' (modifier \"ignore_time\": expected a boolean, got 1)",
        function()
          people:set("u", "a", 1, { ignore_time = 1 })
        end
      )
      raises(
        "bad argument #2 to 'delete_user' (modifier \"ip\": expected an address as string, got 5)",
        function()
          people:delete_user("u", { ip = 5 })
        end
      )
      raises(
        'bad argument #2 to \'delete_user\' (modifier "time": expected a number, got "now")',
        function()
          people:delete_user("u", { time = "now" })
        end
      )
      raises(
        'bad argument #2 to \'clear_charges\' (modifier "latitude": expected a number, got "5")',
        function()
          people:clear_charges("u", { latitude = "5" })
        end
      )
      local ok, err = pcall(people.set, people, "u", "a", 1, { ip = "1", ["$ip"] = "2" })
      assert.is_false(ok)
      assert.matches('modifier "%$?ip" is given with and without its %$', err)
    end)

    it("of a wrong value are refused", function()
      refused(
        "modifiers.time: 12.5 is before 1971: expected seconds or milliseconds since the epoch, "
          .. "as os.time()",
        people:set("u", "a", 1, { time = 12.5 })
      )
      refused(
        "modifiers.latitude: 90.5 is not between -90 and 90 degrees",
        people:set("u", "a", 1, { latitude = 90.5 })
      )
      refused(
        "modifiers.$longitude: nan is not between -180 and 180 degrees",
        people:set("u", "a", 1, { ["$longitude"] = 0 / 0 })
      )
    end)
  end)

  describe("are named by an id", function()
    it("that may be an integer", function()
      for id, text in pairs { [7] = "7", [-1.0e15] = "-1000000000000000", ["x y"] = "x y" } do
        assert(people:set(id, "a", 1))
        assert(mp:flush(10))
        assert.equal(text, server:records("/engage")[1]["$distinct_id"])
        server:reset()
      end
      if math.type then
        assert(people:set(76561197960287931, "a", 1))
      elseif has_ffi then
        assert(people:set(ffi.new("uint64_t", 765611979602879) * 100 + 31, "a", 1))
      end
      if math.type or has_ffi then
        assert(mp:flush(10))
        assert.equal("76561197960287931", server:records("/engage")[1]["$distinct_id"])
      end
    end)

    it("that is somebody's", function()
      refused("id: an empty id names nobody", people:set("", "a", 1))
      refused('id: Mixpanel refuses "undefined" as an id', people:set("undefined", "a", 1))
      refused('id: Mixpanel refuses "0" as an id', people:set(0, "a", 1))
      refused(
        "id: 9007199254740992 is no exact id: pass a string or a 64-bit integer",
        people:set(2.0 ^ 53, "a", 1)
      )
      refused('id: Mixpanel refuses "null" as an id', people:track_charge("null", 1))
      refused('id: Mixpanel refuses "null" as an id', people:update("null", { ["$set"] = {} }))
    end)

    it("that is a string or an integer, or the call raises", function()
      raises("bad argument #1 to 'set' (id: string or integer expected, got nil)", function()
        people:set(nil, "a", 1)
      end)
      raises("bad argument #1 to 'set' (id: string or integer expected, got 1.5)", function()
        people:set(1.5, "a", 1)
      end)
      raises("bad argument #1 to 'set' (id: string or integer expected, got nan)", function()
        people:set(0 / 0, "a", 1)
      end)
      raises("bad argument #1 to 'unset' (id: string or integer expected, got table)", function()
        people:unset { "a" }
      end)
      raises(
        "bad argument #1 to 'delete_user' (id: string or integer expected, got no value)",
        function()
          people:delete_user()
        end
      )
    end)
  end)

  it("repair what they can, or refuse it", function()
    assert.equal(
      '"$set":{"a":["\239\191\189",null]}',
      sent(people:set("u", "a", { "\255", 0 / 0 }))
    )
    assert.equal('"$set":{"\239\191\189":1}', sent(people:set("u", "\255", 1)))
    assert.equal(3, mp:stats().repaired)
    mp:close()
    mp = new { on_invalid = "reject" }
    refused("properties.a: the number is not finite", mp.people:set("u", "a", 1 / 0))
    refused("properties.a: the text is not valid UTF-8", mp.people:set("u", { a = "\255" }))
  end)
end)
