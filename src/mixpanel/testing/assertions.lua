-- Assertions of luassert about what a client of mixpanel.testing recorded.

local MOST_SHOWN = 20 -- records in a message

-- Properties of every event, which say nothing about the code under test.
local AUTOMATIC = {
  ["$insert_id"] = true,
  ["$lib_version"] = true,
  ["$token"] = true,
  ip = true,
  ["$ip"] = true,
  mp_lib = true,
  time = true,
  token = true,
  endpoint = true,
}

-- ---- texts ----

local show

local function show_pairs(t)
  local names, parts = {}, {}
  for name in pairs(t) do
    names[#names + 1] = not AUTOMATIC[name] and name or nil
  end
  table.sort(names, function(a, b)
    return tostring(a) < tostring(b)
  end)
  for i, name in ipairs(names) do
    local key = tostring(name)
    key = key:find "^[%a_][%w_]*$" and key or ("[%q]"):format(key)
    parts[i] = key .. " = " .. show(t[name])
  end
  return parts
end

-- As Lua would write it, on one line.
function show(value)
  if type(value) == "string" then
    return (("%q"):format(value):gsub("\n", "n"))
  elseif type(value) == "number" then
    return ("%.14g"):format(value)
  elseif type(value) ~= "table" then
    return tostring(value)
  end
  local parts = {}
  for i, element in ipairs(value) do
    parts[i] = show(element)
  end
  parts = parts[1] and parts or show_pairs(value)
  return parts[1] and "{ " .. table.concat(parts, ", ") .. " }" or "{}"
end

local function show_record(record)
  if record.event then
    return show(record.event) .. " " .. show(record.properties)
  end
  return show(record)
end

local function list_records(records)
  local lines = {}
  for i = 1, math.min(#records, MOST_SHOWN) do
    lines[i] = ("  %d. %s"):format(i, show_record(records[i]))
  end
  if #records > MOST_SHOWN then
    lines[#lines + 1] = ("  and %d more"):format(#records - MOST_SHOWN)
  end
  return #lines == 0 and "Nothing was recorded." or "Recorded:\n" .. table.concat(lines, "\n")
end

-- ---- assertions ----

-- An id as it is sent. LuaJIT writes large numbers with an exponent, and 64-bit
-- integers with a suffix; Lua 5.4 writes 17.0.
local function id_text(id)
  local is_float = type(id) == "number" and not tostring(id):find "^%-?%d+$"
  return is_float and ("%.0f"):format(id) or (tostring(id):gsub("^(%-?%d+)U?LL$", "%1"))
end

-- As mp:recorded; raises at the line of the assertion.
local function find_all(level, mp, what, properties)
  local is_one, method = pcall(function()
    return mp.recorded
  end)
  if not is_one or type(method) ~= "function" then
    error("the first argument is no client of mixpanel.testing", level + 1)
  end
  local ok, found = pcall(method, mp, what, properties)
  if not ok then
    error(found, level + 1)
  end
  return found
end

local function count(n)
  return n == 1 and "once" or n .. " times"
end

-- Holds if `found` has `times` records, at least one without it.
local function judge(state, mp, found, times, wanted)
  state.failure_message = ("%s was%s to be recorded%s, and was %s. %s"):format(
    wanted,
    state.mod and "" or " not",
    times and " " .. count(times) or "",
    #found == 0 and "not" or count(#found),
    list_records(mp:recorded())
  )
  if times then
    return #found == times
  end
  return #found > 0
end

local assertions = {}

-- (mp, event[, properties[, times]])
function assertions.tracked(state, arguments, level)
  local mp, event, properties, times = arguments[1], arguments[2], arguments[3], arguments[4]
  local found = find_all(level + 1, mp, event, properties)
  local with = properties and " with " .. show(properties) or ""
  return judge(state, mp, found, times, ("An event %s%s"):format(show(event), with))
end

-- (mp, id, update) for a user's profile, (mp, group_key, group_id, update)
function assertions.updated(state, arguments, level)
  local mp, update = arguments[1], arguments[arguments.n]
  if type(update) ~= "table" then
    error('the last argument is an update such as { ["$set"] = { plan = "pro" } }', level + 1)
  end
  local pattern = {}
  for operation, payload in pairs(update) do
    pattern[operation] = payload
  end
  if arguments.n == 4 then
    pattern["$group_key"], pattern["$group_id"] = arguments[2], id_text(arguments[3])
  else
    pattern["$distinct_id"] = id_text(arguments[2])
  end
  return judge(state, mp, find_all(level + 1, mp, pattern), nil, "An update " .. show(pattern))
end

-- (mp[, what[, properties]]) as mp:recorded
function assertions.recorded(state, arguments, level)
  local mp, what, properties = arguments[1], arguments[2], arguments[3]
  local found = find_all(level + 1, mp, what, properties)
  return judge(state, mp, found, nil, what == nil and "Something" or show(what))
end

return function(luassert)
  for name, assertion in pairs(assertions) do
    luassert:register("assertion", name, assertion)
  end
end
