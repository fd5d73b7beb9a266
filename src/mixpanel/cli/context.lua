-- What every command has besides its arguments:
--
--     context.exit                    the exit statuses, cli/exit.lua
--     context:say(format, …)          a line on standard output
--     context:print(text)             a text on standard output
--     context:note(format, …)         a line on standard error
--     context.fail(status, format, …) ends the command with a message, if there is one
--     context:client(args[, options]) a client of the project that the options of
--                                     Context.add_project name; closed at the end
--     context:onlooker(args[, options])  the same that sends nothing
--     context.open(path)              a file to read, or the command ends
local exit = require "mixpanel.cli.exit"

local Context = { exit = exit }
Context.__index = Context

local Failure = {}

-- A standard stream that is closed leaves its number to what is opened next, such as
-- libuv's own, which aborts over that at the end. What is written to one of these fails
-- as it does without it.
local function take_standard_numbers()
  local taken = {}
  for i = 1, 3 do
    taken[i] = io.open("/dev/null", "r")
  end
  return taken
end

function Context.new()
  return setmetatable({ clients = {}, standard = take_standard_numbers() }, Context)
end

function Context.fail(status, format, ...)
  local message = format and format:format(...)
  error(setmetatable({ status = status, message = message }, Failure), 0)
end

function Context.is_failure(why)
  return getmetatable(why) == Failure
end

local EPIPE = 32

-- Without a reader there is nobody left to write for, and nothing to complain of.
local function check_output(ok, why, code)
  if not ok then
    if code == EPIPE then
      Context.fail(exit.unread)
    end
    Context.fail(exit.input, "cannot write the output: %s", why)
  end
end

-- A text as it is, on standard output.
function Context.print(_, text)
  check_output(io.stdout:write(text))
end

function Context.say(_, format, ...)
  check_output(io.stdout:write(format:format(...), "\n"))
end

-- Remarks are not worth ending for.
function Context.note(_, format, ...)
  io.stderr:write(format:format(...), "\n")
end

-- What was said is out, or fails.
function Context.flush()
  check_output(io.stdout:flush())
end

-- What libuv says of a failure, without its own name for it and the path.
function Context.reason(why)
  return why:match "^%u+: ([^:]+)" or why
end

-- Opens a file for reading by lines.
function Context.open(path)
  local file, why = io.open(path, "rb")
  if not file then
    Context.fail(exit.input, "%s", why) -- which names the path
  end
  local _, unreadable = file:read(0) -- of a folder
  if unreadable then
    file:close()
    Context.fail(exit.input, "%s: %s", path, unreadable)
  end
  return file
end

-- The converters of options that are numbers.
function Context.amount(option, unit)
  return function(text)
    local amount = tonumber(text)
    if amount and amount > 0 and amount < 1e9 then
      return amount
    end
    return nil, ("%s: got '%s', expected %s, more than 0"):format(option, text, unit)
  end
end

function Context.amount_between(option, unit, least, most)
  return function(text)
    local amount = tonumber(text)
    if amount and amount >= least and amount <= most then
      return amount
    end
    return nil,
      ("%s: got '%s', expected %s from %g to %.0f"):format(option, text, unit, least, most)
  end
end

function Context.seconds(option)
  return Context.amount(option, "seconds")
end

function Context.whole_number(option, least, most)
  return function(text)
    local number = tonumber(text)
    if number and number % 1 == 0 and number >= least and number <= most then
      return number
    end
    return nil,
      ("%s: got '%s', expected a whole number from %d to %d"):format(option, text, least, most)
  end
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
  if package.loaded.luv then
    package.loaded.luv.run "nowait" -- libuv crashes at the end over handles half closed
  end
end

local CODES = { unauthorized = exit.unauthorized, invalid = exit.refused, timeout = exit.left }

-- The exit status for the code of a call that failed.
function Context.status_of(code)
  return CODES[code] or exit.network
end

return Context
