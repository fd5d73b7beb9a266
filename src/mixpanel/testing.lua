--- For specs of code that tracks: clients that keep what was tracked as Lua
--- tables and send nothing. They are real ones over the manual transport, so
--- that encoding, limits and errors are what they are in production; Mixpanel
--- alone is played here, and says yes unless a spec scripts something else.
---
--- Definitions are in library/mixpanel.lua. Needs lua-cjson.
local mixpanel = require "mixpanel"
local recorder = require "mixpanel.testing.recorder"

local testing = {}

local unpack = table.unpack or unpack -- luacheck: ignore

local function pack(...)
  return { n = select("#", ...), ... }
end

local function copy(t)
  local result = {}
  for key, value in pairs(t or {}) do
    result[key] = value
  end
  return result
end

-- ---- stand-ins: tables that pass calls on to a userdata ----

local reals = setmetatable({}, { __mode = "k" }) -- stand-in -> userdata

-- The module finds no name for a function that pcall calls, and counts self.
local function name_function(message, name)
  return (
    tostring(message):gsub("^bad argument #(%d+) to '%?'", function(n)
      local counts = name ~= "new" and n ~= "1"
      return ("bad argument #%d to '%s'"):format(counts and n - 1 or n, name)
    end)
  )
end

-- Calls a function that raises without a position; returns its packed results,
-- or raises with the position of `level` (0: again without one).
local function call(level, name, f, ...)
  local results = pack(pcall(f, ...))
  if not results[1] then
    error(name_function(results[2], name), level > 0 and level + 1 or 0)
  end
  return results
end

-- A method of the userdata behind a stand-in, for the methods below.
local function call_real(self, name, ...)
  local results = call(0, name, reals[self][name], reals[self], ...)
  return unpack(results, 2, results.n)
end

-- A metatable for stand-ins with these methods before those of the userdata.
local function stand_in_type(own)
  local forwarders = {}
  local function index(self, name)
    local value = own[name] or reals[self] and reals[self][name]
    if type(value) ~= "function" then
      return value
    end
    forwarders[value] = forwarders[value]
      or function(this, ...)
        local results = call(2, name, value, own[name] and this or reals[this] or this, ...)
        return unpack(results, 2, results.n)
      end
    return forwarders[value]
  end
  return {
    __index = index,
    __tostring = function(self)
      return tostring(reals[self] or "mixpanel.recorder")
    end,
    __close = function(self)
      self:close()
    end,
  }
end

-- ---- clients ----

local recorder_type = stand_in_type(recorder.methods)
local recorders = setmetatable({}, { __mode = "k" }) -- stand-in of a client -> its recorder
local Client, User = {}, {}
local client_type, user_type = stand_in_type(Client), stand_in_type(User)
local paths = setmetatable({}, { __mode = "k" }) -- stand-in of a user -> its state file

for name, method in pairs(recorder.methods) do
  Client[name] = function(self, ...)
    return method(recorders[self], ...)
  end
end

-- What the sender would have done meanwhile comes first.
for _, name in ipairs { "flush", "close", "mark", "done" } do
  Client[name] = function(self, ...)
    recorder.serve(reals[self])
    return call_real(self, name, ...)
  end
end

function Client:next_request()
  local request, found, code = recorder.take(reals[self])
  if request then
    return request
  end
  return nil, found, code
end

function Client:answer(id, ...)
  recorder.answer(reals[self], id, ...)
  return true
end

-- As the options of mixpanel.new, but for what reaches out of the process.
local function adapt(options)
  local own = copy(options)
  own.spool, own.durability, own.sync_interval = nil, nil, nil
  own.spool_max_bytes, own.spool_total_bytes = nil, nil
  own.spool_owner, own.spool_io = nil, nil
  own.gzip, own.max_retry_delay = false, recorder.RETRY_DELAY
  if type(own.debug) == "string" then
    own.debug = nil
  end
  return own
end

function Client:set_config(options)
  return call_real(self, "set_config", type(options) == "table" and adapt(options) or options)
end

function Client:check()
  local ok, message, code = call_real(self, "set_config", {}) -- closed?
  local reply = ok and recorder.draw(recorders[self], "/import", "")
  local status = reply and not reply.error and (reply.status or 200)
  if not ok then
    return nil, message, code
  elseif status == 401 or status == 403 then
    return nil, "the API refuses the credentials, as the spec says", "unauthorized"
  elseif reply and status ~= 200 then
    return nil, reply.error or ("HTTP status %d, as the spec says"):format(status), "network"
  end
  return true
end

-- State files are kept in memory: the next user with the same path has the
-- state of the one before.
function Client:user(options)
  local files = recorders[self].files
  local path = type(options) == "table" and options.state
  local own = options
  if type(path) == "string" and path ~= "" then
    own = copy(options)
    own.state = files[path] and files[path]:export_state()
  end
  local user, message, code = call_real(self, "user", own)
  if not user then
    return nil, message, code
  end
  local stand_in = setmetatable({}, user_type)
  reals[stand_in] = user
  if own ~= options then
    files[path], paths[stand_in] = user, path
  end
  return stand_in
end

function User:save(...)
  local ok, message, code = call_real(self, "save", ...)
  if code == "invalid" and paths[self] then
    return true
  end
  return ok, message, code
end

-- ---- making them ----

local original = mixpanel.new

-- Each client has a queue of its own; specs may load this file more than once.
local prefix, made = ("%s %s "):format(tostring(testing), os.clock()), 0

local function new_client(records, token, options)
  local own = options
  if type(options) == "table" or options == nil then
    made = made + 1
    own = adapt(options)
    own.transport, own.bus, own.name = "manual", nil, prefix .. made
  end
  local client = call(3, "new", original, token, own)[2]
  local stand_in = setmetatable({}, client_type)
  reals[stand_in] = client
  recorder.add(records, client)
  recorders[stand_in] = records
  table.insert(records.clients, stand_in)
  return stand_in
end

function testing.new(token, options)
  return (new_client(recorder.new(), token == nil and "projecttoken" or token, options))
end

function testing.install()
  local records = setmetatable(recorder.new(), recorder_type)
  function mixpanel.new(token, options)
    return (new_client(records, token, options))
  end
  return records
end

function testing.uninstall()
  mixpanel.new = original
end

-- In a spec of busted, or another user of luassert.
if package.loaded.luassert then
  require("mixpanel.testing.assertions")(package.loaded.luassert)
end

return testing
