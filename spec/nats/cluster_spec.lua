-- Three servers that hold each message all three, and what kills them.
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local script = require "spec.support.script"
local socket = require "socket"

local KILLS = tonumber(os.getenv "NATS_STORM") or 1

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

  -- The number of each record in the stream; none, and no name, is there twice.
  local function numbers()
    local names, seen, count = {}, {}, 0
    local messages = servers:messages()
    for _, message in ipairs(messages) do
      local name = message.headers["Nats-Msg-Id"]
      assert.is_nil(names[name], name)
      names[name] = true
    end
    for _, record in ipairs(nats.records(messages)) do
      local n = record.properties.n
      assert.is_nil(seen[n], n)
      seen[n] = true
      count = count + 1
    end
    return seen, count
  end

  -- Each record that was accepted is there, also if its leader is a new one that
  -- catches up.
  local function complete()
    nats.write(hammer.stop, "")
    process.wait_gone({ hammer.pid }, 300)
    local printed = process.slurp(hammer.out)
    local tracked = tonumber(printed:match "^tracked (%d+) ")
    assert.is_true(tracked ~= nil and tracked > 0, printed)
    nats.until_done("all records", function()
      local seen, count = numbers()
      for n = 1, tracked do
        if not seen[n] then
          return nil, ("%d of %d, without %d"):format(count, tracked, n)
        end
      end
      assert.equal(tracked, count)
      return true
    end)
  end

  local function clients_node()
    return nats.until_done("the driver's connection", function()
      return servers:node_of_driver()
    end)
  end

  it("stores each record once while they are killed, frozen and all down", function()
    for _ = 1, KILLS do
      servers:catch_up()
      local node = servers:leader()
      nats.kill(node)
      grows()
      nats.revive(node)
      servers:catch_up()
      node = clients_node()
      nats.kill(node)
      grows()
      nats.revive(node)
      servers:catch_up()
      node = clients_node()
      process.signal(node.pid, "STOP")
      grows() -- at another, once its silence was noticed
      process.signal(node.pid, "CONT")
    end
    servers:catch_up()
    for _, node in ipairs(servers.nodes) do
      nats.kill(node)
    end
    socket.sleep(2)
    for _, node in ipairs(servers.nodes) do
      nats.revive(node)
    end
    grows()
    complete()
  end)
end)
