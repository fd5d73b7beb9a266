-- `spool ls`: what waits, by run and kind. Lines, not columns, so that a narrow
-- terminal wraps what it must.
local spool_client = require "mixpanel.cli.spool_client"

local plural = spool_client.plural

local ENDPOINTS = { "events", "import", "people", "groups" }

local function bytes_text(bytes)
  if bytes < 1024 then
    return ("%d B"):format(bytes)
  elseif bytes < 1024 * 1024 then
    return ("%.1f KiB"):format(bytes / 1024)
  end
  return ("%.1f MiB"):format(bytes / 1024 / 1024)
end

local UNITS = { { 86400, "day", "days" }, { 3600, "h", "h" }, { 60, "min", "min" } }

local function age_text(seconds)
  for _, unit in ipairs(UNITS) do
    if seconds >= unit[1] then
      return plural(math.floor(seconds / unit[1]), unit[2], unit[3])
    end
  end
  return plural(math.max(0, math.floor(seconds)), "s", "s")
end

-- What waits of one endpoint.
local function new_sum()
  return { files = 0, records = 0, bytes = 0, oldest = math.huge }
end

local function add(sum, file)
  sum.files = sum.files + 1
  sum.records = sum.records + file.records
  sum.bytes = sum.bytes + file.bytes
  sum.oldest = math.min(sum.oldest, file.time)
end

local function sum_text(sum)
  return ("%s, %s, %s, oldest %s"):format(
    plural(sum.records, "record"),
    plural(sum.files, "file"),
    bytes_text(sum.bytes),
    age_text(os.time() - sum.oldest)
  )
end

local function show_file(context, file)
  local about = file.records and plural(file.records, "record") or bytes_text(file.bytes)
  if file.kind == "batch" and file.attempts > 0 then
    about = about .. ", " .. plural(file.attempts, "request")
    about = file.in_doubt and about .. ", in doubt" or about
  end
  context:say("  %s: %s%s", file.name, about, file.problem and ", " .. file.problem or "")
end

local NOTES = {
  damaged = "set aside, not read again",
  rejected = "rejected by Mixpanel",
  newer = "of a newer version, left alone",
  unfinished = "not whole, of no use",
  other = "not of a spool, left alone",
}

-- Neither waits nor is empty: a spare segment of a living process.
local function waits(file)
  return (file.kind == "batch" or file.kind == "open") and file.records
end

-- What is said of a run whatever was asked for: its files that will not go by
-- themselves.
local function show_oddities(context, run, counts)
  for _, file in ipairs(run.files) do
    local note = NOTES[file.kind]
    if note or (file.problem and not waits(file)) then
      counts[file.kind] = (counts[file.kind] or 0) + 1
      local records = file.records and ", " .. plural(file.records, "record") or ""
      local problem = file.problem and ": " .. file.problem or ""
      context:say("  %s: %s%s%s", file.name, note or "cannot be read", records, problem)
    end
  end
end

local function show_run(context, run, all, counts, args)
  local sums = {}
  for _, file in ipairs(run.files) do
    if waits(file) and file.records > 0 then
      sums[file.endpoint] = sums[file.endpoint] or new_sum()
      add(sums[file.endpoint], file)
      add(all, file)
    end
  end
  context:say("run %s: %s", run.name, run.problem or spool_client.holder(run))
  for _, endpoint in ipairs(ENDPOINTS) do
    if sums[endpoint] then
      context:say("  %s: %s", endpoint, sum_text(sums[endpoint]))
    end
  end
  table.sort(run.files, function(a, b)
    return a.name < b.name
  end)
  for _, file in ipairs(args.files and run.files or {}) do
    if waits(file) and file.records > 0 then
      show_file(context, file)
    end
  end
  show_oddities(context, run, counts)
end

local ls = {}

function ls.run(args, context)
  local list = spool_client.list(context:onlooker(args, spool_client.options(args)))
  local all, counts = new_sum(), {}
  context:say("%s", list.directory)
  for _, run in ipairs(list.runs) do
    show_run(context, run, all, counts, args)
  end
  context:say("%s", all.files > 0 and "Waiting: " .. sum_text(all) or "Nothing waits.")
  for _, kind in ipairs { "damaged", "rejected", "newer" } do
    if counts[kind] then
      context:say("%s %s.", plural(counts[kind], "file"), NOTES[kind])
    end
  end
  if list.foreign > 0 then
    context:say(
      "%s of other tokens, hosts or names have files in this spool.",
      plural(list.foreign, "project")
    )
  end
  return context.exit.ok
end

return ls
