-- What a Lua value becomes on the wire, read back from what the sandbox got.
-- luacheck: std max+busted
local cjson = require "cjson"
local encoded = require "spec.support.encoded"
local json = require "spec.support.json"
local mixpanel = require "mixpanel"
local values = require "spec.support.values"

local has_integers = math.type ~= nil
local has_ffi, ffi = pcall(require, "ffi")

-- Set to another number, and to more rounds, to search on.
local seed = tonumber(os.getenv "MIXPANEL_SPEC_SEED") or 20240611
local rounds = tonumber(os.getenv "MIXPANEL_SPEC_ROUNDS") or 4000

local fffd = "\239\191\189"

describe("the encoder", function()
  local here = encoded "encode"
  local texts, text, refusal = here.texts, here.text, here.refusal
  local server, mp

  before_each(function()
    server, mp = here.server, here.mp
  end)

  local automatic = {
    "token",
    "time",
    "$insert_id",
    "mp_lib",
    "$lib_version",
    "ip",
    "distinct_id",
  }

  it("writes thousands of random tables that read back equal, and changes none", function()
    local random = values.new(seed)
    local expected = {}
    for i = 1, rounds do
      local source
      source, expected[i] = random:properties()
      local before = values.describe(source)
      local ok, why = mp:track("v" .. i, source)
      assert.is_true(ok, ("seed %d, table %d: %s"):format(seed, i, tostring(why)))
      assert.equal(before, values.describe(source))
    end
    assert(mp:flush(60))
    local lines = server:lines "/track"
    assert.equal(rounds, #lines)
    for i, line in ipairs(lines) do
      local where = ("seed %d, table %d"):format(seed, i)
      local object = json.read(line).object
      assert.equal("v" .. i, object.event)
      local properties, decoded = object.properties, cjson.decode(line).properties
      for _, name in ipairs(automatic) do
        properties.object[name], decoded[name] = nil, nil
      end
      assert.is_nil(values.compare(properties, expected[i], where))
      assert.is_nil(values.compare_cjson(decoded, expected[i], where))
    end
    assert.equal(random.repaired, mp:stats().repaired)
  end)

  describe("writes numbers:", function()
    it("integral ones below 2^53 as integers", function()
      assert.same(
        { "0", "0", "1", "-1", "1000000000000000", "9007199254740991", "-9007199254740991" },
        texts { 0, -0.0, 1.0, -1.0, 1e15, 2 ^ 53 - 1, 1 - 2 ^ 53 }
      )
    end)

    it("others as the shortest digits that read back", function()
      assert.same(
        { "0.1", "0.30000000000000004", "3.141592653589793", "5e-324", "1.7976931348623157e308" },
        texts { 0.1, 0.1 + 0.2, math.pi, 5e-324, 1.7976931348623157e308 }
      )
      assert.same(
        { "0.000001", "1e-7", "100000000000000000000", "1e21", "18014398509481984" },
        texts { 1e-6, 1e-7, 1e20, 1e21, 2 ^ 54 }
      )
    end)

    if has_integers then
      it("integers exactly, to 64 bits", function()
        assert.same(
          {
            "9007199254740991",
            "9007199254740992",
            "9007199254740993",
            "76561197960287930",
            "76561197960287931",
            "9223372036854775807",
            "-9223372036854775808",
          },
          texts {
            9007199254740991,
            9007199254740992,
            9007199254740993,
            76561197960287930,
            76561197960287931,
            math.maxinteger,
            math.mininteger,
          }
        )
      end)
    end

    if has_ffi then
      it("64-bit cdata exactly", function()
        local signed, unsigned = ffi.typeof "int64_t", ffi.typeof "uint64_t"
        local two_53 = signed(2 ^ 53)
        assert.same(
          {
            "9007199254740991",
            "9007199254740993",
            "0",
            "-9223372036854775808",
            "9223372036854775807",
            "18446744073709551615",
          },
          texts {
            two_53 - 1,
            two_53 + 1,
            signed(0),
            signed(2 ^ 62) * 2,
            signed(2 ^ 62) * 2 - 1,
            unsigned(0) - 1,
          }
        )
        local pair = ffi.new("struct { int64_t id; }", { two_53 + 1 })
        assert.equal("9007199254740993", text(pair.id))
        assert.equal("null", text(ffi.cast("char *", nil)))
      end)

      it("no other cdata, and runs no metamethod of it but a failing __tostring", function()
        local loud = ffi.metatype("struct { int a; }", {
          __tostring = function()
            error "called"
          end,
        })
        assert.equal("properties.v: cdata has no JSON form", refusal(loud(1)))
        assert.equal("properties.v: cdata has no JSON form", refusal(ffi.new "int[2]"))
        assert.equal("properties.v: cdata has no JSON form", refusal(ffi.new "complex"))
        assert.equal("properties.v: cdata has no JSON form", refusal(ffi.cast("void *", 1)))
      end)
    end

    it("without a look at the locale", function()
      local dir = os.tmpname()
      os.remove(dir)
      local function write(name, contents)
        local file = assert(io.open(dir .. "/" .. name, "w"))
        file:write(contents)
        file:close()
      end
      local function run(command)
        local status = os.execute(command)
        return status == true or status == 0
      end
      assert(run("mkdir " .. dir))
      write("charmap", "<code_set_name> A\nCHARMAP\n<U0000>..<U007F> /x00 ASCII\nEND CHARMAP\n")
      write("source", 'LC_NUMERIC\ndecimal_point ","\nthousands_sep "."\nEND LC_NUMERIC\n')
      -- It warns of all that is missing beside, and says so by its status.
      run(("cd %s && localedef -c -f ./charmap -i source ./commas 2>/dev/null"):format(dir))
      write(
        "track.lua",
        ([[
          package.cpath = %q
          assert(os.setlocale("commas", "numeric"))
          local mp = require "mixpanel".new("projecttoken", { api_host = %q })
          assert(mp:track("v", { v = { 0.5, 1234567.25, 1/3, 12345678, 1e300 } }))
          assert(mp:flush(10))
        ]]):format(package.cpath, server.url)
      )
      local lua = has_ffi and "luajit" or "lua" .. _VERSION:match "%d%.%d"
      local done = run(("LOCPATH=%s %s %s/track.lua"):format(dir, lua, dir))
      run("rm -r " .. dir)
      assert.is_true(done)
      assert.equal(
        "[0.5,1234567.25,0.3333333333333333,12345678,1e300]",
        server:lines("/track")[1]:match '"v":(.*)}}$'
      )
    end)
  end)

  describe("writes strings:", function()
    it("escaped as JSON wants it and not more", function()
      assert.same({
        [[""]],
        [["\"\\/"]],
        [["\b\f\n\r\t\u0000\u0001\u001f]] .. "\127" .. [["]],
        '"Zürich 漢字 😀 \226\128\168"',
      }, texts { "", '"\\/', "\b\f\n\r\t\0\1\31\127", "Zürich 漢字 😀 \226\128\168" })
    end)

    it("with U+FFFD for each maximal part that is not UTF-8, and counts them", function()
      assert.same(
        {
          '"a' .. fffd .. 'b"',
          '"' .. fffd .. fffd .. '"',
          '"' .. fffd:rep(3) .. '"',
          '"' .. fffd .. '"',
          '"' .. fffd .. '("',
          '"' .. fffd .. "é" .. fffd .. '"',
        },
        texts {
          "a\255b",
          "\192\175",
          "\237\160\128",
          "\240\159\152",
          "\226\130(",
          "\195\195\169\195",
        }
      )
      assert.equal(6, mp:stats().repaired)
    end)

    it("of any length and at any offset of a bad byte", function()
      local list, expected = {}, {}
      for n = 0, 40 do
        list[#list + 1] = ("x"):rep(n) .. "\255" .. ("y"):rep(40 - n)
        expected[#expected + 1] = '"' .. ("x"):rep(n) .. fffd .. ("y"):rep(40 - n) .. '"'
        list[#list + 1] = ("x"):rep(n) .. '"'
        expected[#expected + 1] = '"' .. ("x"):rep(n) .. [[\""]]
      end
      assert.same(expected, texts(list))
    end)
  end)

  describe("writes what Lua has no value for:", function()
    it("NaN and infinities as null, counted", function()
      assert.same({ "null", "null", "null" }, texts { 0 / 0, 1 / 0, -1 / 0 })
      assert.equal(3, mp:stats().repaired)
    end)

    it("null, its own and that of other libraries", function()
      local dkjson = require "dkjson"
      assert.same({ "null", "null", "null" }, texts { mixpanel.null, cjson.null, dkjson.null })
      assert.same(
        { "[null,null]", '{"a":null}' },
        texts {
          { mixpanel.null, cjson.null },
          { a = dkjson.null },
        }
      )
      assert.equal(0, mp:stats().repaired)
    end)
  end)

  describe("tells lists from objects:", function()
    it("keys 1..n are a list, in whatever order they were set", function()
      local backwards, holes = {}, {}
      for i = 9, 1, -1 do
        backwards[i] = i
      end
      for i = 1, 40 do
        holes[i] = i
      end
      for i = 4, 40 do
        holes[i] = nil
      end
      assert.same(
        { "[1,2,3,4,5,6,7,8,9]", "[1,2,3]", "[false]", '["a"]' },
        texts {
          backwards,
          holes,
          { false },
          { [1.0] = "a" },
        }
      )
    end)

    it("an empty table is an object, and so is one with any other key", function()
      assert.same(
        {
          "{}",
          '{"2":1}',
          '{"0":1}',
          '{"1.5":1}',
          '{"-1":1}',
          '{"1":1}',
          '{"1000000000":1}',
          '{"1e300":1}',
        },
        texts {
          {},
          { [2] = 1 },
          { [0] = 1 },
          { [1.5] = 1 },
          { [-1] = 1 },
          { ["1"] = 1 },
          { [1e9] = 1 },
          { [1e300] = 1 },
        }
      )
      local object = json.read(text { 1, 2, x = 3 }).object
      assert.equal("1", object["1"].number)
      assert.equal("2", object["2"].number)
      assert.equal("3", object.x.number)
      local sparse = json.read(text { [1] = 1, [2] = 2, [4] = 4 }).object
      assert.equal("4", sparse["4"].number)
    end)

    it("array and object say otherwise, and leave the table as it is", function()
      local empty, pair, sparse = {}, { 1, 2 }, { [1] = "a", [3] = "c" }
      assert.same(
        { "[]", "{}", '["a",null,"c"]' },
        texts {
          mixpanel.array(empty),
          mixpanel.object(empty),
          mixpanel.array(sparse),
        }
      )
      local object = json.read(text(mixpanel.object(pair))).object
      assert.equal("1", object["1"].number)
      assert.equal("2", object["2"].number)
      assert.same({}, empty)
      assert.is_nil(getmetatable(empty))
      assert.same({ 1, 2 }, pair)
      empty[1] = "later" -- the marker refers to it
      assert.equal('["later"]', text(mixpanel.array(empty)))
      assert.equal('{"a":[]}', text { a = mixpanel.array {} })
    end)

    it("an array takes no other keys, and a marker nothing but a table", function()
      assert.equal(
        'properties.v: an array cannot have the key "x"',
        refusal(mixpanel.array { x = 1 })
      )
      assert.equal(
        "properties.v: an array cannot have the key 1.5",
        refusal(mixpanel.array { [1.5] = 1 })
      )
      assert.equal(
        "properties.v: an array cannot have the key 0",
        refusal(mixpanel.array { [0] = 1 })
      )
      assert.has_error(function()
        mixpanel.array "x"
      end, "bad argument #1 to 'array' (table expected, got string)")
      assert.has_error(function()
        mixpanel.object()
      end, "bad argument #1 to 'object' (table expected, got no value)")
    end)

    it("the sentinels of lua-cjson and dkjson count", function()
      local array_mt, empty_array_mt = cjson.array_mt, cjson.empty_array_mt
      cjson.array_mt, cjson.empty_array_mt = {}, {}
      local from_dkjson = require("dkjson").decode "[[],{}]"
      local found = texts {
        setmetatable({}, cjson.array_mt),
        setmetatable({ [2] = "b" }, cjson.array_mt),
        setmetatable({}, cjson.empty_array_mt),
        setmetatable({ a = 1 }, cjson.empty_array_mt),
        setmetatable({}, { __jsontype = "array" }),
        setmetatable({ "a" }, { __jsontype = "object" }),
        setmetatable({ "a" }, { __jsontype = 5 }),
        from_dkjson,
      }
      cjson.array_mt, cjson.empty_array_mt = array_mt, empty_array_mt
      assert.same(
        { "[]", '[null,"b"]', "[]", '{"a":1}', "[]", '{"1":"a"}', '["a"]', "[[],{}]" },
        found
      )
    end)
  end)

  it("calls no metamethod and follows none", function()
    local hidden = { a = 1, list = { 1, 2 } }
    local meta = {}
    for name, method in pairs(values.hostile) do
      meta[name] = method
    end
    meta.__index = hidden
    meta.__gc = function()
      mp:track("from a finaliser", { x = { 1.5, { y = "z" } } })
    end
    local proxy = setmetatable({ b = setmetatable({ 3, 4 }, meta) }, meta)
    assert.equal('{"b":[3,4]}', text(proxy))
    assert(mp:track("proxy", setmetatable({ own = 1 }, meta)))
    assert(mp:flush(10))
    local properties = cjson.decode(server:lines("/track")[1]).properties
    assert.equal(1, properties.own)
    assert.is_nil(properties.a)
  end)
end)
