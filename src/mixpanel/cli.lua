-- The command line: finds the command that is meant, and runs it. Each command
-- is a file of cli/ that returns
--
--     { summary = "does this", add = function(parser) … end,
--       run = function(args, context) … return context.exit.ok end }
--
-- `add` gives the command's parser, of lua-argparse, its arguments; the context
-- is described in cli/context.lua.
local argparse = require "argparse"
local Context = require "mixpanel.cli.context"
local exit = require "mixpanel.cli.exit"
local mixpanel = require "mixpanel"

local cli = {}

-- In the order in which `mixpanel help` lists them.
cli.commands = {
  "import",
  "send",
  "check",
  "spool",
  "lookup-table",
  "flags",
  "sandbox",
  "completion",
}

-- What stands in for a wrong command line, while it is thrown.
local Usage = {}

local function on_wrong_usage(parser, message)
  error(setmetatable({ usage = parser:get_usage(), message = message }, Usage), 0)
end

local function print_version()
  print("mixpanel " .. mixpanel._VERSION)
  os.exit(exit.ok, true)
end

-- The parser of the whole command line.
function cli.parser()
  local parser = argparse("mixpanel", "Sends to Mixpanel, and looks after what waits to be sent.")
  parser:epilog "Exit statuses and everything else: docs/command-line.md."
  parser:add_help_command { summary = "Show what a command does and takes." }
  parser:command_target "command"
  parser:require_command(true)
  parser:usage_max_width(80):help_max_width(80)
  parser:flag("--version", "Show the version and end."):action(print_version)
  parser.error = on_wrong_usage
  for _, name in ipairs(cli.commands) do
    local command = require("mixpanel.cli." .. name:gsub("-", "_"))
    local own = parser:command(name):summary(command.summary)
    own:description(command.description or command.summary)
    command.add(own)
  end
  return parser
end

local function complain(message)
  io.stderr:write("mixpanel: ", message, "\n")
end

-- Why it failed, and the exit status that says so. A command throws a table of
-- Context.fail for what the user can mend.
local function judge(why)
  if getmetatable(why) == Usage then
    io.stderr:write(why.usage, "\n")
    complain(why.message)
    return exit.usage
  elseif Context.is_failure(why) then
    complain(why.message)
    return why.status
  end
  complain(tostring(why))
  return exit.failed
end

-- Runs a command line, a list of strings; returns its exit status.
function cli.main(argv)
  local context = Context.new()
  local ok, result = xpcall(function()
    local args = cli.parser():parse(argv)
    local command = require("mixpanel.cli." .. args.command:gsub("-", "_"))
    return command.run(args, context)
  end, function(why)
    return type(why) == "string" and os.getenv "MIXPANEL_TRACEBACK" and debug.traceback(why) or why
  end)
  context:close()
  return ok and result or judge(result)
end

return cli
