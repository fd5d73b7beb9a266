-- From track to the API: batches, order, gzip, outages.
local assert_balance = require "spec.support.balance"
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local socket = require "socket"

describe("delivery", function()
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

  local function client(options)
    options = options or {}
    options.api_host = options.api_host or server.url
    options.max_retry_delay = options.max_retry_delay or 0.2
    return mixpanel.new("projecttoken", options)
  end

  it("brings 100 000 events, each once, in order, in large batches", function()
    local mp = client { name = "many", flush_interval = 60 }
    local sent = {}
    for i = 1, 100000 do
      local id = ("%032x"):format(i)
      sent[i] = id
      assert(mp:track("Step", { distinct_id = "u", n = i, ["$insert_id"] = id }))
    end
    assert(mp:flush(60))
    local seen, total = {}, 0
    local requests = server:requests()
    for r, request in ipairs(requests) do
      local records = cjson.decode(request.body)
      local last = 0
      for _, record in ipairs(records) do
        local id = record.properties["$insert_id"]
        assert.is_nil(seen[id])
        seen[id] = true
        total = total + 1
        assert.is_true(record.properties.n > last)
        last = record.properties.n
      end
      if r < #requests then
        assert.is_true(#records >= 1900 or request.raw_bytes >= 0.9 * 1114112)
      end
    end
    assert.equal(100000, total)
    for i = 1, #sent do
      assert.is_true(seen[sent[i]])
    end
    local stats = mp:stats()
    assert.equal(100000, stats.delivered)
    assert.equal(#requests, stats.requests)
    assert.equal(0, stats.queue_bytes)
    assert_balance(stats)
    mp:close()
  end)

  it("cuts a batch where the segment ends when records are large", function()
    local mp = client { name = "large", flush_interval = 60 }
    for i = 1, 30 do
      assert(mp:track("Large", { distinct_id = "u", n = i, text = ("x"):rep(100000) }))
    end
    assert(mp:flush(20))
    local requests = server:requests()
    local small = 0 -- the last of them, which may be the first to arrive
    for _, request in ipairs(requests) do
      small = small + (request.raw_bytes >= 0.9 * 1114112 and 0 or 1)
    end
    assert.is_true(small <= 1, small .. " small requests")
    assert.equal(30, #server:records "/track")
    mp:close()
  end)

  it("compresses events and imports, never profiles or groups", function()
    local mp = client { name = "gzip" }
    mp:track("A", { distinct_id = "u" })
    mp:import("B", os.time() - 60, { distinct_id = "u" })
    mp.people:set("u", { a = 1 })
    mp.groups:set("company", "acme", { a = 1 })
    assert(mp:flush(10))
    local encoding = {}
    for _, request in ipairs(server:requests()) do
      encoding[request.path] = request.headers["content-encoding"] or "none"
      assert.equal("application/json", request.headers["content-type"])
      assert.equal(200, request.status)
    end
    assert.same({
      ["/track"] = "gzip",
      ["/import"] = "gzip",
      ["/engage"] = "none",
      ["/groups"] = "none",
    }, encoding)
    mp:close()
  end)

  it("leaves bodies as they are with gzip = false", function()
    local mp = client { name = "plain", gzip = false }
    mp:track("A", { distinct_id = "u" })
    assert(mp:flush(10))
    local request = server:requests()[1]
    assert.is_nil(request.headers["content-encoding"])
    assert.equal(request.bytes, request.raw_bytes)
    mp:close()
  end)

  it("asks with the documented parameters", function()
    local mp = client { name = "parameters" }
    local game = client { name = "game", geolocate = true }
    for _, c in ipairs { mp, game } do
      c:track("A", { distinct_id = "u" })
      c:import("B", os.time() - 60, { distinct_id = "u" })
      c.people:set("u", { a = 1 })
      c.groups:set("company", "acme", { a = 1 })
      assert(c:flush(10))
    end
    local seen = {}
    for _, request in ipairs(server:requests()) do
      seen[request.path .. "?" .. request.query_string] = true
    end
    assert.same({
      ["/track?verbose=1&ip=0"] = true,
      ["/track?verbose=1&ip=1"] = true,
      ["/import?strict=1&verbose=1"] = true,
      ["/engage?verbose=1&ip=0"] = true,
      ["/engage?verbose=1&ip=1"] = true,
      ["/groups?verbose=1&ip=0"] = true,
      ["/groups?verbose=1&ip=1"] = true,
    }, seen)
    mp:close()
    game:close()
  end)

  it("sends events through /import when told to, but for identity events", function()
    local mp = client { name = "via import", events_via = "import" }
    mp:track("A", { distinct_id = "u" })
    mp:identify("u", "5be8f0a6-7b6a-4d5e-9c53-0d2f4c6d4a11")
    assert(mp:flush(10))
    local path = {}
    for _, request in ipairs(server:requests()) do
      path[cjson.decode(request.body)[1].event] = request.path
    end
    assert.same({ A = "/import", ["$identify"] = "/track" }, path)
    mp:close()
  end)

  it("sends after flush_interval without being asked", function()
    local mp = client { name = "interval", flush_interval = 0.1 }
    mp:track("A", { distinct_id = "u" })
    server:wait(1)
    mp:track("B", { distinct_id = "u" })
    server:wait(2)
    assert.equal(2, #server:records "/track")
    mp:close()
  end)

  it("sends the same bytes again after a 503", function()
    server:script { endpoint = "/track", status = 503, times = 2, body = "upstream connect error" }
    local mp = client { name = "outage" }
    mp:track("A", { distinct_id = "u", text = "größer" })
    assert(mp:flush(10))
    local requests = server:requests()
    assert.equal(3, #requests)
    assert.equal(requests[1].body, requests[2].body)
    assert.equal(requests[1].body, requests[3].body)
    local stats = mp:stats()
    assert.equal(1, stats.delivered)
    assert.equal(2, stats.retried)
    assert.equal(2, stats.ambiguous)
    assert.matches("503", stats.last_error)
    assert_balance(stats)
    mp:close()
  end)

  it("keeps records through a refused connection", function()
    local port = require("socket").bind("127.0.0.1", 0)
    local _, number = port:getsockname()
    port:close()
    local mp = client { name = "refused", api_host = "http://127.0.0.1:" .. number }
    mp:track("A", { distinct_id = "u" })
    local ok, message, code = mp:flush(0.3)
    assert.same({ nil, "timeout: 1 record undelivered", "timeout" }, { ok, message, code })
    process.wait_for(function()
      return mp:stats().last_error
    end, "the first attempt")
    local stats = mp:stats()
    assert.equal(1, stats.queued + stats.in_flight)
    assert_balance(stats)
    mp:close(0)
  end)

  it("talks TLS to a server that the ca_file vouches for", function()
    local mp = client { name = "tls", api_host = server.tls_url, ca_file = server.ca_file }
    mp:track("A", { distinct_id = "u" })
    assert(mp:flush(10))
    assert.is_true(server:requests()[1].tls)
    mp:close()
  end)

  it("finds the one record in 500 that the API refuses", function()
    local mp = client { name = "poison" }
    server:script { endpoint = "/track", match = "poison", times = 0, status = 200, body = "0" }
    for i = 1, 500 do
      mp:track(i == 333 and "poison" or "good", { distinct_id = "u", n = i })
    end
    assert(mp:flush(20))
    local stats = mp:stats()
    assert.equal(499, stats.delivered)
    assert.equal(1, stats.rejected)
    assert.is_true(#server:requests() <= 64)
    assert_balance(stats)
    mp:close()
  end)

  it("rejects what /import names and delivers the rest", function()
    local mp = client { name = "named" }
    local list = {}
    for i = 1, 500 do
      list[i] = { event = "A", properties = { time = os.time() - i, distinct_id = "u", n = i } }
    end
    list[7].properties.time = os.time() + 86400 -- the API refuses the future
    list[400].properties.time = os.time() + 86400
    assert(mp:import_batch(list))
    assert(mp:flush(10))
    assert.equal(1, #server:requests())
    assert.equal(498, mp:stats().delivered)
    assert.equal(2, mp:stats().rejected)
    mp:close()
  end)

  it("refuses what does not fit into max_queue_bytes", function()
    local mp = client { name = "full", max_queue_bytes = 65536, flush_interval = 60 }
    local accepted, code = 0, nil
    for _ = 1, 1000 do
      local ok, _, why = mp:track("A", { distinct_id = "u", text = ("x"):rep(1000) })
      if ok then
        accepted = accepted + 1
      else
        code = why
      end
    end
    assert.equal("queue_full", code)
    assert(mp:flush(10))
    assert(mp:track("A", { distinct_id = "u" }))
    assert(mp:flush(10))
    assert.equal(accepted + 1, mp:stats().delivered)
    assert.equal(1000 - accepted, mp:stats().queue_full)
    mp:close()
  end)

  it("keeps profile updates in order through outages", function()
    local mp = client { name = "order" }
    server:script { endpoint = "/engage", status = 503, times = 2 }
    for i = 1, 300 do
      mp.people:set("u", { n = i })
      if i % 50 == 0 then
        mp.people:increment("u", "coins", i)
      end
    end
    assert(mp:flush(20))
    local expected = 0
    for _, record in ipairs(server:records "/engage") do
      if record["$set"] then
        expected = expected + 1
        assert.equal(expected, record["$set"].n)
      else
        assert.equal(expected, record["$add"].coins)
      end
    end
    assert.equal(300, expected)
    mp:close()
  end)

  it("tells with mark and done when everything before has ended", function()
    local mp = client { name = "mark" }
    assert.is_true(mp:done(mp:mark()))
    server:script { endpoint = "/track", status = 503, times = 0 }
    mp:track("A", { distinct_id = "u" })
    local ticket = mp:mark()
    assert.is_false(mp:done(ticket))
    server:reset()
    assert(mp:flush(10))
    mp:track("B", { distinct_id = "u" })
    assert.is_true(mp:done(ticket))
    mp:close()
  end)

  it("delivers at the end of a script that never flushes", function()
    local lua = arg and arg[-1] or "lua"
    local i = -1
    while arg and arg[i - 1] do
      i = i - 1
      lua = arg[i]
    end
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(
      ("package.cpath = %q\nlocal mp = require('mixpanel').new('t', { api_host = %q })\n"):format(
        package.cpath,
        server.url
      ),
      "for i = 1, 10 do mp:track('A', { distinct_id = 'u' }) end\nif ... then os.exit(0) end\n"
    )
    file:close()
    for _, argument in ipairs { "", "exit" } do
      assert(os.execute(lua .. " " .. path .. " " .. argument))
    end
    os.remove(path)
    assert.equal(20, #server:records "/track")
  end)

  it("obeys a shorter flush_interval for what waits already", function()
    local function waits()
      server:reset()
      local mp = client { name = "shorter", flush_interval = 3600 }
      mp:track("Step", { distinct_id = "u" })
      socket.sleep(0.2) -- the sender sleeps again
      return mp
    end
    local function comes(mp)
      local deadline = socket.gettime() + 5
      while mp:stats().queued > 0 and socket.gettime() < deadline do
        socket.sleep(0.01)
      end
      assert.equal(1, #server:records "/track")
    end

    local mp = waits()
    assert(mp:set_config { flush_interval = 0.1 })
    comes(mp)
    mp = waits()
    local other = client { name = "shorter", flush_interval = 0.1 }
    comes(mp)
    assert(other:close())
    assert(mp:close())
  end)
end)
