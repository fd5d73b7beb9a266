-- Delivers what a spool has that no living process holds, and says what became
-- of it.
local exit = require "mixpanel.cli.exit"
local Progress = require "mixpanel.cli.progress"
local spool_client = require "mixpanel.cli.spool_client"
local uv = require "luv"

local deliver = {}

local PAUSE_MS = 20
local MOST_BYTES = 2 ^ 40 -- nothing is evicted to make room

-- A client that drops nothing for its age or its bytes: whoever asks by hand
-- wants all of it.
function deliver.open(args, context)
  spool_client.check_directory(spool_client.directory(args))
  local options = {
    max_age = false,
    spool_max_bytes = MOST_BYTES,
    on_ambiguous = args.on_ambiguous,
  }
  return context:client(args, spool_client.options(args, options))
end

local function each_waiting(list, visit)
  for _, run in ipairs(list.runs) do
    for _, file in ipairs(run.files) do
      if (file.kind == "batch" or file.kind == "open") and file.records and file.records > 0 then
        visit(run, file)
      end
    end
  end
end

local function is_ours(run)
  return run.own or run.pid == uv.os_getpid()
end

local function unfinished(stats)
  return stats.queued + stats.in_flight + stats.spooled
end

-- Records on disk that this process has taken over, or still may.
local function on_disk(list)
  local left = 0
  each_waiting(list, function(run, file)
    if is_ours(run) or not run.alive and not file.problem then
      left = left + file.records
    end
  end)
  return left
end

-- A function that tells whether all is done. What dead processes left counts as
-- adopted once it was looked for. What may be left then is listed only after
-- each such look: to list takes the locks for a moment that a look wants.
local function watch(client)
  local listed = 0
  return function()
    local stats = client:stats()
    if unfinished(stats) > 0 or stats.spool_looks == listed then
      return false
    end
    listed = stats.spool_looks
    return on_disk(spool_client.list(client)) == 0
  end
end

local function show(client, progress)
  local stats = client:stats()
  progress:show {
    delivered = stats.delivered,
    before = 0,
    rejected = stats.rejected,
    waiting = unfinished(stats),
  }
end

-- Waits until all is delivered or the time is over. Ctrl-C ends the wait.
function deliver.wait(client, args)
  local progress = Progress.new(args.quiet, "patient")
  local deadline = uv.hrtime() / 1e9 + args.timeout -- uv.now is as old as the loop
  local is_done = watch(client)
  local interrupted = false
  local signal = uv.new_signal()
  signal:start("sigint", function()
    interrupted = true
  end)
  client:flush(0)
  repeat
    uv.sleep(PAUSE_MS)
    uv.run "nowait"
    show(client, progress)
  until interrupted or uv.hrtime() / 1e9 >= deadline or is_done()
  progress:clear()
  signal:close()
  uv.run "nowait"
  return interrupted
end

-- ---- what became of it ----

-- Counts equal reasons of the reports.
local function reasons(client)
  local texts, counts = {}, {}
  for _, report in ipairs(client:poll()) do
    local text = ("%s: %s"):format(report.outcome, report.message or "")
    if not counts[text] then
      texts[#texts + 1] = text
    end
    counts[text] = (counts[text] or 0) + (report.count or 1)
  end
  return texts, counts
end

local function tell_reports(client, context)
  local texts, counts = reasons(client)
  for _, text in ipairs(texts) do
    context:note("  %s%s", text, counts[text] > 1 and (" (%d)"):format(counts[text]) or "")
  end
end

-- What stays in the spool, and why this process cannot deliver it.
local function tell_others(list, context)
  local held, order = {}, {}
  each_waiting(list, function(run, file)
    if run.alive and not is_ours(run) then
      if not held[run.name] then
        order[#order + 1] = run
      end
      held[run.name] = (held[run.name] or 0) + file.records
    end
  end)
  for _, run in ipairs(order) do
    context:say(
      "%s held by a process that lives%s: left to it.",
      spool_client.plural(held[run.name], "record is", "records are"),
      run.pid and (", pid %d"):format(run.pid) or ""
    )
  end
  for _, run in ipairs(list.runs) do
    for _, file in ipairs(run.files) do
      local why = file.kind == "newer" and "a newer version wrote it: left alone"
        or file.kind == "damaged" and "damaged: see `mixpanel spool show`"
        or file.kind == "rejected" and "rejected: mend it, then `mixpanel spool requeue`"
        or not run.alive and (file.kind == "batch" or file.kind == "open") and file.problem
      if why then
        context:say("%s: %s", spool_client.path(list, run, file), why)
      end
    end
  end
end

-- Records that wait in memory alone, since the disk cannot be written to.
local function in_memory_only(stats, list)
  local in_files = 0
  each_waiting(list, function(run, file)
    in_files = in_files + (is_ours(run) and file.records or 0)
  end)
  return math.max(0, unfinished(stats) - in_files)
end

local function tell_left(stats, list, left, context)
  if left > 0 then
    context:say(
      "%s left%s.",
      spool_client.plural(left, "record is", "records are"),
      stats.last_error and ": " .. stats.last_error or ""
    )
  end
  local lost = in_memory_only(stats, list)
  if lost > 0 then
    context:note(
      "%s in no file of the spool and lost when this ends: keep what they came from.",
      spool_client.plural(lost, "record is", "records are")
    )
  end
end

-- Says it, and returns the exit status.
function deliver.tell(client, interrupted, context)
  local stats = client:stats()
  local list = spool_client.list(client)
  local left = math.max(unfinished(stats), on_disk(list))
  context:say(
    "%s delivered, %d rejected.",
    spool_client.plural(stats.delivered, "record"),
    stats.rejected
  )
  tell_reports(client, context)
  tell_left(stats, list, left, context)
  tell_others(list, context)
  if interrupted then
    return exit.interrupted
  elseif left > 0 then
    return exit.left
  end
  return stats.rejected + stats.dropped.quarantined > 0 and exit.refused or exit.ok
end

return deliver
