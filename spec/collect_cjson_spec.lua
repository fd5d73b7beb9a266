-- collect's reader beside lua-cjson, over generated texts: a record says what
-- cjson reads in the text that was posted, in whichever form; and both call the
-- same texts JSON, but for what is listed here. SEED explores others.
local cjson = require "cjson"
local posts = require "spec.support.posts"

local SEED = tonumber(os.getenv "SEED") or 20260101
local ROUNDS = 1500

local state

-- 0 to n - 1; the same numbers on every Lua.
local function any(n)
  state = state * 16807 % 2147483647
  return math.floor(state / 65536) % n
end

local function one_of(list)
  return list[any(#list) + 1]
end

-- ---- generating ----

local SPACES = { "", "", "", " ", "\n", "\r\n\t" }

local PIECES = {
  "a",
  "plain text of some length, of more than two words",
  "\\n",
  '\\"',
  "\\\\",
  "\\/",
  "\\b\\f\\t\\r",
  "\\u00e9",
  "\\u20AC",
  "\\ud83d\\ude00",
  "\\u0000",
  "\195\169",
  "\226\130\172",
  "\240\159\152\128",
  "\127",
  "%",
  "+&=",
}

local NUMBERS = {
  "0",
  "-0",
  "7",
  "-12",
  "3.25",
  "1e5",
  "1E-5",
  "2e+10",
  "-0.5",
  "0.1",
  "1e308",
  "1795460000.123",
  "9007199254740993",
  "123456789012345678901234567890",
  "-1.7976931348623157e308",
  "5e-324",
  "1e-400",
}

local put_value

local function put_string()
  local parts = {}
  for i = 1, any(5) do
    parts[i] = one_of(PIECES)
  end
  return '"' .. table.concat(parts) .. '"'
end

local function put_list(depth)
  local parts = {}
  for i = 1, any(4) do
    parts[i] = one_of(SPACES) .. put_value(depth) .. one_of(SPACES)
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function put_object(depth)
  local parts = {}
  for i = 1, any(5) do
    local name = one_of { '"k%d"', '"\\u006b-%d"', '"\195\169 \\"%d"' }
    parts[i] = one_of(SPACES) .. name:format(i) .. one_of(SPACES) .. ":" .. put_value(depth)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

function put_value(depth)
  local kind = any(depth > 0 and 6 or 4)
  if kind == 0 then
    return one_of(NUMBERS)
  elseif kind == 1 then
    return one_of { "true", "false", "null" }
  elseif kind == 4 then
    return put_list(depth - 1)
  elseif kind == 5 then
    return put_object(depth - 1)
  end
  return put_string()
end

local DAMAGE =
  { "{", "}", "[", "]", ",", ":", '"', "\\", "\\u", "0", "e", ".", "-", "x", "\n", "/" }

local function damage(text)
  for _ = 1, 1 + any(2) do
    local at = any(#text) + 1
    local kind = any(3)
    if kind == 0 then
      text = text:sub(1, at - 1) .. one_of(DAMAGE) .. text:sub(at + 1)
    elseif kind == 1 then
      text = text:sub(1, at - 1) .. text:sub(at + 1)
    else
      text = text:sub(1, at - 1) .. one_of(DAMAGE) .. text:sub(at)
    end
    if text == "" then
      text = "0"
    end
  end
  return text
end

-- ---- comparing ----

local function is_same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  end
  for name, value in pairs(a) do
    if not is_same(value, b[name]) then
      return false
    end
  end
  for name in pairs(b) do
    if a[name] == nil then
      return false
    end
  end
  return true
end

local FORMS = {
  json = function(text)
    return text
  end,
  form = function(text)
    return "data=" .. posts.escape(text) .. "&verbose=1"
  end,
  base64 = function(text)
    return "ip=0&data=" .. posts.escape(posts.base64(text))
  end,
}

-- How collect differs from cjson, on purpose: a value, what is sent for it (nil:
-- the record is refused), and why.
local DIFFERENCES = {
  { '{"a":1,"a":2}', nil, "cjson keeps the last of two equal names" },
  { "1e400", "null", "cjson reads infinity" },
  { "-1e999", "null", "cjson reads infinity" },
  { '"\\ud800"', '"\239\191\189"', "cjson refuses half a surrogate pair" },
  { '"\\udc00x"', '"\239\191\189x"', "cjson refuses half a surrogate pair" },
  { '"a\255b"', '"a\239\191\189b"', "cjson lets ill-formed UTF-8 through" },
  { '"\237\160\189\237\184\128"', '"\240\159\152\128"', "cjson leaves surrogates as they are" },
  { ("["):rep(40) .. ("]"):rep(40), nil, "cjson takes 1000 levels" },
}

-- What cjson reads by default, and JSON knows nothing of.
local NO_VALUES =
  { "0x10", "NaN", "Infinity", "-Infinity", "nan", "inf", "01", "+1", "1.", ".5", '"a\nb"' }

describe("collect's reader beside cjson", function()
  local mp

  before_each(function()
    mp = posts.client()
    state = SEED
  end)

  after_each(function()
    mp:close(0)
  end)

  it("says the same as was posted, in each form", function()
    for round = 1, ROUNDS do
      local value = put_value(3)
      local text = posts.event('"distinct_id":"u","v":' .. value)
      local expected = cjson.decode("[" .. value .. "]")[1]
      for name, make in pairs(FORMS) do
        if name ~= "base64" or round % 10 == 0 then -- which Lua makes slowly
          local result = assert(mp:collect("track", make(text), {}))
          assert(result.taken == 1, name .. ": " .. text)
          local arrived = posts.arrived(mp)[1]
          assert(is_same(expected, arrived.record.properties.v), name .. ": " .. text)
        end
      end
    end
  end)

  -- Whether a string in it holds a control character as it is.
  local function has_control(value)
    local quoted, escaped = false, false
    for c in value:gmatch "." do
      if quoted and c:find "%c" and c ~= "\127" then
        return true
      elseif escaped then
        escaped = false
      elseif quoted and c == "\\" then
        escaped = true
      elseif c == '"' then
        quoted = not quoted
      end
    end
    return false
  end

  -- Whether one of them alone takes it for a reason that the last spec lists.
  local function is_known(value, ours)
    if ours then
      return value:find "\\u[dD][89a-fA-F]" ~= nil
    end
    value = " " .. value:lower() .. " "
    return has_control(value)
      or value:find "[%[:,%s+-]0[x%d]" ~= nil
      or value:find "%d%.%D" ~= nil
      or value:find "[%[:,%s+-][+.]" ~= nil
      or value:find "nan" ~= nil
      or value:find "inf" ~= nil
  end

  it("calls the same texts JSON", function()
    local both, neither = 0, 0
    for _ = 1, 4 * ROUNDS do
      local value = damage(put_value(3))
      local text = posts.event('"v":' .. value)
      local theirs = pcall(cjson.decode, text)
      local result = mp:collect("track", text, {})
      assert(
        (result ~= nil) == theirs or is_known(value, result ~= nil),
        ("%s: %s"):format(theirs and "cjson alone" or "collect alone", text)
      )
      both = both + (theirs and result and 1 or 0)
      neither = neither + (not theirs and not result and 1 or 0)
    end
    assert.is_true(both > ROUNDS / 2 and neither > ROUNDS / 2, both .. " " .. neither)
  end)

  it("differs where Mixpanel would", function()
    for _, row in ipairs(DIFFERENCES) do
      local value, sent, why = row[1], row[2], row[3]
      local result = assert(mp:collect("track", posts.event('"v":' .. value), {}))
      assert.equal(sent and 1 or 0, result.taken, why)
      if sent then
        local json = posts.arrived(mp)[1].json
        assert.is_truthy(json:find('"v":' .. sent, 1, true), json)
      else
        assert.equal(1, result.refused)
      end
    end
    for _, value in ipairs(NO_VALUES) do
      local result, _, code = mp:collect("track", posts.event('"v":' .. value), {})
      assert.same({ nil, "invalid" }, { result, code })
    end
  end)
end)
