-- A file of events, each time through `mixpanel import` and through npm
-- mixpanel-import with its defaults: JSON lines, the same gzipped, and CSV.
-- Arguments: the sink, and how many events.
package.path = "bench/?.lua"
local setup = require "setup"
local meter, shapes = setup.meter, setup.shapes
local url, n = assert(arg[1]), math.floor(tonumber(arg[2]))

local KINDS = { "jsonl", "jsonl.gz", "csv" }
local COLUMNS =
  { "event", "time", "$insert_id", "distinct_id", "plan", "city", "referrer", "screen" }
for _, name in ipairs { "items", "level", "price", "duration", "trial" } do
  COLUMNS[#COLUMNS + 1] = name
end

local function sh(...)
  local command = string.format(...)
  assert(os.execute(command), command)
end

-- ---- the file ----

local function event(i)
  local properties = shapes.typical(i)
  properties.time = 1795460000000 + i
  properties["$insert_id"] = ("%032x"):format(i)
  return { event = "Purchase Completed", properties = properties }
end

local function row(record)
  local fields = { record.event }
  for i = 2, #COLUMNS do
    local field = tostring(record.properties[COLUMNS[i]])
    fields[i] = field:find "," and '"' .. field .. '"' or field
  end
  return table.concat(fields, ",") .. "\n"
end

local function write_files(folder)
  local jsonl = assert(io.open(folder .. "/jsonl", "w"))
  local csv = assert(io.open(folder .. "/csv", "w"))
  csv:write(table.concat(COLUMNS, ","), "\n")
  for i = 1, n do
    local record = event(i)
    jsonl:write(setup.cjson.encode(record), "\n")
    csv:write(row(record))
  end
  jsonl:close()
  csv:close()
  for _, kind in ipairs(KINDS) do
    local packed = kind:find "gz$"
    sh("cd %s && %s >history.%s", folder, packed and "gzip -c jsonl" or "cat " .. kind, kind)
  end
  sh("cd %s && rm jsonl csv", folder)
end

-- ---- one of them ----

local COMMANDS = {
  ours = "MIXPANEL_TOKEN=%s MIXPANEL_API_HOST=%s lua5.4 bin/mixpanel import --quiet %s >&2",
  peer = "TOKEN=%s node bench/import_file.js %s %s >&2",
}

-- What a process and those that it starts take, in a process of its own, since
-- the most memory is known of all children together only.
local function measure(who, path)
  local command = COMMANDS[who]:format(setup.token, url, path)
  local pipe = assert(io.popen(("lua5.4 bench/import.lua --run %d %q"):format(n, command)))
  local text = pipe:read "a"
  assert(pipe:close(), command)
  return setup.cjson.decode(text)
end

local function run(command)
  local wall = meter.wall_ns()
  assert(os.execute(command), command)
  wall = meter.wall_ns() - wall
  local cpu, peak = meter.children()
  setup.tell { cpu_ns = cpu / n, wall_ns = wall / n, peak_kib = peak }
end

if url == "--run" then
  return run(arg[3])
end

local pipe = io.popen "mkdir -p build/bench && mktemp -d build/bench/import.XXXXXX"
local folder = pipe:read "l"
pipe:close()
local ok, found = xpcall(function()
  write_files(folder)
  local list = {}
  for _, kind in ipairs(KINDS) do
    local path = folder .. "/history." .. kind
    list[#list + 1] = {
      kind = kind,
      bytes = assert(io.open(path)):seek "end",
      ours = measure("ours", path),
      peer = measure("peer", path),
    }
  end
  return { events = n, files = list }
end, debug.traceback)
sh("rm -rf %s", folder)
assert(ok, found)
setup.tell(found)
