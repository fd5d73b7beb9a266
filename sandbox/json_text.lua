-- JSON as text: taken apart and laid out without a decoder, so that no number
-- loses a digit and no key its twin. What is no JSON comes out somehow.
local json_text = {}

-- The position of the last character of the string that begins at `from`.
local function end_of_string(text, from)
  local at = from
  repeat
    at = text:find('["\\]', at + 1)
    local escaped = at and text:byte(at) == 0x5C
    at = escaped and at + 1 or at
  until not escaped
  return at or #text
end

local DEPTH = { ["["] = 1, ["{"] = 1, ["]"] = -1, ["}"] = -1 }

-- The texts of an array's elements; of anything else the text itself.
function json_text.split(text)
  local at = text:match "^%s*()%["
  if not at then
    return { text }
  end
  local list, depth, start = {}, 0, at + 1
  while at do
    local char = text:sub(at, at)
    depth = depth + (DEPTH[char] or 0)
    if depth == 0 or (depth == 1 and char == ",") then
      list[#list + 1] = text:sub(start, at - 1):match "^%s*(.-)%s*$"
      start = at + 1
    end
    if depth == 0 then
      break
    end
    at = text:find('["%[%]{},]', char == '"' and end_of_string(text, at) + 1 or at + 1)
  end
  return list
end

-- The next token and the position behind it; nil at the end.
local function next_token(text, at)
  local from = text:find("%S", at)
  if not from then
    return nil
  end
  local to = from
  local char = text:sub(from, from)
  if char == '"' then
    to = end_of_string(text, from)
  elseif not char:find "[%[%]{}:,]" then
    to = (text:find('[%s%[%]{}:,"]', from) or #text + 1) - 1
  end
  return text:sub(from, to), to + 1
end

local function is_at(keys, depth, path)
  for i, key in ipairs(path) do
    if keys[i] ~= '"' .. key .. '"' then
      return false
    end
  end
  return depth == #path
end

local DEEPEST = 10 -- levels that are indented, or brackets alone could fill the memory

-- One key a line. The text up to the first key at `path` (a list of names), the
-- key with its value, and the rest; without such a key the last two are "".
function json_text.lay_out(text, path)
  local parts, keys, depth = {}, {}, 0
  local last, key_at, mark_from, mark_to = "", 0, nil, nil
  local token, at = next_token(text, 1)
  while token do
    local change = DEPTH[token] or 0
    depth = depth + math.min(change, 0)
    local opened, closes = DEPTH[last] == 1, change < 0
    if (closes and not opened) or (not closes and (opened or last == ",")) then
      parts[#parts + 1] = "\n" .. ("  "):rep(math.min(depth, DEEPEST))
    end
    parts[#parts + 1] = token == ":" and ": " or token
    if token == ":" then
      keys[depth], key_at = last, #parts - 1
    elseif last == ":" and not mark_from and is_at(keys, depth, path) then
      mark_from, mark_to = key_at, #parts
    end
    depth = depth + math.max(change, 0)
    last = token
    token, at = next_token(text, at)
  end
  mark_from, mark_to = mark_from or #parts + 1, mark_to or #parts
  return table.concat(parts, "", 1, mark_from - 1),
    table.concat(parts, "", mark_from, mark_to),
    table.concat(parts, "", mark_to + 1)
end

return json_text
