-- What waits in a spool: looked at, delivered, put back.
local Context = require "mixpanel.cli.context"

local spool = { summary = "Look after what waits in a spool." }

spool.description = [[
A spool is the directory that programs give as the option `spool`. Which files
in it belong to a project depends on its token, host and name, so these must be
what the program says.]]

-- Gives a parser the options that say which spool, and whose files in it.
local function add_spool(parser)
  parser:option("--spool", "Directory of the spool; else MIXPANEL_SPOOL."):argname "<dir>"
  parser:option("--name", "The option `name` of the program's client."):argname "<name>"
  Context.add_project(parser)
end

local function add_delivery(parser)
  add_spool(parser)
  parser
    :option("--timeout", "Seconds after which to stop; what is left waits in the spool.")
    :default("60")
    :convert(Context.seconds "--timeout")
    :argname "<s>"
  parser
    :option("--on-ambiguous", "What becomes of updates that may have been applied before.")
    :choices({ "retry", "report" })
    :argname "<what>"
  parser:flag("-q --quiet", "Show no progress.")
end

local ACTIONS = {
  {
    name = "ls",
    summary = "List what waits, was set aside or was rejected. Changes nothing.",
    add = function(parser)
      parser:flag("--files", "Name each file.")
      add_spool(parser)
    end,
  },
  {
    name = "show",
    summary = "Print the records of files as lines of JSON. Changes nothing.",
    add = function(parser)
      parser:argument("file", "Path of a file, or its name in this spool."):args "+"
      add_spool(parser)
    end,
  },
  {
    name = "drain",
    summary = "Deliver what programs left that run no more.",
    add = add_delivery,
  },
  {
    name = "requeue",
    summary = "Put rejected or damaged records back, once mended, and deliver.",
    description = "Takes files of a spool, also *.bad and rejected.jsonl, and lines of JSON: "
      .. "records, or what rejected.jsonl has. The files stay as they are.",
    add = function(parser)
      parser:argument("file", "Files, or - for standard input."):args "+"
      parser
        :option("--endpoint", "Of lines that are bare records; else what they look like decides.")
        :choices({ "track", "import", "engage", "groups" })
        :argname "<endpoint>"
      add_delivery(parser)
    end,
  },
}

function spool.add(parser)
  parser:command_target "action"
  parser:require_command(true)
  for _, action in ipairs(ACTIONS) do
    local own = parser:command(action.name):summary(action.summary)
    own:description(action.description or action.summary)
    action.add(own)
  end
end

function spool.run(args, context)
  return require("mixpanel.cli.spool_" .. args.action).run(args, context)
end

return spool
