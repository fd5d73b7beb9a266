-- One of the Lua states of spec/user_apart_spec.lua: users that do whatever users
-- do, in turns, while the collector runs, finalisers track and calls fail.
-- Each event says in `want` what its user should be, and each value that belongs
-- to a user bears its name, so that the spec can judge every record by itself.
-- Prints "device ID NAME" for each device that a user was.
local number, cpath, url, many, events = ...
package.cpath = cpath .. ";" .. package.cpath
many, events = tonumber(many), tonumber(events)
local cjson = require "cjson"
local finalise_later = require "spec.support.finalise_later"
local mixpanel = require "mixpanel"

math.randomseed(os.time() + number * 7919)
local mp = mixpanel.new("projecttoken", { api_host = url, name = "apart" })
local users = {}

local function note_device(user)
  user.device = user.me:get_device_id()
  io.write(("device %s %s\n"):format(user.device, user.name)) -- in one piece
end

for i = 1, many do
  local user = { name = ("v%du%d-"):format(number, i), super = {}, n = 0 }
  user.me = assert(mp:user())
  users[i] = user
  note_device(user)
end

local function value(user)
  user.n = user.n + 1
  return user.name .. user.n
end

-- An encoder has one buffer: a finaliser needs one of its own.
local finaliser_cjson = cjson.new()

local function own(user, encoder)
  local want = { device = user.device, id = user.id, super = user.super, name = user.name }
  want.alias = user.alias
  return { own = user.name, want = (encoder or cjson).encode(want) }
end

-- What a call returned must be what the user's consent says.
local function sent(user, ok, message, code)
  if user.out then
    assert(not ok and code == "opted_out", message)
  else
    assert(ok, message)
  end
end

local actions = {}

local tracked = 0

function actions.track(user)
  sent(user, user.me:track("E", own(user)))
  tracked = tracked + (user.out and 0 or 1)
end

function actions.register(user)
  local name = "p" .. math.random(5)
  user.super[name] = value(user)
  assert(user.me:register { [name] = user.super[name] })
end

function actions.unregister(user)
  local name = "p" .. math.random(5)
  user.super[name] = nil
  assert(user.me:unregister(name))
end

function actions.group(user)
  local id = value(user)
  sent(user, user.me:set_group("group", id))
  if not user.out then
    user.super.group = { id }
  end
end

function actions.identify(user)
  user.id = value(user)
  sent(user, user.me:identify(user.id))
end

function actions.reset(user)
  assert(user.me:reset())
  user.id, user.super = nil, {}
  note_device(user)
end

function actions.people(user)
  sent(user, user.me.people:set("own", user.name))
end

function actions.group_profile(user)
  sent(user, user.me:get_group("group", value(user)):set("own", user.name))
end

function actions.time_event(user)
  assert(user.me:time_event(user.name))
  local properties = own(user)
  properties.timed = true
  sent(user, user.me:track(user.name, properties))
end

function actions.opt_out(user)
  assert(user.me:opt_out_tracking { clear_persistence = false, delete_user = false })
  user.out = true
end

function actions.opt_in(user)
  user.out = false
  assert(user.me:opt_in_tracking { track_properties = own(user) })
end

-- A call that fails in its middle, when much of it was encoded.
function actions.fail(user)
  local ok, _, code = user.me:track("E", { a = user.name, b = { c = { print } } })
  assert(not ok and code == (user.out and "opted_out" or "invalid"))
  ok, _, code = user.me:register { p1 = user.name, p2 = print }
  assert(not ok and code == "invalid")
  assert(not pcall(user.me.track, user.me, user.name, user.name))
end

-- Garbage whose finaliser uses a user while calls of others run; of the user in
-- whose call it runs it cannot be known what is so already.
function actions.garbage(user)
  finalise_later(function()
    if user.busy then
      return
    end
    user.me:track("G", own(user, finaliser_cjson))
    user.me:register { gone = user.name }
    user.me:unregister "gone"
  end)
end

function actions.collect()
  collectgarbage(math.random(3) == 1 and "collect" or "step")
end

local names = {}
for name in pairs(actions) do
  names[#names + 1] = name
end
table.sort(names)
for _ = 1, #names do -- half of all calls
  names[#names + 1] = "track"
end

local turn = 0
while tracked < events do
  turn = turn + 1
  local user = users[math.random(many)]
  user.busy = true
  actions[names[math.random(#names)]](user)
  user.busy = false
  if turn % 50 == 0 then
    mp:set_config { properties = { handle = turn } }
  end
end
for _, user in ipairs(users) do
  user.busy = true
  if user.out then
    actions.opt_in(user)
  end
  actions.identify(user)
end
collectgarbage()
assert(mp:flush(60))
