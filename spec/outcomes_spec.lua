-- What a client tells: counters, reports, whether it may send at all; and the
-- options that decide what becomes of records.
local assert_balance = require "spec.support.balance"
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local sandbox = require "spec.support.sandbox"

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

local names = 0

-- A client of a project of its own.
local function client(options)
  names = names + 1
  options = options or {}
  options.name = "outcomes " .. names
  options.api_host = options.api_host or server.url
  options.max_retry_delay = options.max_retry_delay or 0.2
  return mixpanel.new("projecttoken", options)
end

local function find(reports, outcome)
  local found = {}
  for _, report in ipairs(reports) do
    if report.outcome == outcome then
      found[#found + 1] = report
    end
  end
  return found
end

describe("poll", function()
  it("finds nothing when all is well", function()
    local mp = client()
    mp:track("A", { distinct_id = "u" })
    assert(mp:flush(10))
    assert.same({}, mp:poll())
    mp:close()
  end)

  it("shows each rejected record with the reason of the API", function()
    local mp = client()
    local function import(n, time)
      assert(mp:import("A", time, { distinct_id = "u", n = n }))
    end
    for i = 1, 5 do
      import(i, os.time() + (i % 2 == 0 and 86400 or -i)) -- not in the future
    end
    assert(mp:flush(10))
    local reports = mp:poll()
    assert.equal(1, #reports)
    local report = reports[1]
    assert.equal("rejected", report.outcome)
    assert.equal("/import", report.endpoint)
    assert.equal(400, report.status)
    assert.equal(2, report.count)
    assert.is_false(report.uncertain)
    assert.equal("some data points in the request failed validation", report.message)
    assert.equal(2, #report.records)
    for i, record in ipairs(report.records) do
      local event = cjson.decode(record.json)
      assert.equal(i * 2, event.properties.n)
      assert.equal(event.properties["$insert_id"], record.insert_id)
      assert.equal("properties.time", record.field)
      assert.matches("future", record.message)
    end
    assert.same({}, mp:poll())
    mp:close()
  end)

  it("gives each report once, to whichever client asks, and after close", function()
    local mp = client()
    local other =
      mixpanel.new("projecttoken", { name = "outcomes " .. names, api_host = server.url })
    server:script {
      endpoint = "/track",
      status = 410,
      times = 0,
      body = { error = "gone", status = "Gone" },
    }
    for _ = 1, 3 do
      mp:track("A", { distinct_id = "u" })
      assert(mp:flush(10))
    end
    assert.equal(1, #other:poll(1))
    mp:close()
    assert.equal(2, #mp:poll(5))
    assert.same({}, other:poll())
    other:close()
  end)

  it("keeps delivered ones with reports = 'all', and none with 'none'", function()
    local mp = client { reports = "all" }
    mp:track("A", { distinct_id = "u" })
    mp.people:set("u", { a = 1 })
    assert(mp:flush(10))
    local seen = {}
    for _, report in ipairs(mp:poll()) do
      seen[report.endpoint] = report
    end
    for _, endpoint in ipairs { "/track", "/engage" } do
      assert.equal("delivered", seen[endpoint].outcome)
      assert.equal(1, seen[endpoint].count)
      assert.equal(200, seen[endpoint].status)
      assert.same({}, seen[endpoint].records)
    end
    for i = 1, 5 do
      local time = os.time() + (i == 3 and 86400 or -i) -- not in the future
      assert(mp:import("A", time, { distinct_id = "u" }))
    end
    assert(mp:flush(10))
    local counts = {}
    for _, report in ipairs(mp:poll()) do
      counts[report.outcome] = report.count
    end
    assert.same({ delivered = 4, rejected = 1 }, counts)
    mp:set_config { reports = "none" }
    server:script { endpoint = "/track", status = 410, body = { error = "gone", status = "Gone" } }
    mp:track("A", { distinct_id = "u" })
    assert(mp:flush(10))
    assert.equal(2, mp:stats().rejected)
    assert.same({}, mp:poll())
    mp:close()
  end)

  it("raises for what is no number of reports", function()
    local mp = client()
    for _, wrong in ipairs { 0, -1, "1", true, 0 / 0 } do
      assert.error_matches(function()
        mp:poll(wrong)
      end, "max")
    end
    mp:close()
  end)
end)

describe("stats", function()
  it("is one table that is plain JSON", function()
    local mp = client { flush_interval = 60 }
    mp:track("A", { distinct_id = "u", bad = 0 / 0 })
    local stats = assert_balance(mp:stats())
    local copy = cjson.decode(cjson.encode(stats))
    assert.equal(1, copy.queued)
    assert.equal(1, copy.repaired)
    assert.same({ expired = 0, overflow = 0, evicted = 0, quarantined = 0 }, copy.dropped)
    assert.is_true(copy.oldest_age >= 0)
    assert.is_nil(copy.last_error)
    assert(mp:flush(10))
    stats = assert_balance(mp:stats())
    assert.equal(1, stats.delivered)
    assert.is_nil(stats.oldest_age)
    mp:close()
  end)

  it("says what went wrong last, and when", function()
    local mp = client()
    server:script { endpoint = "/track", status = 503, body = "upstream connect error" }
    mp:track("A", { distinct_id = "u" })
    assert(mp:flush(10))
    assert.equal("HTTP 503: upstream connect error", mp:stats().last_error)
    assert.is_true(mp:stats().last_error_age > 0)
    mp:close()
  end)
end)

describe("check", function()
  it("says yes when host and credentials are good", function()
    local mp = client()
    assert.is_true(mp:check(10))
    assert.equal(0, mp:stats().accepted)
    assert.same({}, mp:poll())
    mp:close()
  end)

  it("says unauthorized with the text of the API", function()
    server:config { tokens = { "another" } }
    local mp = client()
    assert.same({ nil, "Invalid credentials", "unauthorized" }, { mp:check(10) })
    mp:close()
  end)

  it("says network when something else answers, or nothing", function()
    local mp = client()
    for _, body in ipairs { "", "<html>Sign in</html>" } do
      server:script { endpoint = "/import", status = 200, body = body }
      local ok, message, code = mp:check(10)
      assert.is_nil(ok)
      assert.matches("HTTP 200", message)
      assert.equal("network", code)
    end
    mp:close()
    local nobody = client { api_host = "http://127.0.0.1:9" }
    assert.equal("network", select(3, nobody:check(10)))
    nobody:close(0)
  end)

  it("asks whether records wait or not", function()
    server:script { endpoint = "/track", status = 429, headers = { ["Retry-After"] = "3600" } }
    local mp = client()
    mp:track("A", { distinct_id = "u" })
    mp:flush(0.2)
    assert.is_true(mp:check(10))
    mp:close(0)
    assert.same({ nil, "this client is closed", "closed" }, { mp:check(1) })
  end)
end)

describe("overflow = 'drop_oldest'", function()
  it("makes room, counts what went and tells at once", function()
    local mp = client { overflow = "drop_oldest", max_queue_bytes = 65536, flush_interval = 60 }
    for i = 1, 1000 do
      assert(mp:track("A", { distinct_id = "u", n = i, text = ("x"):rep(1000) }))
      assert_balance(mp:stats())
    end
    local reports = mp:poll()
    assert.equal(1, #reports)
    assert.equal("dropped", reports[1].outcome)
    assert.matches("max_queue_bytes", reports[1].message)
    assert(mp:flush(10))
    local stats = assert_balance(mp:stats())
    assert.equal(0, stats.queue_full)
    assert.equal(1000, stats.dropped.overflow + stats.delivered)
    local records = server:records "/track"
    assert.equal(stats.delivered, #records)
    assert.equal(1000, records[#records].properties.n)
    assert.equal(1000 - stats.delivered + 1, records[1].properties.n)
    mp:close()
  end)

  it("refuses what would not fit into an empty queue", function()
    local mp = client { overflow = "drop_oldest", max_queue_bytes = 65536, flush_interval = 60 }
    assert(mp:track("A", { distinct_id = "u" }))
    local _, _, code = mp:track("A", { distinct_id = "u", text = ("x"):rep(70000) })
    assert.equal("queue_full", code)
    assert.equal(0, mp:stats().dropped.overflow)
    mp:close()
  end)
end)

describe("max_age", function()
  it("drops what waited longer, and tells", function()
    local mp = client { max_age = 0.3 }
    server:script { endpoint = "/track", status = 503, times = 0 }
    mp:track("A", { distinct_id = "u" })
    assert(mp:flush(10))
    local stats = assert_balance(mp:stats())
    assert.same({ expired = 1, overflow = 0, evicted = 0, quarantined = 0 }, stats.dropped)
    local dropped = find(mp:poll(), "dropped")
    assert.equal(1, #dropped)
    assert.equal(1, dropped[1].count)
    assert.matches("max_age", dropped[1].message)
    assert(mp:set_config { max_age = false })
    mp:track("A", { distinct_id = "u" })
    assert.is_nil(mp:flush(0.8))
    assert.equal(1, mp:stats().queued + mp:stats().in_flight)
    mp:close(0)
  end)
end)

describe("options of delivery", function()
  local wrong = {
    max_age = { 0, -1, "1", true, 0 / 0 },
    overflow = { "drop", true, 1 },
    on_ambiguous = { "Retry", false, "" },
    reports = { "some", true },
    debug = { "", {}, 1, "a\0b" },
  }
  for option, values in pairs(wrong) do
    it("refuse wrong values: " .. option, function()
      for _, value in ipairs(values) do
        local ok, message = pcall(mixpanel.new, "t", { [option] = value })
        assert.is_false(ok)
        assert.matches("option '" .. option .. "': got .*, expected ", message)
      end
    end)
  end
end)
