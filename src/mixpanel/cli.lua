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
  "forward",
  "dead",
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

-- What ends the command by being shown: the help and the version.
local Shown = {}

local function show(text)
  error(setmetatable({ text = text }, Shown), 0)
end

local function show_version()
  show("mixpanel " .. mixpanel._VERSION)
end

-- The command that the words name, below a parser.
local function find_command(root, words)
  local parser = root
  for _, word in ipairs(words) do
    local found
    for _, command in ipairs(parser._commands) do
      found = command._name == word and command or found
    end
    if not found then
      root:error(("no command is called '%s'"):format(word))
    end
    parser = found
  end
  return parser
end

local function add_help(parser)
  local help = parser:command("help"):summary "Show what a command does and takes."
  help._is_help_command = true -- for the completion
  help
    :argument("command", "The command, such as spool drain.")
    :args("*")
    :action(function(_, _, words)
      show(find_command(parser, words):get_help())
    end)
end

-- argparse's own prints and ends the process, also where nothing could be written.
local function catch_help(parser)
  parser._options[parser._help_option_idx]:action(function()
    show(parser:get_help())
  end)
  for _, command in ipairs(parser._commands) do
    catch_help(command)
  end
end

-- The parser of the whole command line.
function cli.parser()
  local parser = argparse("mixpanel", "Sends to Mixpanel, and looks after what waits to be sent.")
  parser:epilog "Exit statuses: `man mixpanel`. The guide: docs/command-line.md."
  add_help(parser)
  parser:command_target "command"
  parser:require_command(true)
  parser:usage_max_width(80):help_max_width(80)
  parser:flag("--version", "Show the version and end."):action(show_version)
  parser.error = on_wrong_usage
  for _, name in ipairs(cli.commands) do
    local command = require("mixpanel.cli." .. name:gsub("-", "_"))
    local own = parser:command(name):summary(command.summary)
    own:description(command.description or command.summary)
    command.add(own)
  end
  catch_help(parser)
  return parser
end

local function complain(message)
  if message then
    io.stderr:write("mixpanel: ", message, "\n")
  end
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
  why = tostring(why)
  if why:find "interrupted!$" then -- what the interpreter makes of Ctrl-C
    return exit.interrupted
  end
  complain(why)
  return exit.failed
end

local function run(argv, context)
  local parser = cli.parser()
  local ok, args = pcall(parser.parse, parser, argv)
  if not ok and getmetatable(args) == Shown then
    context:say("%s", args.text)
    return exit.ok
  elseif not ok then
    error(args, 0)
  end
  local command = require("mixpanel.cli." .. args.command:gsub("-", "_"))
  return command.run(args, context)
end

local function traced(why)
  return type(why) == "string" and os.getenv "MIXPANEL_TRACEBACK" and debug.traceback(why) or why
end

-- Runs a command line, a list of strings; returns its exit status.
function cli.main(argv)
  local context = Context.new()
  local ok, result = xpcall(function()
    return run(argv, context)
  end, traced)
  context:close()
  local status = ok and result or judge(result)
  ok, result = pcall(context.flush)
  return ok and status or judge(result)
end

return cli
