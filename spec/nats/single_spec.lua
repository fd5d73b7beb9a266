-- Records through the driver of NATS into a stream of one server.
local mixpanel = require "mixpanel"
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local script = require "spec.support.script"

describe("NATS", function()
  local servers, cpath

  setup(function()
    cpath = package.cpath
    package.cpath = cpath .. ";" .. nats.drivers
  end)

  teardown(function()
    package.cpath = cpath
  end)

  before_each(function()
    servers = nats.start()
  end)

  after_each(function()
    servers:stop()
  end)

  it("gets each batch as a message with its subject, name, headers and body", function()
    servers:create_stream()
    local mp = servers:client()
    for i = 1, 3 do
      assert.is_true(mp:track("Event", { distinct_id = "u", n = i }))
    end
    mp:import("Old", 1500000000)
    mp.people:set("u", { a = 1 })
    mp.groups:set("company", "acme", { a = 1 })
    nats.drain(mp)
    assert.equal(6, mp:stats().delivered)
    mp:close(20)
    local lanes, events = {}, {}
    for _, message in ipairs(servers:messages()) do
      local lane = assert(message.subject:match "^mp%.bb736de14e4f6f19%.(%l+)$", message.subject)
      local records = nats.records(message)
      lanes[lane] = (lanes[lane] or 0) + #records
      assert.matches("^%x+%-" .. lane .. "%-%d+$", message.headers["Nats-Msg-Id"])
      assert.equal("1", message.headers["Mp-Format"])
      assert.equal(tostring(#records), message.headers["Mp-Count"])
      assert.equal("lua/" .. mixpanel._VERSION, message.headers["Mp-Lib"])
      for _, record in ipairs(records) do
        if lane == "events" then
          events[#events + 1] = record.properties.n
          assert.equal("Event", record.event)
        end
      end
    end
    assert.same({ events = 3, import = 1, people = 1, groups = 1 }, lanes)
    assert.same({ 1, 2, 3 }, events)
  end)

  it("that has no stream keeps records waiting, and both causes are named", function()
    local mp = servers:client()
    mp:track "E"
    nats.until_done("an error", function()
      local why = mp:stats().last_error
      return why == "nats: no stream takes this subject, or its stream has no leader now", why
    end)
    assert.equal(1, nats.waiting(mp))
    servers:create_stream()
    nats.drain(mp)
    assert.equal(1, mp:stats().delivered)
    assert.equal(1, servers:count())
    mp:close(20)
  end)

  it("that is not there yet, or for a while, gets records when it is", function()
    servers:create_stream()
    nats.kill(servers.nodes[1])
    local mp = servers:client()
    for i = 1, 2 do
      mp:track("E", { n = i })
      nats.until_done("an error", function()
        return (mp:stats().last_error or ""):find "^nats: not connected to 127.0.0.1"
      end)
      assert.equal(1, nats.waiting(mp))
      nats.revive(servers.nodes[1])
      nats.drain(mp)
      assert.equal(i, mp:stats().delivered)
      assert.equal(i, servers:count())
      if i == 1 then
        nats.kill(servers.nodes[1])
      end
    end
    mp:close(20)
  end)

  it("that is full keeps records waiting until there is room", function()
    servers:create_stream { max_msgs = 1 }
    local mp = servers:client()
    mp:track "First"
    nats.drain(mp)
    mp:track "Second"
    nats.until_done("an error", function()
      local why = mp:stats().last_error
      return why and why:find "^nats: the stream is full, or its disk: ", why
    end)
    assert.equal(1, mp:stats().delivered)
    assert.equal(1, nats.waiting(mp))
    servers:purge()
    nats.drain(mp)
    assert.equal(2, mp:stats().delivered)
    assert.equal("Second", nats.records(servers:messages()[1])[1].event)
    mp:close(20)
  end)

  -- Frozen, the server cannot answer for what it finds when it goes on.
  it("stores once what comes twice, also after the death of who sent it", function()
    servers:create_stream()
    local spool = servers.dir .. "/spool"
    local _, status = script.run(
      [[
        package.cpath = package.cpath .. ";" .. arg[1]
        local posix = require "spec_posix"
        local mp = require("mixpanel").new("projecttoken", {
          transport = "nats", bus = { servers = { arg[2] } }, spool = arg[3],
          request_timeout = 1, flush_interval = 0.02,
        })
        mp:track "Before"
        while mp:stats().delivered < 1 do mp:flush(1) end
        os.execute("kill -STOP " .. arg[4])
        mp:track "Once"
        while mp:stats().ambiguous < 1 do posix.sleep(0.05) end
        posix.signal(9)
      ]],
      nats.drivers,
      servers.urls[1],
      spool,
      servers.nodes[1].pid
    )
    assert.equal(137, status)
    process.signal(servers.nodes[1].pid, "CONT")
    nats.until_done("the message", function()
      return servers:count() == 2
    end)
    local mp = servers:client { spool = spool }
    nats.until_done("adoption", function()
      mp:flush(1)
      local s = mp:stats()
      return s.adopted == 1 and s.delivered == 1
    end)
    mp:close(20)
    assert.equal(2, servers:count())
    assert.equal("Once", nats.records(servers:messages()[2])[1].event)
  end)

  it("that keeps the subject in another stream is reported", function()
    servers:create_stream()
    local mp = servers:client { bus = { stream = "OTHER" } }
    mp:track "E"
    mp:mark()
    local report = nats.until_done("a report", function()
      return mp:poll()[1]
    end)
    assert.equal("paused", report.outcome)
    assert.equal(404, report.status)
    assert.equal(
      "nats: another stream than option 'bus.stream' names has the subject",
      report.message
    )
    assert.equal(0, servers:count())
    mp:close(0)
    local right = servers:client { bus = { stream = "MIXPANEL" } }
    right:track "E"
    nats.drain(right)
    assert.is_true(servers:count() >= 1)
    right:close(20)
  end)

  it("gets what is too large in halves", function()
    servers:stop()
    servers = nats.start(1, "max_payload: 4096")
    servers:create_stream()
    local mp = servers:client { flush_interval = 3600 }
    for i = 1, 200 do
      local noise = {}
      for k = 1, 40 do
        noise[k] = string.char(math.random(97, 122))
      end
      mp:track("Event", { n = i, noise = table.concat(noise) })
    end
    nats.drain(mp)
    assert.equal(200, mp:stats().delivered)
    local seen, count, messages = {}, 0, servers:messages()
    assert.is_true(#messages > 1)
    for _, message in ipairs(messages) do
      assert.is_true(#message.body <= 4096)
      for _, record in ipairs(nats.records(message)) do
        assert.is_nil(seen[record.properties.n])
        seen[record.properties.n] = true
        count = count + 1
      end
    end
    assert.equal(200, count)
    mp:close(20)
  end)
end)
