-- A client of the spool that the command line names.
local Context = require "mixpanel.cli.context"
local exit = require "mixpanel.cli.exit"
local uv = require "luv"

local spool_client = {}

function spool_client.directory(args)
  local directory = args.spool or os.getenv "MIXPANEL_SPOOL"
  if not directory or directory == "" then
    Context.fail(exit.usage, "which spool? --spool <dir>, or MIXPANEL_SPOOL")
  end
  return directory
end

-- The options of a client of that spool.
function spool_client.options(args, given)
  local options = given or {}
  options.spool = spool_client.directory(args)
  options.name = args.name
  return options
end

-- What the spool has of the project: see mixpanel.SpoolList.
function spool_client.list(client)
  local list, message = client:spool_list()
  if list then
    return list
  elseif message:find("Permission denied", 1, true) then
    message = message .. "; run this as the user whose program writes it"
  end
  Context.fail(exit.input, "%s", message)
end

-- One that is not there would be made, also where its name is misspelt, and what
-- another user delivers would leave files that its owner cannot read.
function spool_client.check_directory(directory)
  local stat, why = uv.fs_stat(directory)
  if not stat then
    Context.fail(exit.input, "no spool is at %s: %s", directory, Context.reason(why))
  elseif stat.uid ~= uv.getuid() then
    Context.fail(
      exit.input,
      "%s belongs to the user with the number %d: run this as that user",
      directory,
      stat.uid
    )
  end
end

local function plural(n, word, words)
  return ("%d %s"):format(n, n == 1 and word or words or word .. "s")
end

spool_client.plural = plural

-- "dead", or who holds it.
function spool_client.holder(run)
  if run.own then
    return "this process"
  elseif not run.alive then
    return "dead"
  end
  return run.pid and ("alive, pid %d"):format(run.pid) or "alive"
end

function spool_client.path(list, run, file)
  return ("%s/%s/%s"):format(list.directory, run.name, file.name)
end

return spool_client
