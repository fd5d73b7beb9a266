-- What commands that talk to a bus have in common: where it is, and one task at a
-- time.
local Context = require "mixpanel.cli.context"
local exit = require "mixpanel.cli.exit"
local uv = require "luv"

local bus = {}

local PATIENCE_S = 20

function bus.add(parser)
  parser
    :option("--bus", "Servers of NATS, with commas: tls://n1:4222,tls://n2:4222.")
    :argname "<urls>"
  parser
    :option("--credentials", "File of mode 0600: a .creds file of NATS, or user and password.")
    :argname "<file>"
  parser
    :option("--ca-file", "PEM file of the authorities to trust, beside the system's.")
    :argname "<file>"
end

-- Seconds that only go forward, also while the machine sleeps: leases go on then.
function bus.clock()
  return require("mixpanel.nats").clock()
end

-- 16 hexadecimal digits.
function bus.random_text()
  return (
    assert(uv.random(8)):gsub(".", function(char)
      return ("%02x"):format(char:byte())
    end)
  )
end

local OPTIONS = { servers = "--bus", credentials = "--credentials", ca_file = "--ca-file" }

-- What the bus says while it runs, in the words of the command line. It calls its options
-- bus.NAME, where a client of a project says NAME of an option of its own.
function bus.in_options(why)
  return (why:gsub("option 'bus%.([%w_]+)'", OPTIONS))
end

-- The same of an error that `nats.open` raises.
local function in_arguments(why)
  return (
    why:gsub("^bad argument #1 to '[^']*' %((.*)%)$", "%1"):gsub("option '([%w_]+)'", OPTIONS)
  )
end

local credentials -- the file of the link that is open

-- Ends with why something of the bus failed; each exit status for that is from here.
-- Codes as of JetStream; 401: the credentials are refused, or do not permit it, or their
-- file is of no use. Without a code it is what people set up otherwise.
function bus.fail(why, code)
  local fault = why:match "nats: the file of credentials (.*)$"
  if fault then
    fault = fault:gsub("^cannot be read: ", ""):gsub("^%l+ ", "it %0", 1)
    Context.fail(exit.input, "--credentials %s: %s", credentials, fault)
  end
  local status = code == 401 and exit.unauthorized or code and exit.network or exit.usage
  Context.fail(status, "%s", bus.in_options(why))
end

-- Else the link would wait for it without end. What opens without blocking may be a pipe.
local function check_ca_file(path)
  local fd, why = uv.fs_open(path, uv.constants.O_RDONLY + uv.constants.O_NONBLOCK, 0)
  local is_folder = fd and uv.fs_fstat(fd).type == "directory"
  if fd then
    uv.fs_close(fd)
  end
  if not fd or is_folder then
    local reason = is_folder and "it is a directory" or Context.reason(why)
    Context.fail(exit.input, "--ca-file %s: %s; expected a PEM file", path, reason)
  end
end

function bus.open(args)
  local ok, nats = pcall(require, "mixpanel.nats")
  if not ok then
    Context.fail(
      exit.usage,
      "mixpanel.nats cannot be loaded: `make install-nats` installs it, and it needs libnats"
        .. " (Debian: libnats3.4); %s",
      tostring(nats):match "^[^\n]*:\n%s*(lib[^\n]*)" or tostring(nats):match "^[^\n]*"
    )
  elseif not args.bus then
    Context.fail(exit.usage, "where is the bus? --bus tls://host:4222")
  end
  local servers = {}
  for url in args.bus:gmatch "[^,]+" do
    servers[#servers + 1] = url
  end
  local link, why
  ok, link, why = pcall(nats.open, {
    servers = servers,
    credentials = args.credentials,
    ca_file = args.ca_file,
  })
  if not ok or not link then
    Context.fail(exit.usage, "%s", in_arguments(ok and why or link))
  end
  if args.ca_file then
    check_ca_file(args.ca_file)
  end
  credentials = args.credentials
  return link
end

-- Runs a function as a task, with what asks JetStream; returns what it returned.
function bus.run(args, run)
  local JetStream = require "mixpanel.forward.jetstream"
  local Tasks = require "mixpanel.forward.tasks"
  local link = bus.open(args)
  local tasks = Tasks.new(bus.clock)
  local result
  tasks:spawn(function()
    result = { run(JetStream.new(link, tasks), tasks) }
  end)
  local deadline = bus.clock() + PATIENCE_S -- without an answer
  repeat
    local pause = tasks:step(0.1)
    for _, event in ipairs(result and {} or link:wait(pause)) do
      if event.id then
        tasks:answer(event.id, event)
        deadline = bus.clock() + PATIENCE_S
      end
    end
  until result or bus.clock() > deadline
  link:close(1)
  if not result then
    Context.fail(exit.network, "the bus does not answer")
  end
  return (table.unpack or unpack)(result, 1, 3) -- luacheck: ignore
end

return bus
