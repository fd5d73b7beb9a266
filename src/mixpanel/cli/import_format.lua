-- What a file holds: how its records are told apart, and what becomes of them.
local Context = require "mixpanel.cli.context"
local cjson = require "cjson.safe"
local exit = require "mixpanel.cli.exit"

local Format = {}

local FORMATS = { jsonl = "lines", ndjson = "lines", json = "values", csv = "rows" }
Format.names = { "jsonl", "json", "csv" }

-- Members of a record beside its properties, and those that are text whatever
-- they look like.
local OUTSIDE = {
  events = { event = true },
  people = { ["$distinct_id"] = true, ["$token"] = true, ["$ip"] = true, ["$time"] = true },
  groups = { ["$group_key"] = true, ["$group_id"] = true, ["$token"] = true },
}
local TEXT = {
  event = true,
  time = true,
  distinct_id = true,
  ["$distinct_id"] = true,
  ["$user_id"] = true,
  ["$device_id"] = true,
  ["$insert_id"] = true,
  ["$group_key"] = true,
  ["$group_id"] = true,
}

-- How the records of a file stand in it: by --format, its name or its first
-- bytes.
function Format.items(args, path, head)
  if args.format then
    return FORMATS[args.format]
  end
  local first = head:match "^%s*(.)"
  local name = path:lower():gsub("%.gz$", ""):match "%.(%w+)$"
  if name == "csv" and first ~= "{" and first ~= "[" then
    return "rows"
  elseif first == "[" then
    return "values"
  elseif first == "{" or first == nil then
    local line = head:match "^%s*([^\n]*)"
    return (line == "{" or (head:find "\n" and not line:find "}%s*$")) and "values" or "lines"
  elseif FORMATS[name] then
    return FORMATS[name]
  end
  Context.fail(exit.input, "%s: neither JSON nor a .csv; --format says what it is", path)
end

-- ---- --map and --set ----

local function pair(text, option)
  local name, value = text:match "^([^=]+)=(.*)$"
  if not name then
    Context.fail(exit.usage, "%s %s: expected name=value", option, text)
  end
  return name, value
end

-- The changes that the options ask for: old names to new ones ("" drops), and
-- values to set.
function Format.changes(args)
  local changes = { map = {}, set = {}, names = {}, texts = {} }
  for _, text in ipairs(args.map) do
    local from, to = pair(text, "--map")
    changes.map[from] = to
  end
  if args.time then
    changes.map[args.time] = "time"
  end
  for _, text in ipairs(args.set) do
    local name, value = pair(text, "--set")
    if not changes.set[name] then
      changes.names[#changes.names + 1] = name
    end
    changes.set[name] = value
  end
  for _, name in ipairs(args.text) do
    changes.texts[name] = true
  end
  return changes
end

-- ---- CSV ----

-- The names in a header, whose fields may be in quotes.
local function header_names(header, separator)
  local names, at = {}, 1
  while true do
    local name, after
    if header:sub(at, at) == '"' then
      local stop = at + 1
      while true do
        stop = header:find('"', stop, true)
        if not stop or header:sub(stop + 1, stop + 1) ~= '"' then
          break
        end
        stop = stop + 2
      end
      if not stop then
        return nil
      end
      name, after = header:sub(at + 1, stop - 1):gsub('""', '"'), stop + 1
    else
      after = header:find(separator, at, true) or #header + 1
      name = header:sub(at, after - 1)
    end
    names[#names + 1] = name
    if after > #header then
      return names
    end
    at = after + 1
  end
end

local function key(name)
  return cjson.encode(name):gsub("\\/", "/") .. ":"
end

local function column_of(name, kind, changes, seen, path)
  local target = changes.map[name] or name
  if target == "" or changes.set[target] then
    return {}
  elseif seen[target] then
    Context.fail(exit.input, "%s: two columns are called %s", path, target)
  end
  seen[target] = true
  return {
    name = key(target),
    outside = OUTSIDE[kind][target] or false,
    text = TEXT[target] or changes.texts[name] or changes.texts[target] or false,
  }
end

local function members(kind, changes, outside)
  local parts = {}
  for _, name in ipairs(changes.names) do
    if (OUTSIDE[kind][name] or false) == outside then
      parts[#parts + 1] = key(name) .. cjson.encode(changes.set[name]) .. ","
    end
  end
  return table.concat(parts)
end

-- The converter of --separator.
function Format.separator(text)
  local separator = text == "\\t" and "\t" or text
  if separator:find '^[^"\r\n\128-\255]$' then
    return separator
  end
  return nil,
    ("--separator: got '%s', expected one character of ASCII, such as ; or \\t"):format(text)
end

-- What mp:ingest must know of a CSV: the option csv.
function Format.csv(header, kind, changes, args, path)
  local separator = args.separator
  local names = header_names(header, separator)
  if not names then
    Context.fail(exit.input, "%s: its first row does not end", path)
  end
  local columns, seen = {}, {}
  for i, name in ipairs(names) do
    columns[i] = column_of(name, kind, changes, seen, path)
  end
  for from in pairs(changes.map) do
    local found = false
    for _, name in ipairs(names) do
      found = found or name == from
    end
    if not found then
      Context.fail(exit.input, "%s: no column is called %s: it has %s", path, from, header)
    end
  end
  return {
    separator = separator,
    columns = columns,
    header = header,
    outside = members(kind, changes, true),
    inside = kind == "events" and '"properties":' or cjson.encode(args.operation) .. ":",
    members = members(kind, changes, false),
  }
end

-- ---- JSON that is changed ----

local function rename(object, changes)
  local renamed = {}
  for name, value in pairs(object) do
    local target = changes.map[name] or name
    if target ~= "" then
      renamed[target] = value
    end
  end
  return renamed
end

-- A function of a record as a table that applies the changes.
function Format.changer(kind, changes)
  return function(record)
    local inside = kind == "events" and "properties" or "$set"
    local properties = type(record[inside]) == "table" and record[inside] or {}
    record[inside] = nil
    local outer, inner = rename(record, changes), rename(properties, changes)
    for name in pairs(OUTSIDE[kind]) do
      if inner[name] ~= nil then
        outer[name], inner[name] = inner[name], nil
      end
    end
    if kind == "events" then
      for name, value in pairs(outer) do
        if name ~= "event" then
          inner[name], outer[name] = value, nil
        end
      end
    end
    for name, value in pairs(changes.set) do
      local at = OUTSIDE[kind][name] and outer or inner
      at[name] = value
    end
    if next(inner) ~= nil then
      outer[inside] = inner
    end
    return outer
  end
end

return Format
