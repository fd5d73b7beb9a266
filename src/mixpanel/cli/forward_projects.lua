-- The file that says which projects are forwarded, and how: a file of Lua that
-- returns a list, without any function to call.
--
--     return {
--       { token = "projecttoken", residency = "eu", events_via = "import",
--         service_account = { username = "…", secret = "…", project_id = 1 } },
--     }
local Context = require "mixpanel.cli.context"
local exit = require "mixpanel.cli.exit"
local mixpanel = require "mixpanel"
local uv = require "luv"

local forward_projects = {}

-- Mixpanel's limits of a project, with a margin (Mixpanel docs, import events: 2 GB
-- of uncompressed JSON or about 30 000 events a second, over a minute).
local MAX_RATE = 25000
local MAX_BYTE_RATE = 1.6e9 / 60

local MIN_QUEUE_BYTES = 4 * 1024 * 1024

-- A record must not hold the position of all behind it for ever.
local MAX_STUCK_S = 3600

-- Options of mixpanel.new that a project may have, and whether its setup names them.
local OPTIONS = {
  residency = true,
  api_host = true,
  allow_http = true,
  events_via = true,
  geolocate = true,
  max_rate = true,
  max_byte_rate = true,
  on_ambiguous = true,
  max_batch_size = true,
  max_in_flight = true,
  max_queue_bytes = true,
  request_timeout = true,
  connect_timeout = true,
  max_retry_delay = true,
  max_stuck = true,
  gzip = true,
  service_account = false,
  proxy = false,
  ca_file = false,
  ca_path = false,
  debug = false,
}

local function fail(path, format, ...)
  Context.fail(exit.usage, "%s: " .. format, path, ...)
end

-- Lua quotes what it stumbles over, which may be a secret: "… near 'secret'", "a nil
-- value (global 'secret')" or, before 5.2, "global 'secret' (a nil value)".
local function without_quotes(why)
  return (
    why:gsub(" near .*$", ""):gsub(" %(%w+ '.*'%)$", ""):gsub(" %w+ '.*' %((a %w+ value)%)$", " %1")
  )
end

local function load_list(path)
  local file = Context.open(path)
  local text = file:read "*a"
  file:close()
  local chunk, why
  if setfenv then -- luacheck: ignore
    chunk, why = loadstring(text, "=" .. path) -- luacheck: ignore
    chunk = chunk and text:byte() ~= 27 and setfenv(chunk, {}) -- luacheck: ignore
  else
    chunk, why = load(text, "=" .. path, "t", {})
  end
  if not chunk then
    why = why and without_quotes(why) or path .. ": no text"
    Context.fail(exit.usage, "%s", why) -- which names path and line
  end
  local ok, list = pcall(chunk)
  if not ok then
    Context.fail(exit.usage, "%s", without_quotes(tostring(list)))
  elseif type(list) ~= "table" or #list == 0 then
    fail(path, 'expected a list of projects, such as return { { token = "…" } }')
  end
  for key in pairs(list) do
    if type(key) ~= "number" or list[1] == nil or key > 1 and list[key - 1] == nil then
      fail(path, "[%s]: expected a list of projects, without names or gaps", tostring(key))
    end
  end
  return list
end

local function check_mode(path)
  local stat = uv.fs_stat(path)
  if stat and stat.mode % 64 ~= 0 then
    fail(path, "it holds a secret, and others may read it: chmod 600 %s", path)
  end
end

-- What two forwarders must agree on, without secrets.
local function describe(options)
  local parts = {}
  for name, shown in pairs(OPTIONS) do
    if shown and options[name] ~= nil then
      parts[#parts + 1] = ("%s=%s"):format(name, tostring(options[name]))
    end
  end
  parts[#parts + 1] = options.service_account and "service_account" or nil
  table.sort(parts)
  return table.concat(parts, " ")
end

-- A message of a client of this module has room when half of it is free.
local function check_queue(path, i, bytes)
  if bytes and bytes < MIN_QUEUE_BYTES then
    local message = "project %d: option 'max_queue_bytes': got %.0f, expected at least %d"
    fail(path, message, i, bytes, MIN_QUEUE_BYTES)
  end
end

-- The client is made to see whether it can be, and never used.
local function check_client(path, i, token, options)
  local ok, why = pcall(mixpanel.new, token, options)
  if not ok then
    why = tostring(why)
    fail(path, "project %d: %s", i, why:match "^.- %((.*)%)$" or why)
  end
end

local function read_entry(path, i, entry)
  local options = {
    max_rate = MAX_RATE,
    max_byte_rate = MAX_BYTE_RATE,
    max_stuck = MAX_STUCK_S,
  }
  if type(entry) ~= "table" or type(entry.token) ~= "string" then
    fail(path, "project %d: expected a table with its token", i)
  end
  for name, value in pairs(entry) do
    if name ~= "token" and OPTIONS[name] == nil then
      fail(path, "project %d: unknown option '%s'", i, tostring(name))
    end
    options[name] = value
  end
  options.token = nil
  if options.service_account or tostring(options.proxy):find "@" then
    check_mode(path)
  end
  check_client(path, i, entry.token, options)
  check_queue(path, i, options.max_queue_bytes)
  return { token = entry.token, options = options, setup = describe(options) }
end

-- The projects of a file: token, options for mixpanel.new, and a text in which two
-- forwarders agree.
function forward_projects.read(path)
  local projects, seen = {}, {}
  for i, entry in ipairs(load_list(path)) do
    projects[i] = read_entry(path, i, entry)
    if seen[entry.token] then
      fail(path, "project %d: its token is that of project %d", i, seen[entry.token])
    end
    seen[entry.token] = i
  end
  return projects
end

return forward_projects
