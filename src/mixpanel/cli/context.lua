-- What every command has besides its arguments:
--
--     context.exit                    the exit statuses, cli/exit.lua
--     context:say(format, …)          a line on standard output
--     context:note(format, …)         a line on standard error
--     context.fail(status, format, …) ends the command with a message
--     context:client(args[, options]) a client of the project that the options of
--                                     Context.add_project name; closed at the end
--     context:onlooker(args[, options])  the same that sends nothing
local exit = require "mixpanel.cli.exit"

local Context = { exit = exit }
Context.__index = Context

local Failure = {}

function Context.new()
  return setmetatable({ clients = {} }, Context)
end

function Context.fail(status, format, ...)
  error(setmetatable({ status = status, message = format:format(...) }, Failure), 0)
end

function Context.is_failure(why)
  return getmetatable(why) == Failure
end

-- Without a reader, as behind `| head`, there is nobody left to write for.
local function write(file, format, ...)
  local ok = file:write(format:format(...), "\n")
  if not ok then
    Context.fail(exit.failed, "nobody reads the output any more")
  end
end

function Context.say(_, format, ...)
  write(io.stdout, format, ...)
end

function Context.note(_, format, ...)
  write(io.stderr, format, ...)
end

-- Gives a command's parser the options that say which project, and where.
function Context.add_project(parser)
  parser
    :option("--token", "Token of the project; else MIXPANEL_TOKEN or the credentials file.")
    :argname "<token>"
  parser
    :option("--residency", "Where the project's data lives; else MIXPANEL_RESIDENCY.")
    :choices({ "us", "eu", "in" })
    :argname "<region>"
  parser
    :option("--api-host", "URL of a proxy instead of Mixpanel's host; else MIXPANEL_API_HOST.")
    :argname "<url>"
  parser
    :option("--credentials", "File of mode 0600 with lines such as `secret = …`.")
    :argname "<file>"
  parser:option("--ca-file", "PEM file of the authorities to trust."):argname "<file>"
end

local function environment(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

-- The token and the options of mixpanel.new that the arguments stand for;
-- options given win.
function Context.project(_, args, given)
  local credentials = require "mixpanel.cli.credentials"
  local found = credentials.read(args.credentials)
  local token = args.token or found.token
  if not token then
    Context.fail(exit.usage, "which project? --token <token>, or MIXPANEL_TOKEN")
  end
  local options = {
    residency = args.residency,
    api_host = args.api_host,
    ca_file = args.ca_file,
    proxy = found.proxy,
    service_account = credentials.account(found),
  }
  if not (options.residency or options.api_host) then
    options.api_host = environment "MIXPANEL_API_HOST"
    options.residency = environment "MIXPANEL_RESIDENCY"
  end
  for name, value in pairs(given or {}) do
    options[name] = value
  end
  return token, options
end

-- A client that is never closed, since even that would start its sender: for
-- commands that only look.
function Context:onlooker(args, given)
  local mixpanel = require "mixpanel"
  local token, options = self:project(args, given)
  local ok, client = pcall(mixpanel.new, token, options)
  if not ok then
    local message = tostring(client)
    Context.fail(exit.usage, "%s", message:match "^.- %((.*)%)$" or message)
  end
  return client
end

function Context:client(args, given)
  local client = self:onlooker(args, given)
  self.clients[#self.clients + 1] = client
  return client
end

function Context:close()
  for _, client in ipairs(self.clients) do
    client:close(0)
  end
end

local CODES = { unauthorized = exit.unauthorized, invalid = exit.refused, timeout = exit.left }

-- The exit status for the code of a call that failed.
function Context.status_of(code)
  return CODES[code] or exit.network
end

return Context
