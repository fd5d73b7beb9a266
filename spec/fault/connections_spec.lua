-- What becomes of records when connections break, stall or never come about.
local outcome = require "spec.support.outcome"
local peer = require "spec.support.peer"
local process = require "spec.support.process"
local project = require "spec.support.project"
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"

describe("a connection reset", function()
  local server

  before_each(function()
    server = peer.open()
  end)

  after_each(function()
    server:close()
  end)

  local text = ("x"):rep(100000)

  -- Ten events of a megabyte together; `spoil` ends the first connection, the
  -- second is served. Returns the bodies that came whole.
  local function run(mp, spoil)
    for i = 1, 10 do
      assert(mp:track("A", { distinct_id = "u", n = i, text = text }))
    end
    mp:flush(0)
    local bodies = {}
    bodies[1] = spoil(server:accept())
    local connection = server:accept()
    bodies[#bodies + 1] = select(2, peer.read(connection))
    peer.reply(connection, "1")
    assert(mp:flush(10))
    connection:close()
    return bodies
  end

  it("before a byte was read loses nothing", function()
    local mp = project(server.url, { gzip = false })
    run(mp, function(connection)
      peer.reset(connection)
    end)
    assert.equal(10, mp:stats().delivered)
    outcome.check(mp, { delivered = 10, ambiguous = mp:stats().ambiguous })
    mp:close()
  end)

  it("in the middle of the body loses nothing", function()
    local mp = project(server.url, { gzip = false })
    run(mp, function(connection)
      assert(connection:receive(50000))
      peer.reset(connection)
    end)
    outcome.check(mp, { delivered = 10, ambiguous = mp:stats().ambiguous })
    mp:close()
  end)

  it("after the body is ambiguous, and the same bytes come again", function()
    local mp = project(server.url, { gzip = false })
    local bodies = run(mp, function(connection)
      local _, body = peer.read(connection)
      peer.reset(connection)
      return body
    end)
    assert.equal(2, #bodies)
    assert.is_true(bodies[1] == bodies[2])
    outcome.check(mp, { delivered = 10, ambiguous = 1 })
    assert.equal(1, #outcome.reports(mp, "ambiguous"))
    mp:close()
  end)
end)

describe("a connection", function()
  local server

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  it("that ends in the middle of a yes has said nothing", function()
    server:script { endpoint = "/track", close = "mid", ingest = true }
    local mp = project(server.url)
    assert(mp:track("A", { distinct_id = "u" }))
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 1, ambiguous = 1 })
    assert.equal(2, #server:requests())
    mp:close()
  end)

  it("that ends in the middle of a no is believed", function()
    server:script { endpoint = "/import", close = "mid", times = 0, match = "poison", status = 400 }
    local mp = project(server.url)
    for i = 1, 20 do
      assert(mp:import(i == 5 and "poison" or "A", os.time() - i, { distinct_id = "u" }))
    end
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 19, rejected = 1 })
    mp:close()
  end)

  it("that answers after request_timeout brings the record twice, with one id", function()
    server:script { endpoint = "/track", delay_ms = 15000, ingest = true }
    local mp = project(server.url, { request_timeout = 5 })
    assert(mp:track("A", { distinct_id = "u" }))
    assert(mp:flush(20))
    outcome.check(mp, { delivered = 1, ambiguous = 1 })
    local records = server:records "/track"
    assert.equal(2, #records)
    assert.equal(records[1].properties["$insert_id"], records[2].properties["$insert_id"])
    mp:close()
  end)

  it("of one byte a second is given up, and the records go by another", function()
    server:script { endpoint = "/track", drip = { bytes_per_second = 1 } }
    local mp = project(server.url, { request_timeout = 5 })
    assert(mp:track("A", { distinct_id = "u" }))
    assert(mp:flush(20))
    outcome.check(mp, { delivered = 1, ambiguous = 1 })
    assert.matches("timed out", outcome.reports(mp, "ambiguous")[1].message:lower())
    mp:close()
  end)

  it("that never comes about keeps what fits and refuses the rest", function()
    local mp = project("http://127.0.0.1:9", { max_queue_bytes = 65536 })
    local accepted = 0
    for i = 1, 1000 do
      local ok, _, code = mp:track("A", { distinct_id = "u", n = i, text = ("x"):rep(100) })
      accepted = accepted + (ok and 1 or 0)
      assert.is_true(ok or code == "queue_full")
    end
    assert.is_nil(mp:flush(0.5))
    local stats = outcome.check(mp, { queued = accepted }) -- between two attempts
    assert.equal(1000 - accepted, stats.queue_full)
    assert.is_true(accepted > 200 and stats.queue_bytes <= 65536)
    mp:close(0)
  end)
end)

describe("memory", function()
  local server

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  local function resident()
    collectgarbage()
    collectgarbage()
    return process.status("self", "VmRSS")
  end

  it("stays flat over a million rejected records whose reports nobody takes", function()
    server:script {
      endpoint = "/track",
      status = 410,
      times = 0,
      body = { error = "gone", status = "Gone" },
      forget = true,
    }
    local mp = project(server.url, { max_queue_bytes = 8 * 1024 * 1024, max_batch_size = 500 })
    local total, sixteenths = 1000000, {}
    for i = 1, total do
      while not mp:track("A", { distinct_id = "u", n = i }) do
        mp:flush(1)
      end
      if i % (total / 16) == 0 then
        assert(mp:flush(60))
        sixteenths[#sixteenths + 1] = resident()
      end
    end
    -- The lane keeps up to four segments of a megabyte, sometimes fewer; what
    -- leaks is there at every later moment.
    local early, late = 0, math.huge
    for i = 1, 4 do
      early = math.max(early, sixteenths[i])
      late = math.min(late, sixteenths[12 + i])
    end
    outcome.check(mp, { rejected = total })
    assert.is_true(late < early + 4096, ("%d KiB became %d KiB"):format(early, late))
    local _, count = outcome.reports(mp, "rejected")
    assert.equal(total, count)
    mp:close()
  end)

  it("takes little more memory for small batches that wait than they hold", function()
    local printed = script.run [[
      local socket = require "socket"
      local mp = require("mixpanel").new("projecttoken", {
        api_host = "http://127.0.0.1:9",
        max_batch_size = 50,
        exit_timeout = 0,
      })
      local function resident()
        local file = io.open "/proc/self/status"
        local kib = file:read("*a"):match "VmRSS:%s+(%d+)"
        file:close()
        return kib * 1024
      end
      local before = resident()
      for i = 1, 15000 do
        assert(mp:track("Step", { distinct_id = "u" }))
        if i % 50 == 0 then
          socket.sleep(0.001) -- so that the sender makes spares
        end
      end
      print((resident() - before) / mp:stats().queue_bytes < 10)
    ]]
    assert.equal("true\n", printed)
  end)
end)
