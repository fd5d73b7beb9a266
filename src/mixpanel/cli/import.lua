-- Files of events, profiles or groups, into Mixpanel.
local Context = require "mixpanel.cli.context"
local Format = require "mixpanel.cli.import_format"
local Json = require "mixpanel.cli.json"
local Journal = require "mixpanel.cli.import_journal"
local Progress = require "mixpanel.cli.progress"
local Rejects = require "mixpanel.cli.import_rejects"
local Run = require "mixpanel.cli.import_run"
local Source = require "mixpanel.cli.import_source"
local cjson = require "cjson.safe"
local exit = require "mixpanel.cli.exit"
local uv = require "luv"

local import = { summary = "Import files of events, profiles or groups." }

import.description = [[
Import files of events, profiles or groups: JSON lines, JSON arrays or CSV, each
also gzipped. What is not taken is written to FILE.rejected.jsonl, with the
reason, and can be imported again once it was mended. An interrupted import goes
on with --resume.]]

local ENDPOINTS = { events = "import", people = "engage", groups = "groups" }
local HEAD = 65536

function import.add(parser)
  parser:argument("file", "Files; - is standard input."):args "+"
  Context.add_project(parser)
  parser
    :option("--type", "What they hold.")
    :choices({ "events", "people", "groups" })
    :default("events")
    :argname "<type>"
  parser
    :option("--format", "jsonl, json or csv; else by name and first bytes.")
    :choices(Format.names)
    :argname "<format>"
  parser
    :option("--map", "Rename a column or property: old=new, old= drops it.")
    :count "*"
    :argname "<pair>"
  parser:option("--set", "Set a property of every record: name=text."):count "*":argname "<pair>"
  parser:option("--time", "The column or property that is the time of an event."):argname "<name>"
  parser
    :option("--text", "Column of a CSV that stays text, also where it is a number.")
    :count "*"
    :argname "<name>"
  parser
    :option("--separator", "Between the fields of a CSV; \\t is a tab.")
    :default(",")
    :convert(Format.separator)
    :argname "<c>"
  parser
    :option("--operation", "What the columns of a CSV do to profiles.")
    :choices({ "$set", "$set_once", "$add", "$append", "$union", "$remove" })
    :default("$set")
    :argname "<operation>"
  parser:option("--transform", "Lua file that returns a function of each record."):argname "<file>"
  parser:flag("--dry-run", "Send nothing; show the first faults.")
  parser:flag("--resume", "Go on with an import that was interrupted.")
  parser:flag("--restart", "Begin anew an import that was interrupted.")
  parser:option("--journal", "File that knows how far the import is."):argname "<file>"
  parser:flag("--no-journal", "Do without; the import cannot be resumed.")
  parser:option("--rejected", "File for records that are not taken."):argname "<file>"
  parser
    :option("--on-ambiguous", "Updates that may have been applied: retry or report.")
    :choices({ "retry", "report" })
    :default("retry")
    :argname "<what>"
  parser
    :option("--in-flight", "Requests at the same time.")
    :default("10")
    :convert(Context.whole_number("--in-flight", 1, 20))
    :argname "<n>"
  parser
    :option("--patience", "Seconds without any delivery before it gives up.")
    :default("600")
    :convert(Context.seconds "--patience")
    :argname "<s>"
  parser:flag("-q --quiet", "Show no progress.")
end

-- ---- changes in Lua ----

local function load_transform(path)
  local chunk, why = loadfile(path)
  if not chunk then
    Context.fail(exit.usage, "--transform: %s", why)
  end
  local ok, change = pcall(chunk)
  if not ok or type(change) ~= "function" then
    Context.fail(
      exit.usage,
      "--transform %s: %s",
      path,
      ok and "expected `return function(record) … end`" or tostring(change)
    )
  end
  return change
end

-- Records of the text of one, as JSON: what the function returns, one or a list,
-- or nothing for a record that is left out; or why there are none.
local function change_record(text, changes)
  local record, why = Json.decode(text)
  if type(record) ~= "table" then
    return nil, "no JSON object: " .. (why or type(record))
  end
  for _, change in ipairs(changes) do
    local ok
    ok, record = pcall(change, record)
    if not ok then
      return nil, "transform: " .. tostring(record)
    elseif record == nil then
      return {}
    elseif type(record) ~= "table" then
      return nil, "transform: expected a record, a list of them or nil, got a " .. type(record)
    end
  end
  local list, texts = record[1] ~= nil and record or { record }, {}
  for i, item in ipairs(list) do
    texts[i], why = Json.encode(item)
    if not texts[i] then
      return nil, "transform: " .. why
    end
  end
  return texts
end

-- The function that makes records of the text of one; nil: they stay as they
-- are. The columns of a CSV have been renamed and set before.
local function changer(args, items, head)
  local wants = #args.map > 0 or #args.set > 0 or (args.time and args.time ~= "time")
  local mends = items == "lines" and head:find '^%s*{"reason":'
  local changes = {}
  if args.transform then
    changes[1] = load_transform(args.transform)
  end
  if wants and items ~= "rows" then
    changes[#changes + 1] = Format.changer(args.type, Format.changes(args))
  end
  if #changes == 0 and not mends then
    return nil
  end
  return function(text)
    text = mends and Rejects.mended(text) or text
    if #changes == 0 then
      return { text }
    end
    return change_record(text, changes)
  end
end

-- ---- one file ----

-- What of the options makes other records of the same file.
local function settings(args)
  local parts = { args.type, args.format or "", args.time or "", args.separator, args.operation }
  for _, name in ipairs { "map", "set", "text" } do
    parts[#parts + 1] = table.concat(args[name], "\1")
  end
  parts[#parts + 1] = args.transform or ""
  return (cjson.encode(table.concat(parts, "\2")))
end

local function open_journal(args, source, path)
  if args.no_journal or args.dry_run or not source.identity then
    if args.resume then
      Context.fail(
        exit.usage,
        "%s cannot be resumed: only a file that has a journal can",
        source.path
      )
    end
    return nil
  end
  local how = args.resume and "resume" or args.restart and "restart" or nil
  local place = args.journal or path .. ".import-journal"
  return Journal.open(place, path, source.identity, settings(args), how)
end

local function reject_path(args, path)
  return args.rejected or (path == "-" and "stdin" or path) .. ".rejected.jsonl"
end

-- What stands in front of the first record: a mark of the byte order, and the
-- row of names of a CSV.
local function read_head(task, args, path)
  local head = task.source:read(HEAD)
  local skip = head:sub(1, 3) == "\239\187\191" and 3 or 0
  if path == "-" and head:sub(1, 2) == "\31\139" then
    Context.fail(exit.input, "standard input is gzipped: zcat FILE | mixpanel import -")
  end
  local first = head:sub(skip + 1)
  task.items = Format.items(args, path, first)
  task.change = changer(args, task.items, first)
  if first == "" then
    task.items = "lines" -- none: there is not even a row of names
  end
  if task.items ~= "rows" then
    return head, skip
  end
  local header = first:match "^([^\n]*)\n" or first
  local stop = #header + 1
  header = header:gsub("\r$", "")
  task.csv = Format.csv(header, args.type, Format.changes(args), args, path)
  return head, skip + stop
end

-- A dry run keeps the lines in memory, the first ones.
local function dry_rejects()
  return {
    bytes = 0,
    lines = {},
    write = function(self, lines)
      for _, line in ipairs(lines) do
        if #self.lines < 10 then
          self.lines[#self.lines + 1] = line
        end
      end
    end,
    close = function() end,
  }
end

local function new_task(args, path, shared)
  local task = {
    client = shared.client,
    endpoint = ENDPOINTS[args.type],
    interrupted = shared.interrupted,
    patience = args.patience,
    dates = true,
    dry = args.dry_run,
    durable = args.type ~= "events" and args.on_ambiguous == "report",
    progress = Progress.new(args.quiet),
    source = Source.open(path),
  }
  local head, skip = read_head(task, args, path)
  task.journal = open_journal(args, task.source, path)
  task.rejects = args.dry_run and dry_rejects()
    or Rejects.new(reject_path(args, path), task.journal and task.journal.bytes or 0)
  return task, head, skip
end

-- Where the records begin that have no outcome yet: `head` was read already.
local function begin(run, task, head, skip, args)
  if not (task.journal and task.journal.done > skip) then
    run.offset = skip
    if args.on_ambiguous == "retry" then
      run.handed_before = 0
    end
    return head:sub(skip + 1)
  end
  if args.on_ambiguous == "retry" then
    run.handed_before = 0
  end
  if run.offset <= #head then
    return head:sub(run.offset + 1)
  end
  task.source:skip(run.offset - #head)
  return ""
end

local function close(task, counts)
  task.source:close()
  task.rejects:close()
  if task.journal then
    task.journal:close(counts and counts.left == 0 and counts.complete)
  end
end

local function import_file(args, path, shared)
  local task, head, skip = new_task(args, path, shared)
  local run = Run.new(task)
  local ok, why = pcall(function()
    local text = begin(run, task, head, skip, args)
    run.complete = run:feed(text)
  end)
  local drained, trouble = pcall(run.drain, run, not run.complete and 30 or nil)
  task.progress:clear()
  run:show(true)
  if task.progress.tty and not args.quiet then
    io.stderr:write "\n"
  end
  local counts = run:counts()
  counts.complete, counts.gave_up = run.complete, run.gave_up
  counts.rejects = counts.rejected > 0 and not args.dry_run and task.rejects.path or nil
  counts.faults = task.rejects.lines
  close(task, counts)
  counts.why = not ok and why or not drained and trouble or nil
  counts.journal = task.journal and not (counts.complete and counts.left == 0)
  return counts
end

-- ---- the whole run ----

local function watch_interrupts(context)
  local state = { count = 0 }
  for _, name in ipairs { "sigint", "sigterm" } do
    local signal = uv.new_signal()
    signal:start(name, function()
      state.count = state.count + 1
      if state.count == 1 then
        context:note "\nmixpanel: finishing what is under way; once more ends it at once"
      else
        os.exit(exit.interrupted)
      end
    end)
  end
  return function()
    uv.run "nowait"
    return state.count > 0
  end
end

local function say_counts(context, counts)
  for _, name in ipairs { "read", "delivered", "rejected", "left" } do
    local where = name == "rejected" and counts.rejects and "  " .. counts.rejects or ""
    context:say("%-10s%12.0f%s", name, counts[name], where)
  end
end

local function say_faults(context, counts)
  context:say("read      %12.0f", counts.read)
  context:say("faults    %12.0f", counts.rejected)
  for _, line in ipairs(counts.faults or {}) do
    context:say("%s", (line:gsub("\n$", "")))
  end
end

-- The exit status of a file, and what there is to say.
local function judge(context, args, path, counts, interrupted)
  if #args.file > 1 then
    context:say("%s:", path)
  end
  if args.dry_run then
    say_faults(context, counts)
  else
    say_counts(context, counts)
  end
  local why = counts.why
  if why then
    context:note("mixpanel: %s", Context.is_failure(why) and why.message or tostring(why))
  elseif counts.gave_up then
    context:note("mixpanel: gave up: %s", counts.gave_up)
  end
  if counts.journal then
    context:note("mixpanel: to go on: the same command with --resume")
  end
  if why then
    return Context.is_failure(why) and why.status or exit.failed
  elseif interrupted() then
    return exit.interrupted
  elseif counts.left > 0 or not counts.complete then
    return exit.left
  end
  return counts.rejected > 0 and exit.refused or exit.ok
end

local function check_arguments(args)
  if args.resume and args.restart then
    Context.fail(exit.usage, "--resume goes on, --restart begins anew: which one?")
  elseif #args.file > 1 and (args.journal or args.rejected) then
    Context.fail(exit.usage, "--journal and --rejected are for one file")
  end
end

local function new_client(args, context)
  local client = context:client(args, {
    reports = "every",
    max_in_flight = args.in_flight,
    max_queue_bytes = Run.QUEUE + 16 * 1024 * 1024,
    on_ambiguous = args.on_ambiguous,
    name = "import",
  })
  if not args.dry_run and args.type == "events" then
    local ok, message, code = client:check(30)
    if not ok then
      Context.fail(Context.status_of(code), "%s", message)
    end
  end
  return client
end

function import.run(args, context)
  check_arguments(args)
  local shared = { client = new_client(args, context), interrupted = watch_interrupts(context) }
  local status = exit.ok
  for _, path in ipairs(args.file) do
    local counts = import_file(args, path, shared)
    local own = judge(context, args, path, counts, shared.interrupted)
    status = status == exit.ok and own or status
    if own ~= exit.ok and own ~= exit.refused then
      break
    end
  end
  return status
end

return import
