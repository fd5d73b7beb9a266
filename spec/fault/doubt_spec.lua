-- What may have been applied though no reply said so, and what must travel
-- apart or in order because of that.
local assert_balance = require "spec.support.balance"
local outcome = require "spec.support.outcome"
local peer = require "spec.support.peer"
local process = require "spec.support.process"
local project = require "spec.support.project"
local sandbox = require "spec.support.sandbox"

describe("doubt", function()
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

  local function coins()
    local sum = 0
    for _, record in ipairs(server:records "/engage") do
      sum = sum + (record["$add"] and record["$add"].coins or 0)
    end
    return sum
  end

  -- A batch of ten $add that was applied, but whose reply never came.
  local function lose_reply(mp)
    server:script { endpoint = "/engage", close = "after", ingest = true }
    for i = 1, 10 do
      assert(mp.people:increment("u" .. i, "coins"))
    end
    assert(mp:flush(10))
  end

  it("about $add is sent again with on_ambiguous = 'retry'", function()
    local mp = project(server.url)
    lose_reply(mp)
    outcome.check(mp, { delivered = 10, ambiguous = 1 })
    local reports, count = outcome.reports(mp, "ambiguous")
    assert.equal(1, #reports)
    assert.equal(10, count)
    assert.is_true(reports[1].uncertain)
    assert.equal(20, coins()) -- applied twice: what the report is for
    mp:close()
  end)

  it("about $add ends with on_ambiguous = 'report'", function()
    local mp = project(server.url, { on_ambiguous = "report" })
    lose_reply(mp)
    outcome.check(mp, { rejected = 10, ambiguous = 1 })
    local reports = mp:poll()
    assert.equal("ambiguous", reports[1].outcome)
    assert.equal("rejected", reports[2].outcome)
    assert.is_true(reports[2].uncertain)
    assert.equal(10, reports[2].count)
    assert.equal(10, #reports[2].records)
    assert.equal(10, coins())
    mp:close()
  end)

  it("about $add does not end one batch after the other in an outage", function()
    local host = peer.open()
    local mp = project(host.url, {
      on_ambiguous = "report",
      max_batch_size = 1,
      max_retry_delay = 60,
    })
    for i = 1, 10 do
      assert(mp.people:increment("u" .. i, "coins"))
    end
    mp:flush(0)
    local connection = host:accept()
    peer.read(connection)
    host:close() -- first, so that the next batch finds nobody
    peer.reset(connection)
    assert.is_nil(mp:flush(0.5))
    outcome.check(mp, { rejected = 1, queued = 9, ambiguous = 1 })
    mp:close(0)
  end)

  it("about $set is sent again whatever on_ambiguous says", function()
    for _, setting in ipairs { "retry", "report" } do
      local mp = project(server.url, { on_ambiguous = setting })
      server:script { endpoint = "/engage", status = 502, ingest = true }
      assert(mp.people:set("u", { plan = setting }))
      assert(mp:flush(10))
      outcome.check(mp, { delivered = 1, ambiguous = 1 })
      mp:close()
    end
  end)

  -- libcurl would repeat the request by itself, and nobody would know.
  it("about $add on a kept connection is seen", function()
    local mp = project(server.url, { on_ambiguous = "report" })
    for i = 1, 3 do
      assert(mp.people:set("u", { n = i }))
      assert(mp:flush(10))
    end
    server:script { endpoint = "/engage", close = "after", ingest = true }
    assert(mp.people:increment("u", "coins"))
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 3, rejected = 1, ambiguous = 1 })
    assert.equal(1, coins())
    mp:close()
  end)

  it("never arises when the connection was refused or the body did not leave", function()
    local mp = project("http://127.0.0.1:9")
    mp.people:increment("u", "coins")
    assert.is_nil(mp:flush(0.3))
    outcome.check(mp, { queued = 1 })
    mp:close(0)
  end)

  it("about a refused batch of $add ends it, uncertain, with on_ambiguous = 'report'", function()
    server:script { endpoint = "/engage", match = "$add", body = "0" }
    local mp = project(server.url, { on_ambiguous = "report" })
    for i = 1, 10 do
      assert(mp.people:increment("u" .. i, "coins"))
    end
    assert(mp:flush(10))
    outcome.check(mp, { rejected = 10, ambiguous = 1 })
    assert.is_true(outcome.reports(mp, "rejected")[1].uncertain)
    assert.equal(1, #server:requests())
    mp:close()
  end)

  it("about a refused batch of $add and $set is counted, and finds the refused one", function()
    server:script { endpoint = "/engage", match = "poison", times = 0, body = "0" }
    local mp = project(server.url)
    for i = 1, 4 do
      assert(mp.people:increment("u" .. i, "coins"))
      assert(mp.people:set("u" .. i, { plan = i == 4 and "poison" or "free" }))
    end
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 7, rejected = 1, ambiguous = 3 })
    assert.is_false(outcome.reports(mp, "rejected")[1].uncertain)
    assert.equal(4, coins())
    mp:close()
  end)

  it("sends $add, $append and other updates in one request, all in order", function()
    local mp = project(server.url)
    for i = 1, 100 do
      assert(mp.people:set("u", { n = i }))
      assert(mp.people:increment("u", "coins"))
    end
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 200 })
    assert.equal(1, #server:requests())
    for i, record in ipairs(server:records "/engage") do
      assert.equal(i % 2 == 1, record["$set"] ~= nil)
    end
    mp:close()
  end)

  it("keeps them apart with on_ambiguous = 'report', all in order", function()
    server:script { endpoint = "/engage", match = "poison", times = 0, body = "0" }
    server:script { endpoint = "/engage", status = 503, times = 2 }
    local mp = project(server.url, { on_ambiguous = "report" })
    local sent = {}
    for i = 1, 200 do
      if i % 40 == 0 then
        assert(mp.people:append("u", "list", i))
        sent[#sent + 1] = i
      else
        assert(mp.people:set("u", { n = i, poison = i == 77 and "poison" or nil }))
        sent[#sent + 1] = i ~= 77 and i or nil
      end
    end
    assert(mp:flush(20))
    outcome.check(mp, { delivered = 199, rejected = 1, ambiguous = 2 })
    local arrived = {}
    for _, record in ipairs(server:records "/engage") do
      arrived[#arrived + 1] = record["$set"] and record["$set"].n or record["$append"].list
    end
    assert.same(sent, arrived)
    for _, request in ipairs(server:requests()) do
      assert.is_falsy(request.body:find "$set" and request.body:find "$append")
    end
    mp:close()
  end)
end)

describe("old events", function()
  local server
  local six_days_ago = os.time() - 6 * 86400

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  local function track_both(mp)
    for i = 1, 10 do
      local time = i % 2 == 0 and six_days_ago or nil
      assert(mp:track("A", { distinct_id = "u", time = time }))
    end
  end

  it("travel to /import, the others to /track", function()
    local mp = project(server.url)
    track_both(mp)
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 10 })
    assert.equal(5, #server:records "/track")
    assert.equal(5, #server:records "/import")
    mp:close()
  end)

  it("are dropped as expired where the host has no /import", function()
    server:script { endpoint = "/import", status = 404, times = 0 }
    local mp = project(server.url)
    track_both(mp)
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 5, dropped = { expired = 5 } })
    local reports, count = outcome.reports(mp, "dropped")
    assert.equal("/import", reports[1].endpoint)
    assert.equal(5, count)
    mp:close()
  end)

  it("that /import does not let in leave the young ones alone", function()
    server:script { endpoint = "/import", status = 401, times = 0, body = { error = "who?" } }
    local mp = project(server.url)
    track_both(mp)
    assert.is_nil(mp:flush(0.5))
    for i = 1, 5 do
      assert(mp:track("A", { distinct_id = "u", n = i }))
      assert.is_nil(mp:flush(0.25))
    end
    process.wait_for(function()
      local stats = assert_balance(mp:stats())
      return stats.delivered == 10 and stats.requests > 8
    end, "the young ones")
    local stats = assert_balance(mp:stats())
    assert.equal(10, stats.delivered)
    assert.equal(5, stats.queued + stats.in_flight)
    local reports = outcome.reports(mp, "paused")
    assert.equal(1, #reports)
    assert.equal("who?", reports[1].message)
    server:reset()
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 15 })
    mp:close()
  end)

  for where, spool in pairs { ["in memory"] = false, ["with a spool"] = true } do
    it("that may not be sent take little more memory than they hold, " .. where, function()
      local home = spool and process.read("mktemp -d"):match "%S+"
      server:script { endpoint = "/import", status = 403, times = 0 }
      local mp =
        project(server.url, { spool = spool and home .. "/spool" or nil, reports = "none" })
      local before, n = process.status("self", "VmRSS"), 40
      for i = 1, n do
        assert(mp:track("Old", { distinct_id = "u", time = six_days_ago }))
        for _ = 1, 1999 do
          assert(mp:track("Young", { distinct_id = "u", text = ("x"):rep(100) }))
        end
        process.wait_for(function()
          mp:flush(0)
          return mp:stats().delivered == i * 1999
        end, "the young ones")
      end
      process.wait_for(function()
        collectgarbage()
        return (process.status("self", "VmRSS") - before) * 1024 < n * 500000 / 2
      end, "memory is not given back")
      server:reset()
      assert(mp:flush(20))
      assert.equal(n, #server:records "/import")
      mp:close()
      if spool then
        process.run("rm -r " .. home)
      end
    end)
  end
end)
