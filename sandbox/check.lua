-- What Mixpanel documents about a record, as pure functions of the decoded
-- record: no nginx in here. Each returns nothing when all is well, else the
-- field and the message.
local check = {}

local DAY = 24 * 3600
local MIN_TIME = 365 * DAY -- 1971
local MAX_FUTURE = 3600
local TRACK_MAX_AGE = 5 * DAY

-- Ids that are somebody's nil (import events, disallowed distinct_ids).
local refused_ids = {}
for id in
  ([[00000000-0000-0000-0000-000000000000 anon anonymous nil none null n/a na
     undefined unknown <nil> 0 -1 true false [] {}]]):gmatch "%S+"
do
  refused_ids[id] = true
end

local function is_list(value)
  return type(value) == "table" and (#value > 0 or next(value) == nil)
end

-- Valid UTF-8, strictly.
local function is_utf8(text)
  if not text:find "[\128-\255]" then
    return true
  end
  local i = 1
  while i <= #text do
    local c, d = text:byte(i, i + 1)
    local n = c < 0x80 and 0
      or c >= 0xC2 and c <= 0xDF and 1
      or c >= 0xE0 and c <= 0xEF and 2
      or c >= 0xF0 and c <= 0xF4 and 3
    local low = (c == 0xE0 and 0xA0) or (c == 0xF0 and 0x90) or 0x80
    local high = (c == 0xED and 0x9F) or (c == 0xF4 and 0x8F) or 0xBF
    if not n or (n > 0 and (not d or d < low or d > high)) then
      return false
    end
    for k = 2, n do
      local e = text:byte(i + k)
      if not e or e < 0x80 or e > 0xBF then
        return false
      end
    end
    i = i + n + 1
  end
  return true
end

local function check_value(name, value, depth)
  if type(value) == "string" then
    if not is_utf8(value) then
      return name, name .. " is invalid: string should be valid utf8"
    end
  elseif type(value) == "table" then
    local list, count = is_list(value), 0
    if not list then
      depth = depth + 1
    end
    if depth > 3 then
      return name, name .. " is invalid: must not be nested deeper than 3 levels"
    end
    for key, item in pairs(value) do
      count = count + 1
      local field, message =
        check_value(name .. (list and "[]" or "." .. tostring(key)), item, depth)
      if field then
        return field, message
      end
    end
    if count >= 255 then
      return name, name .. " is invalid: must have fewer than 255 elements"
    end
  end
end

local function check_insert_id(id)
  if type(id) ~= "string" or #id > 36 or not id:find "^[A-Za-z0-9-]+$" then
    return "$insert_id",
      "'$insert_id' is invalid: must only contain alphanumeric or hyphen '-' characters"
  end
  if refused_ids[id] then
    return "$insert_id", "'$insert_id' is invalid: must not be a disallowed value"
  end
end

local function seconds(time)
  return time >= 1e11 and time / 1000 or time
end

local function check_time(time, now)
  if time == nil then
    return "properties.time", "'properties.time' is invalid: must not be missing"
  elseif type(time) ~= "number" or time % 1 ~= 0 then
    return "properties.time",
      "'properties.time' is invalid: must be specified as seconds since epoch"
  elseif seconds(time) < MIN_TIME then
    return "properties.time", "'properties.time' is invalid: must be after 1971-01-01"
  elseif seconds(time) > now + MAX_FUTURE then
    return "properties.time", "'properties.time' is invalid: must not be in the future"
  end
end

local function check_properties(properties)
  local count = 0
  for name, value in pairs(properties) do
    count = count + 1
    local field, message = check_value("properties." .. name, value, 0)
    if field then
      return field, message
    end
  end
  -- Mixpanel counts its own names too, of which an SDK adds about ten.
  if count > 254 + 10 then
    return "properties", "'properties' is invalid: must have fewer than 255 properties"
  end
end

-- An event on its way to /track or /import.
local function check_event(event)
  if type(event) ~= "table" or type(event.event) ~= "string" or not event.event:find "%S" then
    return "event", "'event' must not be missing or blank"
  elseif type(event.properties) ~= "table" then
    return "properties", "'properties' must be an object"
  end
  local id = event.properties["$insert_id"]
  if id ~= nil then
    local field, message = check_insert_id(id)
    if field then
      return field, message
    end
  end
  local who = event.properties.distinct_id
  if who ~= nil and refused_ids[tostring(who)] then
    return "properties.distinct_id", "'properties.distinct_id' is invalid: is a disallowed value"
  end
  return check_properties(event.properties)
end

function check.import(event, now)
  local field, message = check_event(event)
  if field then
    return field, message
  end
  field, message = check_time(event.properties.time, now)
  if field then
    return field, message
  end
  if event.event == "$merge" then
    local ids = event.properties["$distinct_ids"]
    if not is_list(ids) or #ids ~= 2 then
      return "properties.$distinct_ids", "'properties.$distinct_ids' must be two ids"
    end
    return
  end
  local p = event.properties
  if p.distinct_id == nil and p["$user_id"] == nil and p["$device_id"] == nil then
    return "properties.distinct_id", "'properties.distinct_id' is invalid: must not be missing"
  end
end

function check.track(event)
  if type(event) == "table" and type(event.event) ~= "string" then
    return "event", "event, missing"
  elseif type(event) == "table" and type(event.properties) == "table" then
    local token = event.properties.token
    if type(token) ~= "string" or token == "" then
      return "properties.token", "token, missing or empty"
    end
  end
  return check_event(event)
end

-- What /track takes and then drops without a word.
function check.is_ignored(event, now)
  local time = event.properties.time
  return event.event == "$merge" or (type(time) == "number" and seconds(time) < now - TRACK_MAX_AGE)
end

local function is_object(value)
  return type(value) == "table" and #value == 0
end

local function all(value, test)
  for _, item in pairs(value) do
    if not test(item) then
      return false
    end
  end
  return true
end

local operations = {
  ["$set"] = is_object,
  ["$set_once"] = is_object,
  ["$append"] = is_object,
  ["$remove"] = is_object,
  ["$add"] = function(value)
    return is_object(value)
      and all(value, function(item)
        return type(item) == "number"
      end)
  end,
  ["$union"] = function(value)
    return is_object(value)
      and all(value, function(item)
        return is_list(item) and #item > 0
      end)
  end,
  ["$unset"] = function(value)
    return is_list(value) and #value > 0
  end,
  ["$delete"] = function()
    return true
  end,
}

function check.is_operation(name)
  return operations[name] ~= nil
end

local function check_update(update, ids)
  if type(update) ~= "table" then
    return "", "data, missing or empty"
  end
  for _, name in ipairs(ids) do
    if update[name] == nil or update[name] == "" then
      return name, name .. ", missing or empty"
    end
  end
  local found = 0
  for name, test in pairs(operations) do
    if update[name] ~= nil then
      found = found + 1
      if not test(update[name]) then
        return name, name .. ", invalid"
      end
    end
  end
  if found ~= 1 then
    return "", "expected one operation, got " .. found
  end
end

function check.engage(update)
  return check_update(update, { "$token", "$distinct_id" })
end

function check.groups(update)
  return check_update(update, { "$token", "$group_key", "$group_id" })
end

return check
