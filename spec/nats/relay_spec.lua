-- A collector that answers only what JetStream has stored.
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local relay = require "spec.support.relay"

describe("a relay to NATS", function()
  local servers, host

  setup(function()
    servers = nats.start()
    servers:create_stream()
    host = relay(servers, 2)
  end)

  teardown(function()
    host:remove()
    servers:stop()
  end)

  local function post(id)
    local event = '{"event":"E","properties":{"token":"projecttoken","time":%d,"$insert_id":"%s"}}'
    return (select(2, host:ask("/track", nil, event:format(os.time(), id))))
  end

  local function post_until_taken(id)
    nats.until_done("an answer", function()
      local status = post(id)
      return status == 200, status
    end)
  end

  local function stored()
    local ids = {}
    for _, message in ipairs(servers:messages()) do
      for _, record in ipairs(nats.records(message)) do
        ids[record.properties["$insert_id"]] = true
      end
    end
    return ids
  end

  it("answers what is in the stream, and 503 while there is none", function()
    post_until_taken "first"
    for i = 1, 20 do
      post_until_taken("up-" .. i)
    end
    local ids = stored()
    assert.is_true(ids.first)
    for i = 1, 20 do
      assert.is_true(ids["up-" .. i])
    end
    nats.kill(servers.nodes[1])
    assert.equal(503, post "down")
    nats.revive(servers.nodes[1])
    post_until_taken "down"
    assert.is_true(stored().down)
  end)

  it("answers nothing that is lost with a worker", function()
    for round = 1, 3 do
      local id = "killed-" .. round
      post_until_taken(id)
      local before = host:workers()
      for _, pid in ipairs(before) do
        process.signal(pid, "KILL")
      end
      assert.is_true(stored()[id])
      process.wait_for(function()
        local now = host:workers()
        return #now == 2 and now[1] ~= before[1] and now[2] ~= before[2]
      end, "other workers")
    end
  end)
end)
