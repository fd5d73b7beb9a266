-- Three servers that hold each message all three, and what kills them.
--
-- NATS_STORM=n has them bear n rounds more, with one frozen and with all killed
-- besides, which not every version of NATS survives: see docs/nats.md.
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local script = require "spec.support.script"
local socket = require "socket"

local STORM = tonumber(os.getenv "NATS_STORM")

-- A call while a server is frozen, beside one while all are well; and half of what a
-- write to a server that reads nothing may take.
local RATIO, CLOCK_S, HELD_S = 20, 0.0001, 1

describe("NATS of three servers", function()
  local servers, hammer

  before_each(function()
    servers = nats.start(3)
    servers:create_stream()
    hammer = { stop = servers.dir .. "/stop", out = servers.dir .. "/out" }
    hammer.pid = tonumber(
      process.read(
        ("LUA_CPATH='%s;%s' exec %s %s %s %s >%s 2>&1 </dev/null & echo $!"):format(
          nats.drivers,
          package.cpath,
          script.interpreter,
          "spec/nats/hammer.lua",
          hammer.stop,
          table.concat(servers.urls, " "),
          hammer.out
        )
      )
    )
  end)

  after_each(function()
    if process.alive(hammer.pid) then
      process.signal(hammer.pid, "KILL")
      process.wait_gone({ hammer.pid }, nats.patience)
    end
    servers:stop()
  end)

  local function grows()
    local before = servers:count()
    nats.until_done("more messages", function()
      assert(process.alive(hammer.pid), process.slurp(hammer.out))
      return servers:count() > before
    end)
  end

  -- The number of each record in the stream, how many there are, and the largest;
  -- none, and no name, is there twice.
  local function numbers()
    local seen, count, last = {}, 0, 0
    for _, record in ipairs(servers:records_once()) do
      local n = record.properties.n
      assert.is_nil(seen[n], n)
      seen[n] = true
      count = count + 1
      last = math.max(last, n)
    end
    return seen, count, last
  end

  -- Each record from that one on that was accepted is there, also if its leader is
  -- a new one that catches up.
  local function complete(first)
    nats.write(hammer.stop, "")
    process.wait_gone({ hammer.pid }, 300)
    local printed = process.slurp(hammer.out)
    local tracked = tonumber(printed:match "^tracked (%d+) ")
    assert.is_true(tracked ~= nil and tracked > 0, printed)
    nats.until_done("all records", function()
      local seen, count, last = numbers()
      for n = first, tracked do
        if not seen[n] then
          return nil, ("%d of %d, without %d"):format(count, tracked, n)
        end
      end
      assert.equal(tracked, last)
      return true
    end)
  end

  local function clients_node()
    return nats.until_done("the driver's connection", function()
      return servers:node_of_driver()
    end)
  end

  -- Another goes on meanwhile.
  local function bear_death(node)
    nats.kill(node)
    grows()
    nats.revive(node)
    servers:catch_up()
  end

  local function bear_silence(node)
    process.signal(node.pid, "STOP")
    grows() -- once the silence was noticed
    process.signal(node.pid, "CONT")
    servers:catch_up()
  end

  it("stores each record once while one after the other is killed", function()
    servers:catch_up()
    bear_death(servers:leader())
    bear_death(clients_node())
    complete(1)
    servers:agree()
  end)

  -- Seconds that most calls took, and the longest.
  local function calls(how)
    local text = process.slurp(hammer.out)
    local most, longest = text:match(how .. " %d+ calls, most (%S+), longest (%S+)\n")
    assert.truthy(longest, text)
    return tonumber(most), tonumber(longest)
  end

  -- Not the leader, as which a server that was stopped can miscount: see docs/nats.md.
  local function clients_node_that_follows()
    return nats.until_done("another leader", function()
      local node = clients_node()
      if servers:leader() ~= node then
        return node
      end
      servers:api "STREAM.LEADER.STEPDOWN.MIXPANEL"
    end)
  end

  it("stores each record once, and holds up no call, while the client's is frozen", function()
    servers:catch_up()
    grows()
    local node = clients_node_that_follows()
    nats.write(hammer.stop .. ".ill", "")
    process.signal(node.pid, "STOP")
    nats.until_done("a connection to another", function()
      return servers:node_of_driver(node)
    end)
    grows()
    os.remove(hammer.stop .. ".ill")
    process.signal(node.pid, "CONT")
    servers:catch_up()
    complete(1)
    servers:agree()
    local most, longest = calls "well"
    local most_ill, longest_ill = calls "ill"
    assert.is_true(most_ill <= RATIO * math.max(most, CLOCK_S), most_ill)
    assert.is_true(longest_ill <= math.max(RATIO * longest, HELD_S), longest_ill)
  end)

  if not STORM then
    return
  end

  it("stores each record once while they are killed and frozen, one at a time", function()
    servers:catch_up()
    for _ = 1, STORM do
      bear_death(servers:leader())
      bear_death(clients_node())
      bear_silence(clients_node())
    end
    complete(1)
    servers:agree()
  end)

  -- JetStream does not promise that what it acknowledged before outlives it.
  it("goes on after all were killed at once", function()
    grows()
    for _ = 1, STORM do
      servers:catch_up()
      for _, node in ipairs(servers.nodes) do
        nats.kill(node)
      end
      socket.sleep(1)
      for _, node in ipairs(servers.nodes) do
        nats.revive(node)
      end
      grows()
    end
    local _, _, last = numbers()
    complete(last)
  end)
end)
