-- Forwards from a message bus to Mixpanel, until it is told to stop.
local Context = require "mixpanel.cli.context"
local bus = require "mixpanel.cli.bus"
local exit = require "mixpanel.cli.exit"
local uv = require "luv"

local forward = { summary = "Forward from a message bus to Mixpanel." }

forward.description = [[
Read batches that clients with transport = "nats" put on a bus, and deliver them
to Mixpanel, until SIGTERM or Ctrl-C. Run two or more: each project is forwarded by
one of them, and by another soon after that one dies. --create makes the streams
and ends. Needs mixpanel.nats (make install-nats).]]

local DAY_S = 86400
-- Of days: longer than the streams look for duplicates, and no more nanoseconds than an
-- integer holds. Of gigabytes: no limit of 0 bytes, which is none, also for dead letters.
local DAYS = { least = 0.01, most = 36500 }
local GIGABYTES = { least = 0.001, most = 1000000 }

local CLOSE_S = 0.1 -- for the threads of the bus; all that matters has been answered

function forward.add(parser)
  bus.add(parser)
  parser:option("--projects", "File of Lua with the projects; see docs/fleet.md."):argname "<file>"
  parser:flag("--create", "Make the streams that are not there, and end.")
  parser
    :option("--replicas", "With --create: servers that hold each message.")
    :default("3")
    :convert(Context.whole_number("--replicas", 1, 5))
    :argname "<n>"
  parser
    :option("--max-age", "With --create: days that a message is kept.")
    :default("3")
    :convert(Context.amount_between("--max-age", "days", DAYS.least, DAYS.most))
    :argname "<days>"
  parser
    :option("--max-gigabytes", "With --create: the most that the stream may hold.")
    :default("10")
    :convert(
      Context.amount_between("--max-gigabytes", "gigabytes", GIGABYTES.least, GIGABYTES.most)
    )
    :argname "<GB>"
  parser
    :option("--exit-timeout", "Seconds to end what is under way when told to stop.")
    :default("20")
    :convert(Context.seconds "--exit-timeout")
    :argname "<s>"
  parser
    :option("--metrics", "File to write metrics for Prometheus to, every 5 seconds.")
    :argname "<file>"
end

local function create(args, context)
  local streams = require "mixpanel.forward.streams"
  local lines, why, code = bus.run(args, function(js)
    return streams.create(js, {
      replicas = args.replicas,
      max_age = math.floor(args.max_age * DAY_S),
      max_bytes = math.floor(args.max_gigabytes * 1e9),
    })
  end)
  if not lines then
    bus.fail(why, code)
  end
  for _, line in ipairs(lines) do
    context:say("%s", line)
  end
  return exit.ok
end

-- No other process has it, also not one in a container with the same pid.
local function owner()
  local host = uv.os_gethostname()
  return ("%s:%d:%s"):format(host, uv.os_getpid(), bus.random_text())
end

-- Until the function that it returns is called.
local function catch_signals(forwarder)
  local signals = {}
  for i, name in ipairs { "sigterm", "sigint" } do
    signals[i] = uv.new_signal()
    signals[i]:start(name, function()
      forwarder:stop()
    end)
  end
  return function()
    for _, signal in ipairs(signals) do
      signal:close()
    end
    uv.run "nowait"
  end
end

-- Options that are not the bus's are those of a project, in the file at `path`.
local function in_words_of(path, text)
  return (
    bus.in_options(text):gsub("option '[%w_]+'", function(option)
      return ("%s of the project in %s"):format(option, path)
    end)
  )
end

local function noter(path)
  return function(text)
    io.stderr:write(os.date "!%Y-%m-%dT%H:%M:%SZ", " ", in_words_of(path, text), "\n")
  end
end

-- A new file takes its place every time, so the directory is what must be there.
local function check_metrics(path)
  local stat = uv.fs_stat(path)
  if stat and stat.type ~= "file" then
    Context.fail(exit.input, "--metrics: %s is no regular file", path)
  end
  local directory = path:match "^(.*/)[^/]*$" or "."
  local about, why = uv.fs_stat(directory)
  local reason = not about and Context.reason(why)
    or about.type ~= "directory" and "not a directory"
    or not uv.fs_access(directory, "WX") and "permission denied"
  if reason then
    Context.fail(exit.input, "--metrics %s: %s: %s", path, directory, reason)
  end
end

function forward.run(args, context)
  if args.create then
    return create(args, context)
  elseif not args.projects then
    Context.fail(exit.usage, "which projects? --projects <file>, or --create")
  end
  if args.metrics then
    check_metrics(args.metrics)
  end
  local Forwarder = require "mixpanel.forward.forwarder"
  local metrics = require "mixpanel.forward.metrics"
  local projects = require("mixpanel.cli.forward_projects").read(args.projects)
  local link = bus.open(args)
  local note = noter(args.projects)
  local forwarder = Forwarder.new {
    link = link,
    clock = bus.clock,
    owner = owner(),
    exit_timeout = args.exit_timeout,
    note = note,
    projects = projects,
  }
  local release_signals = catch_signals(forwarder)
  local write = args.metrics and metrics.writer(args.metrics, note) or function() end
  local ok, why, code = forwarder:run(function()
    uv.run "nowait"
    write(forwarder)
  end)
  write(forwarder, true)
  release_signals()
  link:close(CLOSE_S)
  if not ok then
    bus.fail(why, code)
  end
  return exit.ok
end

return forward
