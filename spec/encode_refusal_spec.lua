-- Values that the encoder refuses.
local encoded = require "spec.support.encoded"
local json = require "spec.support.json"
local mixpanel = require "mixpanel"

local fffd = "\239\191\189"

describe("the encoder", function()
  local here = encoded "encode refusal"
  local text, refusal = here.text, here.refusal
  local server, mp

  before_each(function()
    server, mp = here.server, here.mp
  end)

  local function nest(depth, innermost, wrap)
    local value = innermost
    for _ = 1, depth do
      value = wrap(value)
    end
    return value
  end

  local function in_list(value)
    return { value }
  end

  local function in_object(value)
    return { a = value }
  end

  local function count_to(n)
    local list = {}
    for i = 1, n do
      list[i] = i
    end
    return list
  end

  local function keys_to(n)
    local object = {}
    for i = 1, n do
      object["k" .. i] = i
    end
    return object
  end

  describe("keeps keys apart:", function()
    it("a number and a string of the same text are refused", function()
      assert.equal(
        'properties.v: key "1" occurs twice, as a number and as a string',
        refusal { [1] = "a", ["1"] = "b" }
      )
      assert.equal(
        'properties.v: key "2.5" occurs twice, as a number and as a string',
        refusal { [2.5] = "a", ["2.5"] = "b" }
      )
      local ok, message = mp:track("v", { [1] = "a", ["1"] = "b" })
      assert.is_nil(ok)
      assert.equal('properties: key "1" occurs twice, as a number and as a string', message)
    end)

    it("two keys that become one by repair are refused", function()
      assert.matches(
        '^properties%.v: key ".*" occurs twice once it is valid UTF%-8$',
        refusal { ["a\255"] = 1, ["a\254"] = 2 }
      )
      assert.matches(
        "occurs twice once it is valid UTF%-8$",
        refusal {
          ["a" .. fffd] = 1,
          ["a\254"] = 2,
        }
      )
      assert.equal('{"a' .. fffd .. '":1}', text { ["a\255"] = 1 })
      assert.equal(1, mp:stats().repaired)
    end)

    it("keys of other types are refused", function()
      assert.equal("properties.v: a boolean as key has no JSON form", refusal { [true] = 1 })
      assert.equal("properties.v: a table as key has no JSON form", refusal { [{}] = 1 })
      assert.equal("properties.v: a function as key has no JSON form", refusal { [print] = 1 })
      assert.equal("properties.v: an infinite key has no JSON form", refusal { [1 / 0] = 1 })
      local ok, message = mp:track("v", { [false] = 1 })
      assert.is_nil(ok)
      assert.equal("properties: a boolean as key has no JSON form", message)
    end)
  end)

  describe("refuses, with the path,", function()
    it("functions, threads and userdata", function()
      assert.equal("properties.v: function has no JSON form", refusal(print))
      assert.equal(
        "properties.v: thread has no JSON form",
        refusal(coroutine.create(function() end))
      )
      assert.equal("properties.v: userdata has no JSON form", refusal(io.stdout))
      assert.equal("properties.v: userdata has no JSON form", refusal(mp))
      local ok, message = mp:track("v", { items = { { owner = print } } })
      assert.is_nil(ok)
      assert.equal("properties.items[1].owner: function has no JSON form", message)
    end)

    it("paths with keys of every kind, cut when they are long", function()
      assert.equal(
        'properties.v["a b"][7].c: function has no JSON form',
        refusal {
          ["a b"] = { [7] = { c = print } },
        }
      )
      assert.equal(
        'properties.v["\\n' .. fffd .. '"]: function has no JSON form',
        refusal {
          ["\n\255"] = print,
        }
      )
      local long = ("k"):rep(200)
      assert.equal(
        'properties.v["' .. ("k"):rep(40) .. '"...]: function has no JSON form',
        refusal { [long] = print }
      )
      local message = refusal(nest(30, { [("k"):rep(60)] = print }, in_list))
      assert.matches("^properties.*%.%.%.%[1%].*: function has no JSON form$", message)
      assert.is_true(#message < 250)
    end)

    it("tables deeper than 32 levels and cycles", function()
      assert.equal(("["):rep(32) .. "1" .. ("]"):rep(32), text(nest(32, 1, in_list)))
      local too_deep = "tables lie deeper than 32 levels, or contain themselves"
      assert.matches(too_deep, refusal(nest(33, 1, in_list)), 1, true)
      local cycle = {}
      cycle[1] = cycle
      assert.matches(too_deep, refusal(cycle), 1, true)
      cycle = { a = {} }
      cycle.a.b = cycle
      assert.matches("objects lie deeper than 3 levels", refusal(cycle), 1, true)
      assert.matches(too_deep, refusal(nest(33, 1, mixpanel.array and in_list)), 1, true)
      local marked = {}
      marked[1] = mixpanel.array(marked)
      assert.matches(too_deep, refusal(marked), 1, true)
    end)

    it("objects deeper than 3 levels, lists not counted", function()
      assert.equal('{"a":{"a":{"a":1}}}', text(nest(3, 1, in_object)))
      assert.equal(
        "properties.v.a.a.a: objects lie deeper than 3 levels in a property",
        refusal(nest(4, 1, in_object))
      )
      assert.equal('[{"a":[{"a":[{"a":[1]}]}]}]', text { { a = { { a = { { a = { 1 } } } } } } })
      assert.matches(
        "deeper than 3 levels",
        refusal(nest(4, 1, function(value)
          return { { a = value } }
        end))
      )
    end)

    it("more than 254 elements of a list or keys of an object", function()
      assert.equal(254, #json.read(text(count_to(254))).list)
      assert.equal(
        "properties.v: the list has 255 elements; Mixpanel takes at most 254",
        refusal(count_to(255))
      )
      assert.equal(
        "properties.v: the list has 300 elements; Mixpanel takes at most 254",
        refusal(mixpanel.array { [300] = 1 })
      )
      text(keys_to(254))
      assert.equal("properties.v: the object has more than 254 keys", refusal(keys_to(255)))
    end)

    it("records over a megabyte, telling how large they are", function()
      local function track(n)
        return mp:track("v", { v = ("x"):rep(n) })
      end
      assert(track(1048576 - 200))
      local ok, message, code = track(2 * 1048576)
      assert.is_nil(ok)
      assert.equal("invalid", code)
      local bytes =
        message:match "^the record is (%d+) bytes of JSON; Mixpanel takes at most 1048576$"
      assert.is_true(tonumber(bytes) > 2 * 1048576)
      local _, huge = track(9 * 1048576)
      assert.equal("the record is over 8388608 bytes of JSON; Mixpanel takes at most 1048576", huge)
      local shared = { ("x"):rep(1000) } -- 254^3 times
      for _ = 1, 3 do
        local list = {}
        for i = 1, 254 do
          list[i] = shared
        end
        shared = list
      end
      assert.matches("the record is over 8388608 bytes", refusal(shared), 1, true)
      assert(mp:flush(10))
      assert.equal(1, mp:stats().delivered)
    end)

    it("what it would repair, with on_invalid = reject", function()
      local strict = mixpanel.new("projecttoken", {
        api_host = server.url,
        name = "strict",
        on_invalid = "reject",
      })
      local function message(properties)
        local ok, why, code = strict:track("v", properties)
        assert.is_nil(ok)
        assert.equal("invalid", code)
        return why
      end
      assert.equal("properties.a[2]: the number is not finite", message { a = { 1, 0 / 0 } })
      assert.equal("properties.a: the number is not finite", message { a = -1 / 0 })
      assert.equal("properties.a.b: the text is not valid UTF-8", message { a = { b = "\255" } })
      assert.equal(
        'properties.a: key "' .. fffd .. '" is not valid UTF-8',
        message { a = { ["\255"] = 1 } }
      )
      local ok, why = strict:track "\255"
      assert.is_nil(ok)
      assert.equal("event: the text is not valid UTF-8", why)
      assert.equal(0, strict:stats().accepted)
      assert.equal(0, strict:stats().repaired)
      strict:close()
    end)
  end)
end)
