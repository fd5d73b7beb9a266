-- A host of the soak: tracks records of each kind until it is told to end. In its book,
-- a file, stands "t KEY" before a record is tracked, and "a KEY" once it is accepted:
-- with a spool when the call returned true, without one when `flush` did.
--
--   lua5.4 soak_host.lua SETTINGS    -- JSON: see spec/support/soak_host.lua
--
-- SIGTERM: it closes the client, which has `exit_timeout` for that. SIGINT: it sends all
-- there is, also what processes before it left in the spool. Either way it leaves its
-- counters in the file `stats`.
local balance = require "spec.support.balance"
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local socket = require "socket"
local uv = require "luv"

local TICK_S = 0.05
local PROFILES = 5

local settings = cjson.decode(arg[1])
math.randomseed(settings.seed)
local book = assert(io.open(settings.book, "a"))
book:setvbuf "no"
local mp = mixpanel.new(settings.token, {
  transport = "nats",
  bus = { servers = settings.urls },
  spool = settings.spool,
  flush_interval = 0.25,
  max_retry_delay = 0.5,
})

local ended = settings.drain and "sigint" or nil
for _, name in ipairs { "sigterm", "sigint" } do
  uv.new_signal():start(name, function()
    ended = name
  end)
end
print "up"
io.stdout:flush()

-- `what`: u, a user, or g, a group.
local function profile(what)
  return ("%s-%s%d"):format(settings.name, what, math.random(PROFILES))
end

-- What the key of a record ends with says what becomes of it.
local kinds = {
  e = function(key)
    return mp:track("E", { distinct_id = "u", key = key })
  end,
  i = function(key)
    return mp:import("I", os.time() - 60, { distinct_id = "u", key = key })
  end,
  -- Its time is in the future, so /import names it among those that it refuses.
  f = function(key)
    return mp:import("I", os.time() + 86400, { distinct_id = "u", key = key })
  end,
  s = function(key)
    return mp.people:set(profile "u", { key = key })
  end,
  -- Never poisonous: a refused batch of these ends whole.
  a = function(key)
    return mp.people:increment(profile "u", { [key] = 1 })
  end,
  g = function(key)
    return mp.groups:set("company", profile "g", { key = key })
  end,
}
local OFTEN = "eeeeeeeeeeeeeeeiissssagg"

local function choose()
  if math.random(150) == 1 then
    return "f"
  end
  local at = math.random(#OFTEN)
  return OFTEN:sub(at, at)
end

local number = settings.first
local unsure = {} -- keys that only a flush has accepted

local function accept(key)
  if settings.spool then
    book:write("a " .. key .. "\n")
  else
    unsure[#unsure + 1] = key
  end
end

local function track_one()
  local kind = choose()
  local poison = kind ~= "a" and kind ~= "f" and math.random(200) == 1 and "poison" or ""
  local key = ("k=%s-%d-%s%s="):format(settings.name, number, kind, poison)
  number = number + 1
  book:write("t " .. key .. "\n")
  if kinds[kind](key) then
    accept(key)
  end
end

-- All that was tracked is on the bus.
local function accept_unsure()
  for _, key in ipairs(unsure) do
    book:write("a " .. key .. "\n")
  end
  unsure = {}
end

local ticks = 0
local die_at = socket.gettime() + settings.life_s -- nobody is there to end it any more
while not ended do
  for _ = 1, math.random(0, settings.most) do
    track_one()
  end
  ticks = ticks + 1
  if not settings.spool and ticks % 10 == 0 and mp:flush(0.2) then
    accept_unsure()
  end
  if ticks % 20 == 0 then
    balance(mp:stats())
  end
  assert(socket.gettime() < die_at, "nobody ended it")
  socket.sleep(TICK_S)
  uv.run "nowait"
end

while ended == "sigint" do
  mp:flush(0.5)
  local s = balance(mp:stats())
  local waiting = s.queued + s.in_flight + s.spooled + s.elsewhere_runs
  if waiting == 0 and (s.spool_looks > 0 or not settings.spool) then
    break
  end
  assert(socket.gettime() < die_at, s.last_error)
end
if mp:close() then
  accept_unsure()
end
local file = assert(io.open(settings.stats, "w"))
file:write(cjson.encode(balance(mp:stats())))
file:close()
