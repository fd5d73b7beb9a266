-- Three servers of NATS and two forwarders, of which one each dies at a time while a
-- host sends.
local Ledger = require "spec.support.forward_ledger"
local fleet_storm = require "spec.support.fleet_storm"
local forward = require "spec.support.forward"
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local socket = require "socket"

local ROUNDS = tonumber(os.getenv "NATS_STORM") or 1
local TTL_S = 5

describe("a fleet", function()
  local server, servers, fleet, ledger, cpath

  before_each(function()
    cpath = package.cpath
    package.cpath = cpath .. ";" .. nats.drivers
    server = sandbox.start()
    server:reset()
    servers = nats.start(3)
    fleet = forward.new(servers, server)
    nats.until_done("streams", function() -- once the servers have a leader
      return pcall(fleet.create, fleet)
    end)
    fleet:projects { { token = "projecttoken", on_ambiguous = "report" } }
    ledger = Ledger.new(fleet)
  end)

  after_each(function()
    ledger:close()
    fleet:remove()
    servers:stop()
    server:stop()
    package.cpath = cpath
  end)

  local function start()
    return fleet:start {
      environment = { LUA_INIT = "@spec/support/forward_faults.lua", FORWARD_TTL = TTL_S },
      unready = true,
    }
  end

  -- The host goes on while one waits.
  local function wait(what, condition)
    nats.until_done(what, function()
      ledger:track()
      return condition()
    end)
  end

  local function pause(seconds)
    local until_time = socket.gettime() + seconds
    wait("a pause", function()
      return socket.gettime() > until_time
    end)
  end

  local function catch_up()
    wait("servers that are alike", function()
      return fleet_storm.is_caught_up(servers, fleet)
    end)
  end

  local function goes_on()
    local before = #server:requests()
    wait("requests", function()
      return #server:requests() > before + 2
    end)
  end

  local ENDS = { "KILL", "STOP", "TERM" }

  local function strike(forwarders, round)
    local name = forward.STREAMS[(round - 1) % #forward.STREAMS + 1]
    local node, victim = fleet_storm.leader_of(servers, name), fleet_storm.owner(forwarders)
    local how = ENDS[(round - 1) % #ENDS + 1]
    victim:signal(how)
    nats.kill(node)
    pause(5)
    nats.revive(node)
    if how == "STOP" then
      victim:signal "CONT"
      return
    end
    wait("its end", function()
      return not process.alive(victim.pid)
    end)
    for i, forwarder in ipairs(forwarders) do
      if forwarder == victim then
        forwarders[i] = start()
      end
    end
  end

  local function storm()
    local forwarders = { start() }
    forwarders[1]:until_said "forwards"
    forwarders[2] = start()
    for round = 1, ROUNDS do
      catch_up()
      strike(forwarders, round)
      goes_on()
    end
    catch_up()
    nats.drain(ledger.client)
    fleet:settle()
    ledger:check()
  end

  it("loses nothing while servers and forwarders die", function()
    local ok, why = pcall(storm)
    if not ok then
      error(("%s\n%s"):format(tostring(why), fleet_storm.tellings(fleet)), 0)
    end
  end)
end)
