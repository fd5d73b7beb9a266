-- Who asks: the token, which is no secret and may be an argument, and secrets,
-- which never are, since every user of a machine sees the arguments of every
-- process: they come from the environment or from a file that only its owner
-- can read.
local Context = require "mixpanel.cli.context"
local exit = require "mixpanel.cli.exit"
local uv = require "luv"

local credentials = {}

-- Names in the file, and those of the environment.
local VARIABLES = {
  token = "MIXPANEL_TOKEN",
  username = "MIXPANEL_USERNAME",
  secret = "MIXPANEL_SECRET",
  project_id = "MIXPANEL_PROJECT_ID",
  proxy = "MIXPANEL_PROXY",
}

local KINDS = { fifo = "pipe", char = "device", block = "device" }
-- A pipe without a writer would block whoever opens it.
local READ = uv.constants.O_RDONLY + uv.constants.O_NONBLOCK

local function check_owner(path, fd)
  local stat = uv.fs_fstat(fd)
  if stat.type ~= "file" then
    Context.fail(
      exit.usage,
      "%s: a %s; credentials are read from a file of mode 0600 or from the environment",
      path,
      KINDS[stat.type] or stat.type
    )
  elseif stat.mode % 64 ~= 0 then
    Context.fail(
      exit.usage,
      "%s: others may read it; it must be a file of mode 0600: chmod 600 %s",
      path,
      path
    )
  elseif stat.uid ~= uv.getuid() and stat.uid ~= 0 then
    Context.fail(exit.usage, "%s: it belongs to somebody else", path)
  end
end

local function read_file(path)
  local fd, why = uv.fs_open(path, READ, 0)
  if not fd then
    Context.fail(exit.usage, "cannot read the credentials %s: %s", path, Context.reason(why))
  end
  check_owner(path, fd)
  local text = uv.fs_read(fd, 65536, 0) or ""
  uv.fs_close(fd)
  return text
end

-- `name = value` in each line; # begins a comment.
local function parse(path, text)
  local found, number = {}, 0
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    local name, value = line:match "^%s*([%w_]+)%s*=%s*(.-)%s*$"
    if name and VARIABLES[name] then
      found[name] = value
    elseif line:find "^%s*[^#%s]" then
      Context.fail(
        exit.usage,
        "%s: line %d: expected token, username, secret, project_id or proxy = value",
        path,
        number
      )
    end
  end
  return found
end

-- The credentials in force: those of the file `path`, if there is one, else of
-- the environment.
function credentials.read(path)
  local found = path and parse(path, read_file(path)) or {}
  for name, variable in pairs(VARIABLES) do
    local value = os.getenv(variable)
    if found[name] == nil and value ~= "" then
      found[name] = value
    end
  end
  return found
end

-- The option service_account of mixpanel.new, or nil.
function credentials.account(found)
  if not (found.username or found.secret) then
    return nil
  end
  for _, name in ipairs { "username", "secret", "project_id" } do
    if not found[name] then
      Context.fail(exit.usage, "a service account needs %s too: %s", name, VARIABLES[name])
    end
  end
  return { username = found.username, secret = found.secret, project_id = found.project_id }
end

return credentials
