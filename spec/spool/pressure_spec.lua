-- A client with more records than the network, or the spool itself, takes.
local assert_balance = require "spec.support.balance"
local socket = require "socket"
local spooled = require "spec.support.spooled"

describe("a client with a spool", function()
  local here = spooled()
  local client, run, crash, output, wait, wait_empty =
    here.client, here.run, here.crash, here.output, here.wait, here.wait_empty
  local server, spool

  before_each(function()
    server, spool = here.server, here.spool
  end)

  it("goes on writing while other projects have every transfer under way", function()
    local silent = assert(socket.bind("127.0.0.1", 0, 64))
    local host = "http://127.0.0.1:" .. select(2, silent:getsockname())
    local text = run(
      { spool = spool, api_host = host, max_queue_bytes = 4 * 1024 * 1024, exit_timeout = 0 },
      ("local host = %q"):format(host)
        .. [[
      local others = {}
      for i = 1, 32 do -- of as many hosts: one each, as long as none answers
        local options = { api_host = host .. "/" .. i, max_batch_size = 1, exit_timeout = 0 }
        options.request_timeout = 300
        others[i] = mixpanel.new("token" .. i, options)
        for _ = 1, 2 do others[i]:track("E", { distinct_id = "u" }) end
        others[i]:flush(0)
      end
      local s = require "socket"
      local function all_under_way()
        local n = 0
        for _, other in ipairs(others) do n = n + other:stats().in_flight end
        return n == 32
      end
      for _ = 1, 1000 do if all_under_way() then break end s.sleep(0.01) end
      local pad = ("x"):rep(1000)
      for i = 1, 10000 do
        for _ = 1, 20000 do
          if mp:track("E", { distinct_id = "u", n = i, pad = pad }) then break end
          s.sleep(0.001)
        end
      end
      local stats = mp:stats()
      print(all_under_way(), stats.accepted, stats.in_flight, stats.spooled > 5000)]]
    )
    silent:close()
    assert.equal("true\t10000\t0\ttrue\n", text)
  end)

  it("takes new records while a backlog has every transfer of the project", function()
    server:script { status = 503, times = 0 }
    crash [[
      local pad = ("x"):rep(1000)
      for i = 1, 12000 do mp:track("Old", { distinct_id = "u", n = i, pad = pad }) end]]
    server:reset()
    server:script { delay_ms = 2000, times = 0 }
    local mp = client { max_queue_bytes = 4 * 1024 * 1024 }
    mp:flush(0)
    wait(mp, function(s)
      return s.adopted == 12000 and s.in_flight > 0
    end, "nothing was adopted")
    local pad = ("x"):rep(1000)
    for n = 1, 200 do
      assert.is_true(mp:track("New", { distinct_id = "u", n = n, pad = pad }))
      socket.sleep(0.005)
    end
    assert.is_true(mp:stats().spooled > 0)
    server:reset()
    mp:flush(0)
    wait_empty(mp)
    assert_balance(mp:stats())
    assert.equal(12200, mp:stats().delivered)
    mp:close()
  end)

  it("moves what memory should not hold onto the disk, and back", function()
    server:script { status = 503, times = 0 }
    local mp = client { max_queue_bytes = 4 * 1024 * 1024, flush_interval = 0.05 }
    local pad, n = ("x"):rep(1000), 0
    local most = 0
    while n < 20000 do
      if mp:track("Step", { distinct_id = "u", n = n, pad = pad }) then
        n = n + 1
      else
        socket.sleep(0.002)
      end
      if n % 500 == 0 then
        local s = mp:stats()
        most = math.max(most, s.spooled)
        assert.is_true(s.queue_bytes <= 4 * 1024 * 1024)
        assert_balance(s)
      end
    end
    assert.is_true(most > 0)
    server:reset()
    assert.is_true(mp:flush(60))
    local stats = mp:stats()
    assert.equal(20000, stats.delivered)
    assert.equal(0, stats.spooled_bytes)
    assert_balance(stats)
    local seen, count = {}, 0
    for _, event in ipairs(server:records "/track") do
      assert.is_nil(seen[event.properties["$insert_id"]])
      seen[event.properties["$insert_id"]] = true
      count = count + 1
    end
    assert.equal(20000, count)
    mp:close()
  end)

  it("keeps within spool_max_bytes: the oldest batches go, counted and told", function()
    local mp = client {
      api_host = "http://127.0.0.1:9",
      name = "evict",
      max_queue_bytes = 2 * 1024 * 1024,
      spool_max_bytes = 4194304,
      max_retry_delay = 60,
    }
    local n = 0
    while n < 22000 do
      local noise = {}
      for i = 1, 60 do
        noise[i] = ("%08x"):format(math.random(0, 2 ^ 31 - 1))
      end
      if mp:track("Step", { distinct_id = "u", n = n, noise = table.concat(noise) }) then
        n = n + 1
      else
        socket.sleep(0.002)
      end
    end
    wait(mp, function(s)
      return s.dropped.evicted > 0 and s.spooled_bytes <= 4194304
    end, "nothing was evicted")
    assert_balance(mp:stats())
    local told
    for _, report in ipairs(mp:poll()) do
      told = told or (report.message or ""):find("spool_max_bytes", 1, true)
    end
    assert.truthy(told)
    local size = tonumber(output(("du -sb %s"):format(spool)):match "%d+")
    assert.is_true(size < 4194304 + 2 * 1024 * 1024 + 8 * 1024 * 1024)
    mp:close(0)
  end)

  it("finds the record that draws every 5xx also when memory is short", function()
    server:script { endpoint = "/track", match = "poison", times = 0, status = 500 }
    local mp = client {
      name = "poison",
      max_queue_bytes = 262144,
      max_retry_delay = 0.02,
      flush_interval = 0.05,
    }
    local pad = ("x"):rep(1000)
    for i = 1, 100 do
      assert(mp:track(i == 50 and "poison" or "Step", { distinct_id = "u", pad = pad }))
    end
    wait(mp, function(s)
      return s.delivered == 99
    end, "one record held up the others")
    local stats = mp:stats()
    assert.is_true(stats.retried >= 100)
    assert_balance(stats)
    server:reset()
    assert.is_true(mp:flush(10))
    mp:close()
  end)

  it("takes little more room on disk for small batches that wait than they hold", function()
    server:script { status = 503, times = 0 }
    local mp = client { name = "small" }
    for i = 1, 6000 do -- 200 a request
      assert(mp.groups:set("company", "acme", { n = i }))
      if i % 200 == 0 then
        socket.sleep(0.005)
      end
    end
    wait(mp, function(s)
      return s.spooled >= 4000
    end, "files of open segments stay")
    local _, open = here.files("*.open"):gsub("%.open", "")
    assert.is_true(open < 16, open .. " files of open segments")
    assert_balance(mp:stats())
    server:reset()
    assert.is_true(mp:flush(30))
    local last = 0
    for _, update in ipairs(server:records "/groups") do
      assert.equal(last + 1, update["$set"].n)
      last = last + 1
    end
    assert.equal(6000, last)
    assert_balance(mp:stats())
    mp:close()
  end)

  it("takes as many records as the spool holds while all are forbidden", function()
    server:script { status = 403, times = 0 }
    local mp = client { name = "forbidden", max_queue_bytes = 2 * 1024 * 1024 }
    local pad = ("x"):rep(500)
    for i = 1, 20000 do
      local ok, message
      for _ = 1, 2000 do
        ok, message = mp:track("Step", { distinct_id = "u", n = i, pad = pad })
        if ok then
          break
        end
        socket.sleep(0.005)
      end
      assert(ok, message)
      if i % 1000 == 0 then
        socket.sleep(0.15) -- for another batch to be forbidden
      end
    end
    server:reset()
    assert.is_true(mp:flush(30))
    assert_balance(mp:stats())
    assert.equal(20000, mp:stats().delivered)
    mp:close()
  end)
end)
