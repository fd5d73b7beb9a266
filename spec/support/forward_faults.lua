-- Runs before a forwarder, in its process, by LUA_INIT: what its environment says
-- goes wrong with it.
--
--   FORWARD_TTL=seconds  a lease lives so long
--   FORWARD_KILL=place   the process kills itself when it gets there
--   FORWARD_CALL=n       for the n-th time, 1 by default
--   FORWARD_KNOWS=1      it takes messages of formats to come for its own
--   FORWARD_RAISE=1      the next delivery raises
--   FORWARD_LAZY=1       Lua collects garbage only where it is told to
local ttl = tonumber(os.getenv "FORWARD_TTL")
local left = tonumber(os.getenv "FORWARD_CALL") or 1
if os.getenv "FORWARD_LAZY" then
  collectgarbage "stop"
end
local plain_require = require

local function die()
  left = left - 1
  if left == 0 then
    local uv = plain_require "luv"
    uv.sleep(50) -- what was handed over leaves
    uv.kill(uv.os_getpid(), "sigkill")
  end
end

-- Before, or after, calls whose arguments are `wanted`.
local function before(name, wanted)
  return function(class)
    local call = class[name]
    class[name] = function(...)
      if not wanted or wanted(...) then
        die()
      end
      return call(...)
    end
  end
end

local function after(name, wanted)
  return function(class)
    local call = class[name]
    class[name] = function(...)
      local results = { call(...) }
      if not wanted or wanted(...) then
        die()
      end
      return (table.unpack or unpack)(results, 1, 3) -- luacheck: ignore
    end
  end
end

local function subject_is(pattern)
  return function(_, subject)
    return subject:find(pattern) ~= nil
  end
end

-- Module, and what becomes of it.
local PLACES = {
  pulled = { "reader", before "on_delivery" },
  answered = { "reader", before "acknowledge" },
  acknowledged = { "reader", after "acknowledge" },
  ["new consumer"] = { "jetstream", after("api", subject_is "^CONSUMER%.DURABLE%.CREATE") },
  ["old consumer"] = { "jetstream", after("api", subject_is "^CONSUMER%.DELETE") },
  renewal = { "lease", before "renew" },
  renewed = { "lease", after "renew" },
  ["dead letter"] = { "jetstream", before("publish", subject_is "^mp%-dead") },
  ["stored dead letter"] = { "jetstream", after("publish", subject_is "^mp%-dead") },
}

local changes = {}

local function change(name, how)
  name = "mixpanel.forward." .. name
  changes[name] = changes[name] or {}
  table.insert(changes[name], how)
end

local place = os.getenv "FORWARD_KILL"
if place then
  change(PLACES[place][1], PLACES[place][2])
end
if ttl then
  change("lease", function(lease)
    lease.TTL_S = ttl
  end)
end
if os.getenv "FORWARD_KNOWS" then
  change("message", function(message)
    message.is_newer = function()
      return false
    end
  end)
end
if os.getenv "FORWARD_RAISE" then
  change("reader", function(reader)
    reader.on_delivery = function()
      error "the spec's own error"
    end
  end)
end

function require(name) -- luacheck: ignore
  local loaded = package.loaded[name] ~= nil
  local module = plain_require(name)
  for _, how in ipairs(not loaded and changes[name] or {}) do
    how(module)
  end
  return module
end
