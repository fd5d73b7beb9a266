-- The records of a request's body, decoded and as text.
local cjson = require "cjson.safe"
local json_text = require "json_text"

local records = {}

local function is_lines(content_type)
  return tostring(content_type or ""):find("ndjson", 1, true) ~= nil
end

-- As a list; nil when the body has none. A line that is no JSON is `false`.
function records.decode(body, content_type)
  if is_lines(content_type) then
    local list = {}
    for line in body:gmatch "[^\r\n]+" do
      list[#list + 1] = cjson.decode(line) or false
    end
    return #list > 0 and list or nil
  end
  local value = cjson.decode(body)
  if type(value) ~= "table" then
    return nil
  end
  return #value > 0 and value or (next(value) ~= nil and { value } or nil)
end

-- The text of each record, as it came; in step with `decode`.
function records.texts(body, content_type)
  if is_lines(content_type) then
    local list = {}
    for line in body:gmatch "[^\r\n]+" do
      list[#list + 1] = line
    end
    return list
  end
  return json_text.split(body)
end

return records
