-- What becomes of records by what the API says: the outcome, and the balance.
local cjson = require "cjson"
local outcome = require "spec.support.outcome"
local process = require "spec.support.process"
local project = require "spec.support.project"
local sandbox = require "spec.support.sandbox"

describe("a reply", function()
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

  local function track(mp, n, text)
    for i = 1, n do
      assert(mp:track("A", { distinct_id = "u", n = i, text = text }))
    end
  end

  -- A second, less what the clocks of the client and of the server may differ
  -- by: one counts on steadily, the other is set right now and then.
  local SECOND = 990

  -- Milliseconds between the first two requests.
  local function pause()
    local requests = server:requests()
    return requests[2].time_ms - requests[1].time_ms
  end

  it("of 503 is waited out", function()
    server:script { endpoint = "/track", status = 503, body = "upstream connect error" }
    local mp = project(server.url)
    track(mp, 10)
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 10, ambiguous = 1 })
    local reports, count = outcome.reports(mp, "ambiguous")
    assert.equal(1, #reports)
    assert.equal(10, count)
    assert.equal(503, reports[1].status)
    assert.equal(2, #server:requests())
    mp:close()
  end)

  it("of 429 is waited out for the seconds it asks for", function()
    server:script { endpoint = "/track", status = 429, headers = { ["Retry-After"] = "1" } }
    local mp = project(server.url)
    track(mp, 10)
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 10 })
    assert.is_true(pause() >= SECOND, pause())
    mp:close()
  end)

  it("of 429 is waited out until the date it names", function()
    local date = os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + 6)
    server:script { endpoint = "/track", status = 429, headers = { ["Retry-After"] = date } }
    local mp = project(server.url)
    track(mp, 10)
    assert(mp:flush(20))
    outcome.check(mp, { delivered = 10 })
    assert.is_true(pause() >= SECOND, pause())
    mp:close()
  end)

  it("of 429 that asks for an absurd time is waited out for an hour at most", function()
    for i, value in ipairs { "9223372036854775807", "-1", "soon", "" } do
      server:script { endpoint = "/track", status = 429, headers = { ["Retry-After"] = value } }
      local mp = project(server.url)
      track(mp, 10)
      assert.equal(i > 1 or nil, (mp:flush(i > 1 and 10 or 0.3)))
      outcome.check(mp, i > 1 and { delivered = 10 } or { queued = 10 })
      mp:close(0)
    end
  end)

  it("of 429 on one lane does not hold another", function()
    server:script { endpoint = "/track", status = 429, headers = { ["Retry-After"] = "3600" } }
    local mp = project(server.url)
    track(mp, 10)
    assert.is_nil(mp:flush(0.2))
    mp.people:set("u", { a = 1 })
    mp:import("A", os.time(), { distinct_id = "u" })
    local ok = mp:flush(0.5)
    assert.is_nil(ok)
    outcome.check(mp, { delivered = 2, queued = 10 })
    mp:close(0)
  end)

  it("of 413 halves down to the one record that is too large", function()
    server:script { endpoint = "/track", status = 413, times = 0, min_bytes = 20000 }
    local mp = project(server.url, { gzip = false }) -- or what is sent is smaller
    track(mp, 100, ("x"):rep(400))
    assert(mp:track("Large", { distinct_id = "u", text = ("x"):rep(20000) }))
    track(mp, 100, ("x"):rep(400))
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 200, rejected = 1 })
    local reports = outcome.reports(mp, "rejected")
    assert.equal(1, #reports)
    assert.equal(413, reports[1].status)
    assert.equal("Large", cjson.decode(reports[1].records[1].json).event)
    -- The size that fits is remembered: the next batch is cut to it.
    local before = #server:requests()
    track(mp, 100, ("x"):rep(400))
    assert(mp:flush(10))
    for i, request in ipairs(server:requests()) do
      assert.is_true(i <= before or request.status == 200)
    end
    mp:close()
  end)

  it("of 400 that names three of 500 rejects the three", function()
    local mp = project(server.url)
    local wrong = { [3] = true, [250] = true, [500] = true }
    for i = 1, 500 do
      local time = os.time() + (wrong[i] and 86400 or -i)
      assert(mp:import("A", time, { distinct_id = "u", n = i }))
    end
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 497, rejected = 3 })
    assert.equal(1, #server:requests())
    local reports = outcome.reports(mp, "rejected")
    for _, record in ipairs(reports[1].records) do
      local n = cjson.decode(record.json).properties.n
      assert.is_true(wrong[n])
      wrong[n] = nil
    end
    assert.is_nil(next(wrong))
    mp:close()
  end)

  it("of 400 with texts is searched for the records it means", function()
    server:config { simplified = true }
    local mp = project(server.url)
    for i = 1, 100 do
      assert(mp:import("A", os.time() - i, { distinct_id = "u" }))
    end
    assert(mp:merge("a", "b"))
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 100, rejected = 1 })
    local reports = outcome.reports(mp, "rejected")
    assert.matches("identity events are not allowed", reports[1].message)
    assert.equal("$merge", cjson.decode(reports[1].records[1].json).event)
    mp:close()
  end)

  local unnamed = {
    ["texts"] = '{"code":400,"failed_records":["not this one"],"num_records_imported":0}',
    ["HTML"] = "<html><body>Bad Request</body></html>",
    ["JSON that is cut"] = '{"code":400,"failed_records":[{"index":0,"fie',
    ["an index out of range"] = '{"code":400,"failed_records":[{"index":5000}]}',
    ["nothing"] = "",
  }
  for what, body in pairs(unnamed) do
    it("of 400 with " .. what .. " rejects the one bad event", function()
      server:script { endpoint = "/import", match = "poison", times = 0, status = 400, body = body }
      local mp = project(server.url)
      for i = 1, 64 do
        assert(mp:import(i == 40 and "poison" or "A", os.time() - i, { distinct_id = "u" }))
      end
      assert(mp:flush(10))
      outcome.check(mp, { delivered = 63, rejected = 1 })
      local reports = outcome.reports(mp, "rejected")
      assert.equal("poison", cjson.decode(reports[1].records[1].json).event)
      assert.equal(400, reports[1].status)
      mp:close()
    end)
  end

  it("of 200 with an error and nothing imported is a refusal", function()
    server:script {
      endpoint = "/import",
      match = "poison",
      times = 0,
      body = {
        code = 200,
        error = "some data points in the request failed validation",
        num_records_imported = 0,
        status = 0,
      },
    }
    local mp = project(server.url)
    for i = 1, 50 do
      assert(mp:import(i == 7 and "poison" or "A", os.time() - i, { distinct_id = "u" }))
    end
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 49, rejected = 1 })
    assert.matches("failed validation", outcome.reports(mp, "rejected")[1].message)
    mp:close()
  end)

  it("of 200 that counts fewer records than were sent is told", function()
    server:script {
      endpoint = "/import",
      body = { code = 200, num_records_imported = 7, status = "OK" },
    }
    local mp = project(server.url)
    for i = 1, 10 do
      assert(mp:import("A", os.time() - i, { distinct_id = "u" }))
    end
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 10 })
    local reports = outcome.reports(mp, "delivered")
    assert.equal(1, #reports)
    assert.matches("3 records fewer", reports[1].message)
    mp:close()
  end)

  it("of 401 keeps the records until the server relents", function()
    server:script {
      endpoint = "/import",
      status = 401,
      times = 3,
      body = { error = "no such project" },
    }
    local mp = project(server.url)
    for i = 1, 10 do
      assert(mp:import("A", os.time() - i, { distinct_id = "u" }))
    end
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 10 })
    local reports = outcome.reports(mp, "paused")
    assert.equal(1, #reports)
    assert.equal(401, reports[1].status)
    assert.equal("no such project", reports[1].message)
    assert.equal(4, #server:requests())
    mp:close()
  end)

  it("of 403 or 404 keeps the records where nothing was ever taken", function()
    for _, status in ipairs { 403, 404 } do
      server:script { endpoint = "/track", status = status, times = 2 }
      local mp = project(server.url)
      track(mp, 10)
      assert(mp:flush(10))
      outcome.check(mp, { delivered = 10 })
      assert.equal(1, #outcome.reports(mp, "paused"))
      mp:close()
    end
  end)

  it("of 403 for one body among good ones rejects that one", function()
    local mp = project(server.url)
    track(mp, 1)
    assert(mp:flush(10))
    server:script {
      endpoint = "/track",
      match = "<script>",
      times = 0,
      status = 403,
      body = "blocked",
    }
    track(mp, 50)
    assert(mp:track("A", { distinct_id = "u", text = "<script>" }))
    track(mp, 50)
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 101, rejected = 1 })
    assert.equal("HTTP 403: blocked", outcome.reports(mp, "rejected")[1].message)
    mp:close()
  end)

  it("of 403 for everything keeps the records until the door opens again", function()
    local mp = project(server.url)
    track(mp, 1)
    assert(mp:flush(10))
    server:script { endpoint = "/track", times = 0, status = 403, body = "closed" }
    track(mp, 500)
    assert.is_nil(mp:flush(1))
    track(mp, 10)
    local paused = 0
    process.wait_for(function()
      paused = paused + #outcome.reports(mp, "paused")
      return paused > 0
    end, "the pause")
    assert.is_nil(mp:flush(0.5))
    assert.equal(1, paused + #outcome.reports(mp, "paused"))
    server:reset()
    assert(mp:flush(10))
    local rejected = mp:stats().rejected
    assert.is_true(rejected < 64)
    outcome.check(mp, { delivered = 511 - rejected, rejected = rejected })
    mp:close()
  end)

  it("of a redirect is never followed", function()
    local headers = { Location = server.url .. "/engage" }
    server:script { endpoint = "/track", status = 301, times = 1, body = "", headers = headers }
    local mp = project(server.url)
    track(mp, 10)
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 10 })
    assert.equal(301, outcome.reports(mp, "paused")[1].status)
    assert.equal(0, #server:records "/engage")
    mp:close()
  end)

  it("of 0 with one poisonous record among 500 rejects that one", function()
    server:script { endpoint = "/track", match = "poison", times = 0, body = "0" }
    local mp = project(server.url)
    for i = 1, 500 do
      assert(mp:track(i == 77 and "poison" or "A", { distinct_id = "u" }))
    end
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 499, rejected = 1 })
    assert.is_true(#server:requests() <= 1 + 2 * 9)
    mp:close()
  end)

  it("of 0 for everything costs 64 requests a batch, then a pause", function()
    server:script { times = 0, body = { status = 0, error = "token, no project found" } }
    local mp = project(server.url, { max_retry_delay = 3600 })
    track(mp, 500)
    assert(mp:flush(10))
    outcome.check(mp, { rejected = 500 })
    assert.equal(64, #server:requests())
    local _, count = outcome.reports(mp, "rejected")
    assert.equal(500, count)
    track(mp, 1)
    assert.is_nil(mp:flush(0.5))
    outcome.check(mp, { rejected = 500, queued = 1 })
    assert.equal(64, #server:requests())
    mp:close(0)
  end)

  for _, what in ipairs { "of 204", "of 200 without a word" } do
    it(what .. " is no yes: the records stay and a report says why", function()
      local status = what == "of 204" and 204 or 200
      server:script { endpoint = "/track", status = status, times = 5, body = "" }
      local mp = project(server.url)
      track(mp, 10)
      assert(mp:flush(10))
      outcome.check(mp, { delivered = 10, ambiguous = 5 })
      local reports = outcome.reports(mp, "paused")
      assert.equal(1, #reports)
      assert.equal(status, reports[1].status)
      local requests = server:requests()
      for i = 2, 6 do -- one record alone, until Mixpanel answers
        assert.equal(1, #cjson.decode(requests[i].body), i)
      end
      mp:close()
    end)

    it(what .. " may have been applied, and on_ambiguous = 'report' holds", function()
      local status = what == "of 204" and 204 or 200
      server:script { endpoint = "/engage", status = status, body = "" }
      local mp = project(server.url, { on_ambiguous = "report" })
      assert(mp.people:increment("u", { coins = 1 }))
      assert(mp:flush(10))
      outcome.check(mp, { rejected = 1, ambiguous = 1 })
      assert.is_true(outcome.reports(mp, "rejected")[1].uncertain)
      assert.equal(1, #server:requests())
      mp:close()
    end)
  end

  for _, status in ipairs { 400, 405, 410, 421 } do
    it("of " .. status .. " by a host that is not Mixpanel rejects nothing", function()
      server:script { times = 4, status = status, body = "<html>no</html>" }
      local mp = project(server.url)
      track(mp, 10)
      assert(mp:flush(10))
      outcome.check(mp, { delivered = 10 })
      local reports = outcome.reports(mp, "paused")
      assert.equal(1, #reports)
      assert.equal(status, reports[1].status)
      mp:close()
    end)
  end

  it("of 415 is tried again without compression", function()
    server:script { endpoint = "/track", status = 415, body = "<html>no</html>" }
    local mp = project(server.url)
    track(mp, 10)
    assert(mp:flush(10))
    outcome.check(mp, { delivered = 10 })
    assert.equal(2, #server:requests())
    mp:close()
  end)

  it("of another 4xx rejects, in the words of the API", function()
    server:script {
      endpoint = "/track",
      status = 410,
      body = { code = 410, error = "gone for good" },
    }
    local mp = project(server.url)
    track(mp, 30)
    assert(mp:flush(10))
    outcome.check(mp, { rejected = 30 })
    local reports, count = outcome.reports(mp, "rejected")
    assert.equal(1, #reports)
    assert.equal(30, count)
    assert.equal("gone for good", reports[1].message)
    assert.equal(20, #reports[1].records)
    mp:close()
  end)
end)
