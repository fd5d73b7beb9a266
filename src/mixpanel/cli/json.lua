-- JSON as tables, for --transform, --map and --set, and back: lists stay lists,
-- also empty ones, numbers keep all digits that Lua's have, and equal tables
-- become equal text, which an `$insert_id` may be derived from.
local cjson = require "cjson.safe"
local mixpanel = require "mixpanel"

local Json = {}

local LIST = { __jsontype = "array" } -- as lua-dkjson marks lists
local DEPTH = 200 -- of tables in each other; one that holds itself has no end

-- ---- from text, which is known to be JSON ----

local decode_value

-- The string whose quote is at `at`, and what comes behind it.
local function decode_string(text, at)
  local stop = text:find('["\\]', at + 1)
  if text:byte(stop) == 34 then -- "
    return text:sub(at + 1, stop - 1), stop + 1
  end
  while text:byte(stop) ~= 34 do
    stop = text:find('["\\]', stop + 2)
  end
  return cjson.decode("[" .. text:sub(at, stop) .. "]")[1], stop + 1
end

local function decode_object(text, at)
  local object = {}
  at = text:match("^%s*()", at + 1)
  while text:byte(at) ~= 125 do -- }
    local name, after = decode_string(text, at)
    object[name], at = decode_value(text, text:match("^%s*:%s*()", after))
    at = text:match("^%s*,?%s*()", at)
  end
  return object, at + 1
end

local function decode_list(text, at)
  local list, n = setmetatable({}, LIST), 0
  at = text:match("^%s*()", at + 1)
  while text:byte(at) ~= 93 do -- ]
    n = n + 1
    list[n], at = decode_value(text, at)
    at = text:match("^%s*,?%s*()", at)
  end
  return list, at + 1
end

local WORDS = { t = { true, 4 }, f = { false, 5 }, n = { mixpanel.null, 4 } }

function decode_value(text, at)
  local first = text:sub(at, at)
  if first == '"' then
    return decode_string(text, at)
  elseif first == "{" then
    return decode_object(text, at)
  elseif first == "[" then
    return decode_list(text, at)
  elseif WORDS[first] then
    return WORDS[first][1], at + WORDS[first][2]
  end
  local digits, after = text:match("^(-?%d+%.?%d*[eE]?[+-]?%d*)()", at)
  return assert(tonumber(digits), "no number"), after
end

-- The value, or nil and why there is none; null is mixpanel.null.
function Json.decode(text)
  local value, why = cjson.decode(text)
  if value == nil then
    return nil, why
  end
  local ok
  ok, value = pcall(decode_value, text, text:match "^%s*()")
  if not ok then
    return nil, "no JSON"
  end
  return value
end

-- ---- to text ----

local encode_value

local function is_list(value)
  local mark = getmetatable(value)
  return value[1] ~= nil or type(mark) == "table" and mark.__jsontype == "array"
end

local function fail(format, ...)
  error({ why = format:format(...) }, 0)
end

local kind_of = rawget(math, "type") -- of Lua 5.3 on

local function encode_number(value)
  if value ~= value or value == math.huge or value == -math.huge then
    fail("%s is no number in JSON", tostring(value))
  elseif kind_of and kind_of(value) == "integer" then
    return ("%d"):format(value)
  end
  for digits = 15, 17 do
    local text = ("%%.%dg"):format(digits):format(value)
    if tonumber(text) == value then
      return (text:gsub(",", "."))
    end
  end
end

local function encode_list(list, depth)
  local parts = {}
  for i = 1, #list do
    parts[i] = encode_value(list[i], depth)
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function encode_object(object, depth)
  local names = {}
  for name in pairs(object) do
    if type(name) ~= "string" then
      fail("a %s cannot be the name of a property: %s", type(name), tostring(name))
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for i, name in ipairs(names) do
    names[i] = cjson.encode(name) .. ":" .. encode_value(object[name], depth)
  end
  return "{" .. table.concat(names, ",") .. "}"
end

function encode_value(value, depth)
  local kind = type(value)
  if kind == "number" then
    return encode_number(value)
  elseif kind ~= "table" then
    local text, why = cjson.encode(value)
    return text or fail("%s", why)
  elseif depth > DEPTH then
    fail("tables lie deeper than %d levels, or in themselves", DEPTH)
  elseif is_list(value) then
    return encode_list(value, depth + 1)
  end
  return encode_object(value, depth + 1)
end

-- The text, or nil and why there is none.
function Json.encode(value)
  local ok, text = pcall(encode_value, value, 1)
  if ok then
    return text
  elseif type(text) == "table" then
    return nil, text.why
  end
  return nil, text
end

return Json
