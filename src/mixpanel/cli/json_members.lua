-- The members of an object of JSON as they are written: what is decoded and
-- encoded again would lose digits of long numbers.

-- Where the value that begins at `at` ends, or nil. Brackets are counted, not
-- matched: the text is known to be JSON.
local function skip(text, at)
  local first = text:sub(at, at)
  if first == '"' then
    local i = at + 1
    while true do
      i = text:find('["\\]', i)
      if not i then
        return nil
      elseif text:sub(i, i) == '"' then
        return i
      end
      i = i + 2
    end
  elseif not first:find "[{%[]" then
    return text:match("^[^,}%]%s]+()", at) - 1
  end
  local depth, i = 0, at
  while true do
    i = text:find('["{}%[%]]', i)
    local char = i and text:sub(i, i)
    if not i then
      return nil
    elseif char == '"' then
      i = skip(text, i)
    elseif char == "{" or char == "[" then
      depth = depth + 1
    else
      depth = depth - 1
    end
    if not i or depth == 0 then
      return i
    end
    i = i + 1
  end
end

-- The text of each member of an object of JSON, which must be whole, by its
-- name; names with escapes are left out.
return function(text)
  local members = {}
  local at = text:match "^%s*{()"
  while at do
    local name, from = text:match('^%s*"([^"\\]*)"%s*:%s*()', at)
    if not name then
      local _, ended = text:find("^%s*", at)
      local string_end = text:sub(ended + 1, ended + 1) == '"' and skip(text, ended + 1)
      from = string_end and text:match("^%s*:%s*()", string_end + 1)
    end
    local last = from and skip(text, from)
    if not last then
      break
    elseif name then
      members[name] = text:sub(from, last)
    end
    at = text:match("^%s*,()", last + 1)
  end
  return members
end
