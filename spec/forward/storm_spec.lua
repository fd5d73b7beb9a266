-- Three servers of NATS and two forwarders, of which one each dies at a time while a
-- host sends.
local Ledger = require "spec.support.forward_ledger"
local forward = require "spec.support.forward"
local http = require "socket.http"
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

  local function is_current(cluster)
    local current = 0
    for _, replica in ipairs(cluster and cluster.leader and cluster.replicas or {}) do
      current = current
        + (replica.current and not replica.offline and (replica.lag or 0) == 0 and 1 or 0)
    end
    return current == #servers.nodes - 1
  end

  -- Only when all have what there is may another fail.
  local function catch_up()
    for _, name in ipairs(forward.STREAMS) do
      wait("replicas of " .. name, function()
        return is_current(servers:api("STREAM.INFO." .. name).cluster)
      end)
    end
    wait("healthy servers", function()
      for _, node in ipairs(servers.nodes) do
        local text = http.request(("http://127.0.0.1:%d/healthz"):format(node.http_port))
        -- NATS 2.9 says of some consumers for ever that they are not current.
        if not (text and (text:find '"ok"' or text:find "consumer")) then
          return false, tostring(text)
        end
      end
      return true
    end)
    wait("leaders of consumers", function()
      for _, consumer in ipairs(fleet:consumers()) do
        if not (consumer.cluster and consumer.cluster.leader) then
          return false
        end
      end
      return true
    end)
  end

  local function goes_on()
    local before = #server:requests()
    wait("requests", function()
      return #server:requests() > before + 2
    end)
  end

  local function leader_of(stream)
    local cluster = servers:api("STREAM.INFO." .. stream).cluster
    return servers:node_named(cluster and cluster.leader or "") or servers.nodes[1]
  end

  -- The one that forwards: the last that said so.
  local function owner(forwarders)
    local latest, found = "", forwarders[1]
    for _, forwarder in ipairs(forwarders) do
      for time in forwarder:said():gmatch "(%S+) project %x+: forwards" do
        if time >= latest then
          latest, found = time, forwarder
        end
      end
    end
    return found
  end

  local ENDS = { "KILL", "STOP", "TERM" }

  local function strike(forwarders, round)
    local name = forward.STREAMS[(round - 1) % #forward.STREAMS + 1]
    local node, victim = leader_of(name), owner(forwarders)
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

  -- All that forwarders said.
  local function tellings()
    local parts = {}
    for i, forwarder in ipairs(fleet.forwarders) do
      parts[i] = ("forwarder %d:\n%s"):format(i, forwarder:said())
    end
    return table.concat(parts)
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
      error(("%s\n%s"):format(tostring(why), tellings()), 0)
    end
  end)
end)
