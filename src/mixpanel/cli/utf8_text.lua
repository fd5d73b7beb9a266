-- Bytes that should be UTF-8, as text that is.
local utf8_text = {}

-- What well-formed characters of each length look like (Unicode, table 3-7).
local FORMS = {
  "^[^\128-\255]+()",
  "^[\194-\223][\128-\191]()",
  "^\224[\160-\191][\128-\191]()",
  "^[\225-\236\238\239][\128-\191][\128-\191]()",
  "^\237[\128-\159][\128-\191]()",
  "^\240[\144-\191][\128-\191][\128-\191]()",
  "^[\241-\243][\128-\191][\128-\191][\128-\191]()",
  "^\244[\128-\143][\128-\191][\128-\191]()",
}

local function next_place(bytes, at)
  for _, form in ipairs(FORMS) do
    local after = bytes:match(form, at)
    if after then
      return after
    end
  end
end

-- The text, with U+FFFD for each byte that is none, and whether all was well.
function utf8_text.of(bytes)
  if not bytes:find "[\128-\255]" then
    return bytes, true
  end
  local parts, at, from, whole = {}, 1, 1, true
  while at <= #bytes do
    local after = next_place(bytes, at)
    if not after then
      parts[#parts + 1] = bytes:sub(from, at - 1)
      parts[#parts + 1] = "\239\191\189"
      after, from, whole = at + 1, at + 1, false
    end
    at = after
  end
  parts[#parts + 1] = bytes:sub(from)
  return table.concat(parts), whole
end

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

function utf8_text.base64(bytes)
  local parts = {}
  for at = 1, #bytes, 3 do
    local a, b, c = bytes:byte(at, at + 2)
    local group = a * 65536 + (b or 0) * 256 + (c or 0)
    local digits = ""
    for _ = 1, 4 do
      local digit = group % 64
      digits, group = DIGITS:sub(digit + 1, digit + 1) .. digits, (group - digit) / 64
    end
    parts[#parts + 1] = c and digits or digits:sub(1, b and 3 or 2) .. (b and "=" or "==")
  end
  return table.concat(parts)
end

return utf8_text
