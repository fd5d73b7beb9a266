-- Random Lua values, each with the JSON that it must become, in the form of
-- spec.support.json but for numbers, which are { value = the Lua number }.
-- luacheck: std max+busted
local cjson = require "cjson"
local json = require "spec.support.json"
local mixpanel = require "mixpanel"

local values = {}

local has_integers = math.type ~= nil
local has_ffi, ffi = pcall(require, "ffi")

-- Every metamethod that an encoder might fall for.
values.hostile = {}
for _, name in ipairs {
  "__index",
  "__newindex",
  "__pairs",
  "__ipairs",
  "__len",
  "__call",
  "__concat",
  "__eq",
  "__lt",
  "__tostring",
  "__tojson",
} do
  values.hostile[name] = function()
    error(name .. " was called")
  end
end

-- ---- numbers ----

-- Digits that count: no sign, exponent, or zeros at either end.
local function significant(text)
  local digits = text:gsub("[eE].*", ""):gsub("[^%d]", "")
  return (digits:gsub("^0+", ""):gsub("0+$", ""))
end

local function is_integer(value)
  return type(value) == "cdata" or (has_integers and math.type(value) == "integer")
end

local function decimal(value)
  return (tostring(value):gsub("U?LL$", ""))
end

-- Nil if the text is exactly what the number must be written as, else why not.
local function number_fault(text, value)
  if is_integer(value) then
    return text ~= decimal(value) and "not exact" or nil
  elseif tonumber(text:find "[.e]" and text or text .. ".0") ~= value then
    return "another number"
  elseif value % 1 == 0 and math.abs(value) < 2 ^ 53 then
    return text ~= ("%.0f"):format(value == 0 and 0 or value) and "not as integer" or nil
  end
  for precision = 1, 17 do
    if tonumber(("%." .. precision .. "g"):format(value)) == value then
      return #significant(text) > precision and "not the shortest" or nil
    end
  end
end

-- ---- comparing ----

local compare

local function compare_lists(got, expected, path)
  if #got ~= #expected then
    return ("%s: %d elements for %d"):format(path, #got, #expected)
  end
  for i = 1, #got do
    local fault = compare(got[i], expected[i], path .. "[" .. i .. "]")
    if fault then
      return fault
    end
  end
end

local function compare_objects(got, expected, path)
  for key, value in pairs(expected) do
    if got[key] == nil then
      return ("%s has no key %q"):format(path, key)
    end
    local fault = compare(got[key], value, ("%s.%s"):format(path, key))
    if fault then
      return fault
    end
  end
  for key in pairs(got) do
    if expected[key] == nil then
      return ("%s has the key %q"):format(path, key)
    end
  end
end

function compare(got, expected, path)
  if type(got) ~= "table" or type(expected) ~= "table" or got == json.null then
    return got ~= expected and ("%s: %s for %s"):format(path, tostring(got), tostring(expected))
      or nil
  elseif got.number and expected.value then
    local fault = number_fault(got.number, expected.value)
    return fault
      and ("%s: %s for %s is %s"):format(path, got.number, decimal(expected.value), fault)
  elseif got.list and expected.list then
    return compare_lists(got.list, expected.list, path)
  elseif got.object and expected.object then
    return compare_objects(got.object, expected.object, path)
  end
  return path .. ": a value of another kind"
end

-- Nil if what json.read gave is what was expected, else where and why not.
values.compare = compare

-- The same for what lua-cjson decoded. It reads every number as a double and
-- does not tell an empty list from an empty object.
function values.compare_cjson(got, expected, path)
  if expected == json.null then
    return got ~= cjson.null and path .. " is not null" or nil
  elseif type(expected) ~= "table" then
    return got ~= expected and path .. " differs" or nil
  elseif expected.value then
    local value = expected.value
    local exact = not is_integer(value) or (value < 2 ^ 53 and value > -2 ^ 53)
    return exact and got ~= tonumber(value) and path .. " is another number" or nil
  end
  local rest = {}
  for key in pairs(got) do
    rest[key] = true
  end
  for key, value in pairs(expected.list or expected.object) do
    local fault = values.compare_cjson(got[key], value, path .. "." .. key)
    if fault then
      return fault
    end
    rest[key] = nil
  end
  return next(rest) ~= nil and path .. " has more" or nil
end

-- ---- making ----

local Random = {}
Random.__index = Random

-- Equal seeds give equal values. `repaired` counts what had to be repaired.
function values.new(seed)
  return setmetatable({ state = seed % 2147483646 + 1, repaired = 0 }, Random)
end

-- An integer from 1 to n, by Lehmer's generator.
function Random:below(n)
  self.state = self.state * 16807 % 2147483647
  return self.state % n + 1
end

function Random:one_of(list)
  return list[self:below(#list)]
end

local special = {
  0,
  -0.0,
  1,
  -1,
  0.1,
  -0.5,
  1e-7,
  1e15,
  1e16,
  1e21,
  1e22,
  5e-324,
  2.2250738585072014e-308,
  1.7976931348623157e308,
  2 ^ 53 - 1,
  2 ^ 53,
  2 ^ 53 + 2,
  -2 ^ 53,
  2 ^ 63,
  -2 ^ 63,
  2 ^ 64,
  1719871234.5679,
  0.1 + 0.2,
  math.pi,
}

-- 32 random bits.
function Random:word()
  return self:below(65536) * 65536 - self:below(65536)
end

-- A double of any size, subnormal ones and both signs included.
function Random:double()
  local mantissa = self:word() % 2 ^ 21 * 2 ^ 32 + self:word()
  local scaled = (mantissa + 1) * 2 ^ (self:below(1023) - 54)
  return self:one_of { scaled, -scaled, 1 / scaled, mantissa * 2 ^ -1074 * self:below(4096) }
end

-- 64 random bits, signed or not, or what lies at the edges.
function Random:integer()
  local low, high = self:word(), self:word()
  if has_integers then
    local value = string.unpack("<j", string.pack("<I4I4", low, high))
    return self:one_of { value, value, low, math.mininteger, math.maxinteger, 9007199254740993 }
  elseif has_ffi then
    local bits = ffi.new("uint32_t[2]", low, high)
    local signed = ffi.cast("int64_t *", bits)[0]
    local unsigned = ffi.cast("uint64_t *", bits)[0]
    local zero, half = ffi.new "int64_t", ffi.cast("int64_t", 2 ^ 62)
    return self:one_of { signed, unsigned, zero + low, half * 2, half * 2 - 1, zero + 2 ^ 53 + 1 }
  end
  return low
end

function Random:number()
  local kind = self:below(6)
  if kind == 1 then
    return self:one_of(special)
  elseif kind == 2 then
    return self:double()
  elseif kind == 3 then
    return self:integer()
  elseif kind == 4 then
    return self:below(1e6) / self:one_of { 1, 10, 100, 1000, 7 }
  elseif kind == 5 then
    return self:below(2 ^ 31) * 10 ^ (self:below(40) - 20)
  end
  return self:below(200) - 100
end

local pieces = {
  "plain text",
  "a",
  "",
  '"',
  "\\",
  "/",
  "\b\f\n\r\t",
  "\0",
  "\1\31",
  "\127",
  "é",
  "Zürich",
  "漢字",
  "😀",
  "\226\128\168",
  ("long "):rep(40),
}

-- What is not UTF-8, and what becomes of it: U+FFFD for each maximal subpart.
local fffd = "\239\191\189"
local ill_formed = {
  { "\255", fffd },
  { "\128\128", fffd .. fffd },
  { "\192\175", fffd .. fffd }, -- overlong
  { "\237\160\128", fffd:rep(3) }, -- a surrogate
  { "\244\144\128\128", fffd:rep(4) }, -- above U+10FFFF
  { "\240\159\152", fffd }, -- cut short
  { "\226\130(", fffd .. "(" },
}

-- A string, and what it must become.
function Random:string()
  local source, expected = {}, {}
  local bad = self:below(12) == 1
  for i = 1, self:below(5) - 1 do
    source[i] = self:one_of(pieces)
    expected[i] = source[i]
  end
  if bad then
    local pair = self:one_of(ill_formed)
    source[#source + 1], expected[#expected + 1] = pair[1], pair[2]
    self.repaired = self.repaired + 1
  end
  return table.concat(source), table.concat(expected)
end

-- A key of an object, with its text.
function Random:key(i)
  local kind = self:below(8)
  if kind == 1 then
    return i * 1000, tostring(i * 1000)
  elseif kind == 2 then
    return i + 0.5, i .. ".5"
  elseif kind == 3 then
    return -i, "-" .. i
  end
  local key = self:one_of(pieces) .. i
  return key, key
end

function Random:list(objects, tables)
  local source, expected = {}, {}
  local n = self:below(20) == 1 and 254 or self:below(6)
  for i = 1, n do
    if n == 254 then
      source[i], expected[i] = i, { value = i }
    else
      source[i], expected[i] = self:value(objects, tables)
    end
  end
  if self:below(3) == 1 then -- filled backwards, so that lua_next meets no order
    local other = {}
    for i = n, 1, -1 do
      other[i] = source[i]
    end
    source = other
  end
  return source, { list = expected }
end

function Random:object(objects, tables)
  local source, expected = {}, {}
  for i = 1, self:below(6) - 1 do
    local key, text = self:key(i)
    source[key], expected[text] = self:value(objects, tables)
  end
  return source, { object = expected }
end

function Random:table(objects, tables)
  local source, expected
  if objects < 3 and self:below(2) == 1 then
    source, expected = self:object(objects + 1, tables)
  else
    source, expected = self:list(objects, tables)
  end
  if self:below(4) == 1 then
    setmetatable(source, values.hostile)
  end
  if self:below(8) == 1 then
    source = (expected.list and mixpanel.array or mixpanel.object)(source)
  end
  return source, expected
end

local nulls = { mixpanel.null, cjson.null }
if has_ffi then
  nulls[#nulls + 1] = ffi.cast("void *", nil)
end

-- A value that lies in so many objects and tables, and what it must become.
function Random:value(objects, tables)
  local kind = self:below(12)
  if kind <= 3 and tables < 32 then
    return self:table(objects, tables + 1)
  elseif kind <= 6 then
    return self:string()
  elseif kind == 7 then
    local truth = self:below(2) == 1
    return truth, truth
  elseif kind == 8 then
    return self:one_of(nulls), json.null
  elseif kind == 9 and self:below(4) == 1 then
    self.repaired = self.repaired + 1
    return self:one_of { 0 / 0, 1 / 0, -1 / 0 }, json.null
  end
  local number = self:number()
  return number, { value = number }
end

-- The properties of an event, and what they must become.
function Random:properties()
  local source, expected = {}, {}
  for i = 1, self:below(8) do
    local key, text = self:key(i)
    source[key], expected[text] = self:value(0, 0)
  end
  return source, { object = expected }
end

-- ---- telling whether a table was changed ----

-- All that can be told of a value without metamethods, as a text.
function values.describe(value, seen)
  seen = seen or {}
  if type(value) ~= "table" or seen[value] then
    return type(value) == "cdata" and tostring(value)
      or type(value) .. " " .. (type(value) == "table" and "again" or tostring(value))
  end
  seen[value] = true
  local parts = {}
  for key, item in next, value do
    parts[#parts + 1] = values.describe(key, seen) .. "=" .. values.describe(item, seen)
  end
  table.sort(parts)
  local meta = debug.getmetatable(value)
  return "{" .. table.concat(parts, ",") .. "}" .. (meta and tostring(meta) or "")
end

return values
