-- The fleet of the soak, and what may befall it.
--
-- Two projects: `storm`, whose hosts and forwarders end over and over, and `calm`, whose
-- host, relay and forwarder live as long as the soak. Both have the same servers of
-- NATS and the same stand-in for Mixpanel.
local Host = require "spec.support.soak_host"
local cjson = require "cjson"
local fleet_storm = require "spec.support.fleet_storm"
local forward = require "spec.support.forward"
local mixpanel = require "mixpanel"
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local relay = require "spec.support.relay"
local sandbox = require "spec.support.sandbox"
local socket = require "socket"

local Soak = {}
Soak.__index = Soak

local TTL_S = 5
local STORM_HOSTS = { "h1", "h2", "h3", "n1" } -- n: without a spool
local STORM, CALM = "stormtoken", "calmtoken"
local ACCOUNT = { username = "soak", secret = "secret", project_id = 1 }

local function start_forwarder(self)
  return self.fleet:start {
    environment = { LUA_INIT = "@spec/support/forward_faults.lua", FORWARD_TTL = TTL_S },
    unready = true,
  }
end

-- Of the projects of forwarders that are started from now on.
local function tell_project(self, token)
  self.fleet:projects({
    {
      token = token,
      api_host = self.sandbox.tls_url, -- a secret goes over nothing less
      ca_file = self.sandbox.ca_file,
      on_ambiguous = "report",
      request_timeout = 1,
      service_account = ACCOUNT,
    },
  }, token .. ".lua")
end

local function host(self, name, token)
  local made = Host.new(name, {
    servers = self.servers,
    dir = self.fleet.dir,
    token = token,
    seed = self.seed + #self.hosts * 1000,
    life_s = self.life_s,
    spool = name:find "^n" == nil,
  })
  self.hosts[#self.hosts + 1] = made
  made:start()
  return made
end

-- `ledger` for what comes by the relay and what is put on the bus as it is; `life_s`:
-- no host lives longer.
function Soak.new(ledger, seed, life_s)
  return setmetatable({
    ledger = ledger,
    seed = seed,
    life_s = life_s,
    later = {}, -- what is to be done, and when
    hosts = {},
    counts = {},
    ended = {}, -- forwarders that ended when they were told to
    number = 0, -- of records of the spec's own
  }, Soak)
end

-- With so many servers.
function Soak:start(count)
  self.sandbox = sandbox.start()
  self.sandbox:reset()
  self.sandbox:config { accounts = { ACCOUNT } }
  self.servers = nats.start(count)
  self.fleet = forward.new(self.servers, self.sandbox)
  nats.until_done("streams", function() -- once the servers have a leader
    return pcall(self.fleet.create, self.fleet)
  end)
  tell_project(self, CALM)
  self.calm_forwarder = start_forwarder(self)
  tell_project(self, STORM)
  self.forwarders = { start_forwarder(self), start_forwarder(self) }
  self.calm_forwarder:until_said "forwards"
  self.relay = relay(self.servers, 1, CALM)
  self.calm_host = host(self, "c1", CALM)
  self.storm_hosts = {}
  for i, name in ipairs(STORM_HOSTS) do
    self.storm_hosts[i] = host(self, name, STORM)
  end
end

-- The processes that live as long as the soak, by name.
function Soak:long_lived()
  return {
    host = self.calm_host.pid,
    forwarder = self.calm_forwarder.pid,
    relay = self.relay:workers()[1],
  }
end

-- ---- what is done later ----

local function after(self, seconds, action)
  table.insert(self.later, { at = socket.gettime() + seconds, action = action })
end

-- Does what is due; an action that returns false is not done yet.
function Soak:step()
  for i = #self.later, 1, -1 do
    local entry = self.later[i]
    if socket.gettime() >= entry.at and entry.action() ~= false then
      table.remove(self.later, i)
    end
  end
end

function Soak:is_quiet()
  return #self.later == 0
end

local function count(self, what)
  self.counts[what] = (self.counts[what] or 0) + 1
end

-- ---- records of the spec's own ----

local function key(self, name, kind)
  self.number = self.number + 1
  local text = ("k=%s-%d-%s="):format(name, self.number, kind)
  self.ledger:try(text)
  return text
end

local function event(text, token)
  return {
    event = "R",
    properties = {
      token = token,
      distinct_id = "u",
      time = os.time(),
      key = text,
      ["$insert_id"] = text:gsub("[=]", ""),
    },
  }
end

-- A few events of another SDK; they are accepted if the relay says so.
function Soak:post()
  local keys, events = {}, {}
  for i = 1, math.random(4) do
    keys[i] = key(self, "r", math.random(100) == 1 and "epoison" or "e")
    events[i] = event(keys[i], CALM)
  end
  local _, status = self.relay:ask("/track", nil, cjson.encode(events))
  count(self, "posts to the relay answered " .. status)
  for _, text in ipairs(status == 200 and keys or {}) do
    self.ledger:accept(text)
  end
end

-- Until the bus has it, once.
local function put(self, name, kind, body_of)
  local token = math.random(2) == 1 and STORM or CALM
  local text = key(self, name .. (token == STORM and "s" or "c"), kind)
  local lane = kind == "z" and math.random(2) == 1 and "people" or "events"
  local subject = ("%s.%s"):format(mixpanel.bus_subject(token), lane)
  nats.until_done("a message", function()
    return pcall(self.fleet.put, self.fleet, subject, body_of(text), { ["Nats-Msg-Id"] = text })
  end)
  self.ledger:accept(text)
end

-- ---- what may befall it ----

local faults = {}
Soak.faults = faults

local function end_host(self, signal)
  local victim = self.storm_hosts[math.random(#self.storm_hosts)]
  if not victim:is_up() then
    return false
  end
  victim:finish(signal)
  after(self, math.random() * 1.5, function()
    victim:start()
  end)
end

faults["hosts killed"] = function(self)
  return end_host(self, "KILL")
end

faults["hosts told to end"] = function(self)
  return end_host(self, "TERM")
end

-- Mostly the one that forwards; none while another is not back.
local function a_forwarder(self)
  for _, forwarder in ipairs(self.forwarders) do
    if forwarder.is_struck then
      return nil
    end
  end
  local owner = fleet_storm.owner(self.forwarders)
  return math.random(4) > 1 and owner or self.forwarders[math.random(#self.forwarders)]
end

-- Another takes its place once it is gone.
local function replace(self, forwarder, how)
  forwarder.is_struck = true
  after(self, 0, function()
    if process.alive(forwarder.pid) then
      return false
    end
    if how == "TERM" then
      self.ended[#self.ended + 1] = forwarder
    end
    for i, one in ipairs(self.forwarders) do
      if one == forwarder then
        self.forwarders[i] = start_forwarder(self)
      end
    end
  end)
end

faults["forwarders killed"] = function(self)
  local victim = a_forwarder(self)
  if not victim then
    return false
  end
  victim:signal "KILL"
  replace(self, victim)
end

faults["forwarders told to end"] = function(self)
  local victim = a_forwarder(self)
  if not victim then
    return false
  end
  victim:signal "TERM"
  replace(self, victim, "TERM")
end

faults["forwarders stopped"] = function(self)
  local victim = a_forwarder(self)
  if not victim then
    return false
  end
  victim.is_struck = true
  victim:signal "STOP"
  after(self, math.random() * 2 * TTL_S, function()
    victim:signal "CONT"
    victim.is_struck = nil
  end)
end

-- The next one may be killed when this one is back and has all.
faults["servers killed"] = function(self)
  if self.weak then
    return false
  end
  self.weak = true
  self.kills = (self.kills or 0) + 1
  local stream = forward.STREAMS[(self.kills - 1) % #forward.STREAMS + 1]
  local node = fleet_storm.leader_of(self.servers, stream)
  nats.kill(node)
  self.down = node
  after(self, 0.5 + math.random() * 4, function()
    nats.revive(node)
    self.down = nil
    after(self, 0, function()
      if not fleet_storm.is_caught_up(self.servers, self.fleet) then
        return false
      end
      self.weak = nil
    end)
  end)
end

faults["messages that are no batch"] = function(self)
  if self.down then
    return false
  end
  put(self, "x", "z", function(text)
    return "\31\139 " .. text
  end)
end

faults["records without a place"] = function(self)
  if self.down then
    return false
  end
  put(self, "x", "y", function(text)
    return cjson.encode { event(text, "of another project") }
  end)
end

faults["times that Mixpanel was away"] = function(self)
  self.sandbox:script { status = 503, times = math.random(10, 40) }
end

-- True: done, and counted. False: not now.
function Soak:befall(what)
  if faults[what](self) == false then
    return false
  end
  count(self, what)
  return true
end

-- ---- its end ----

-- A message of the relay may be in doubt long after its post was answered 503, and
-- come to the bus then.
local function drain_relay(self)
  nats.until_done("the relay", function()
    local left = self.relay:ask "/left"
    return tonumber(left) == 0, left
  end)
end

-- All hosts end, once what their disks hold is on the bus, and what the relay has.
function Soak:drain_hosts()
  drain_relay(self)
  self.calm_host:finish "INT"
  for _, one in ipairs(self.storm_hosts) do
    nats.until_done("a host", function()
      return one:is_up()
    end)
    one:finish "TERM"
    one:start(true)
  end
  for _, one in ipairs(self.storm_hosts) do
    one:until_gone(true)
  end
end

-- All forwarders end, once all that is on the bus has an outcome. A server that lacks
-- what the others have of the stream would say that nothing waits.
function Soak:drain_forwarders()
  nats.until_done("replicas", function()
    return fleet_storm.is_caught_up(self.servers, self.fleet)
  end)
  self.fleet:settle(10)
  table.insert(self.forwarders, self.calm_forwarder)
  for _, forwarder in ipairs(self.forwarders) do
    forwarder:stop()
    self.ended[#self.ended + 1] = forwarder
  end
  self.fleet:settle(10) -- nothing came that nobody has forwarded
end

-- As far as it has come.
function Soak:remove()
  for _, one in ipairs(self.hosts) do
    one:remove()
  end
  for _, name in ipairs { "relay", "fleet" } do
    if self[name] then
      self[name]:remove()
    end
  end
  for _, name in ipairs { "servers", "sandbox" } do
    if self[name] then
      self[name]:stop()
    end
  end
end

return Soak
