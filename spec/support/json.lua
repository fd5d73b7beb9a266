-- A strict reader of JSON that loses nothing: numbers stay the text they are,
-- lists and objects are told apart, and what RFC 8259 does not allow, text that
-- is not UTF-8, and a key that occurs twice are errors.
--
-- A value is a string, true, false, json.null, { number = text },
-- { list = { value, ... } } or { object = { [key] = value, ... } }.
local json = { null = setmetatable({}, { __name = "json.null" }) }

local escapes = {
  ['"'] = '"',
  ["\\"] = "\\",
  ["/"] = "/",
  b = "\b",
  f = "\f",
  n = "\n",
  r = "\r",
  t = "\t",
}

local function fail(text, at, what)
  error(("%s at byte %d: %q"):format(what, at, text:sub(math.max(1, at - 30), at + 30)), 0)
end

-- The well-formed sequences of more than one byte (Unicode, table 3-7).
local sequences = {
  "^[\194-\223][\128-\191]",
  "^\224[\160-\191][\128-\191]",
  "^[\225-\236\238\239][\128-\191][\128-\191]",
  "^\237[\128-\159][\128-\191]",
  "^\240[\144-\191][\128-\191][\128-\191]",
  "^[\241-\243][\128-\191][\128-\191][\128-\191]",
  "^\244[\128-\143][\128-\191][\128-\191]",
}

-- The first byte that is not valid UTF-8; nil if all are.
function json.find_ill_formed(text)
  local at = 1
  while true do
    at = text:find("[\128-\255]", at)
    if not at then
      return nil
    end
    local last
    for _, sequence in ipairs(sequences) do
      last = last or select(2, text:find(sequence, at))
    end
    if not last then
      return at
    end
    at = last + 1
  end
end

local function read_string(text, at)
  local parts, start = {}, at + 1
  while true do
    local stop = text:find('[%c"\\]', start)
    local c = stop and text:sub(stop, stop)
    if not stop or (c ~= '"' and c ~= "\\" and c ~= "\127") then
      fail(text, stop or #text, "bad string")
    end
    parts[#parts + 1] = text:sub(start, stop - 1)
    start = stop + 1
    if c == '"' then
      return table.concat(parts), start
    elseif c == "\127" then
      parts[#parts + 1] = c
    else
      local letter = text:sub(start, start)
      local code = text:match("^u00(%x%x)", start)
      if code then
        parts[#parts + 1] = string.char(tonumber(code, 16))
        start = start + 5
      elseif escapes[letter] then
        parts[#parts + 1] = escapes[letter]
        start = start + 1
      else
        fail(text, stop, "bad escape")
      end
    end
  end
end

local function read_number(text, at)
  local digits = text:match("^%-?%d+", at)
  if not digits or digits:find "^%-?0%d" then
    fail(text, at, "bad number")
  end
  local stop = at + #digits
  local fraction = text:match("^%.%d+", stop) or ""
  local exponent = text:match("^[eE][+-]?%d+", stop + #fraction) or ""
  return { number = digits .. fraction .. exponent }, stop + #fraction + #exponent
end

local read_value

local function read_list(text, at)
  local list = {}
  at = at + 1
  if text:sub(at, at) == "]" then
    return { list = list }, at + 1
  end
  while true do
    list[#list + 1], at = read_value(text, at)
    local c = text:sub(at, at)
    if c == "]" then
      return { list = list }, at + 1
    elseif c ~= "," then
      fail(text, at, "bad list")
    end
    at = at + 1
  end
end

local function read_object(text, at)
  local object = {}
  at = at + 1
  if text:sub(at, at) == "}" then
    return { object = object }, at + 1
  end
  while true do
    if text:sub(at, at) ~= '"' then
      fail(text, at, "bad key")
    end
    local key
    key, at = read_string(text, at)
    if object[key] ~= nil then
      fail(text, at, "key twice")
    elseif text:sub(at, at) ~= ":" then
      fail(text, at, "bad object")
    end
    object[key], at = read_value(text, at + 1)
    local c = text:sub(at, at)
    if c == "}" then
      return { object = object }, at + 1
    elseif c ~= "," then
      fail(text, at, "bad object")
    end
    at = at + 1
  end
end

local words = { ["true"] = true, ["false"] = false, null = json.null }

function read_value(text, at)
  local c = text:sub(at, at)
  if c == '"' then
    return read_string(text, at)
  elseif c == "{" then
    return read_object(text, at)
  elseif c == "[" then
    return read_list(text, at)
  end
  local word = text:match("^%l+", at)
  if word and words[word] ~= nil then
    return words[word], at + #word
  end
  return read_number(text, at)
end

-- The value of a text, which must hold nothing else, no white space either.
function json.read(text)
  local bad = json.find_ill_formed(text)
  if bad then
    fail(text, bad, "not UTF-8")
  end
  local value, stop = read_value(text, 1)
  if stop <= #text then
    fail(text, stop, "more text")
  end
  return value
end

return json
