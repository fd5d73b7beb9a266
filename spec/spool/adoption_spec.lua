-- What a process left in a spool, and the next one sends.
local assert_balance = require "spec.support.balance"
local socket = require "socket"
local spooled = require "spec.support.spooled"

describe("a client with a spool", function()
  local here = spooled()
  local client, run, crash, files, wait_empty =
    here.client, here.run, here.crash, here.files, here.wait_empty
  local server, spool

  before_each(function()
    server, spool = here.server, here.spool
  end)

  it("delivers what a killed process tracked, beside new events", function()
    crash [[for i = 1, 3000 do mp:track("Old", { distinct_id = "u", n = i }) end]]
    assert.not_equal("", files "*")
    local before = #server:records "/track"
    local mp = client()
    assert(mp:track("New", { distinct_id = "u" }))
    assert.is_true(mp:flush(10))
    assert.equal(1, mp:stats().accepted)
    wait_empty(mp)
    local stats = mp:stats()
    assert_balance(stats)
    assert.is_true(stats.adopted >= 1000 and stats.adopted + before >= 3000)
    local seen, new = {}, 0
    for _, event in ipairs(server:records "/track") do
      if event.event == "New" then
        new = new + 1
      else
        seen[event.properties.n] = true
      end
    end
    assert.equal(1, new)
    for i = 1, 3000 do
      assert.is_true(seen[i], "event " .. i)
    end
    mp:close()
  end)

  it("delivers what was left as soon as it flushes, and does not wait for it", function()
    crash [[mp:track("Old", { distinct_id = "u" })]]
    local mp = client()
    server:script { delay_ms = 300 }
    local start = socket.gettime()
    assert.is_true(mp:flush(10)) -- nothing of this process
    assert.is_true(socket.gettime() - start < 5)
    wait_empty(mp)
    assert.equal(1, #server:records "/track")
    mp:close()
  end)

  it("delivers what was left also as a script that tracks and ends", function()
    for i = 1, 5 do
      spool = here.spool .. "-" .. i
      here.spool = spool
      crash [[for i = 1, 10 do mp:track("Old", { distinct_id = "u", n = i }) end]]
      server:reset()
      run({ spool = spool, api_host = server.url }, [[mp:track("New", { distinct_id = "u" })]])
      assert.equal(11, #server:records "/track", "script " .. i)
      assert.equal("", files "*")
    end
  end)

  it("sends profiles that were left before newer ones, in order", function()
    crash [[for i = 1, 2500 do mp.people:set("u", "n", i) end]]
    crash [[for i = 2501, 2600 do mp.people:set("u", "n", i) end]]
    server:reset()
    local mp = client()
    for i = 2601, 2700 do
      assert(mp.people:set("u", "n", i))
    end
    assert.is_true(mp:flush(20))
    wait_empty(mp)
    local last = 0
    for _, update in ipairs(server:records "/engage") do
      assert.is_true(update["$set"].n > last)
      last = update["$set"].n
    end
    assert.equal(2700, last)
    mp:close()
  end)

  it("keeps what it cannot send, exits at once, and the next process sends it", function()
    local function offline()
      return run(
        { spool = spool, api_host = "http://127.0.0.1:9", name = "n" },
        [[
        for i = 1, 300 do mp:track("E", { distinct_id = "u", n = i }) end
        local s = require "socket"
        mp:flush(0)
        for _ = 1, 2000 do if mp:stats().last_error then break end s.sleep(0.01) end
        local start = s.gettime()
        print(select(3, mp:close()), s.gettime() - start < 0.25)
        local before = s.gettime()
        mp = nil collectgarbage() collectgarbage()
        local ended = s.gettime()
        print(ended - before < 0.25)
        print(ended)]]
      )
    end
    local expected, printed, seconds = "timeout\ttrue\ntrue\n", nil, nil
    for try = 1, 3 do -- on a loaded machine the best of three counts
      spool = here.spool .. "-" .. try
      local text = offline()
      local now = socket.gettime()
      local ended
      printed, ended = text:match "^(.*\n)([%d.]+)\n$"
      assert(ended, text)
      seconds = now - tonumber(ended)
      if printed == expected and seconds < 1 then
        break
      end
    end
    assert.equal(expected, printed)
    assert.is_true(seconds < 1, seconds) -- of 2, its exit_timeout
    local text = run(
      { spool = spool, api_host = "http://127.0.0.1:9", name = "n" },
      [[mp:flush(0) local s = require "socket"
      for _ = 1, 2000 do if mp:stats().adopted > 0 then break end s.sleep(0.01) end
      print(mp:stats().adopted)]]
    )
    assert.equal("300\n", text)
  end)

  it("tells doubtful increments from those that were never sent", function()
    -- Killed with a request under way: its reply never came.
    server:script { delay_ms = 3000, ingest = false }
    crash [[
      mp.people:increment("sent", "coins", 1)
      mp:flush(0)
      for _ = 1, 500 do
        local health = require("socket.http").request(options.api_host .. "/sandbox/health")
        if health:find '"requests":1' then break end
        require("socket").sleep(0.01)
      end
      mp.people:increment("unsent", "coins", 1)
      mp.people:set("unsent", "a", 1)]]
    server:reset()
    local mp = client { on_ambiguous = "report" }
    mp:flush(0)
    wait_empty(mp)
    local stats = mp:stats()
    assert.equal(3, stats.adopted)
    assert.equal(1, stats.rejected)
    assert.equal(2, stats.delivered)
    assert_balance(stats)
    for _, update in ipairs(server:records "/engage") do
      assert.equal("unsent", update["$distinct_id"])
    end
    local rejected
    for _, report in ipairs(mp:poll()) do
      rejected = report.outcome == "rejected" and report or rejected
    end
    assert.is_true(rejected.uncertain)
    mp:close()
  end)

  it("does not send an increment again that was taken, when the rest of its batch waits", function()
    -- The increment travels apart from the updates beside it and is taken;
    -- the process dies while those are under way.
    server:script { { delay_ms = 1 }, { delay_ms = 3000, ingest = false } }
    crash [[
      mp:set_config { on_ambiguous = "report" }
      mp.people:increment("u", "coins", 1)
      mp.people:set("u", "a", 1)
      mp:flush(0)
      for _ = 1, 500 do
        if mp:stats().delivered == 1 and mp:stats().in_flight == 1 then break end
        require("socket").sleep(0.01)
      end
      require("socket").sleep(0.05)]]
    local mp = client { on_ambiguous = "report" }
    mp:flush(0)
    wait_empty(mp)
    local taken = 0
    for _, update in ipairs(server:records "/engage") do
      taken = taken + (update["$add"] and 1 or 0)
    end
    assert.equal(1, taken)
    local stats = mp:stats()
    assert.same({ 2, 1, 1 }, { stats.adopted, stats.rejected, stats.delivered })
    assert_balance(stats)
    mp:close()
  end)

  it("drops what is older than max_age without reading it", function()
    crash [[for i = 1, 5 do mp:track("Old", { distinct_id = "u", n = i }) end]]
    local name = files "*.open"
    assert.not_equal("", name)
    for path in name:gmatch "%S+" do
      os.execute("touch -d '40 days ago' " .. path)
    end
    local mp = client()
    mp:flush(0)
    wait_empty(mp)
    assert.equal(5, mp:stats().dropped.expired)
    assert_balance(mp:stats())
    assert.equal(0, #server:records "/track")
    mp:close()
  end)

  it("reads back zero bytes, also in the names of properties", function()
    local code = [[
      mp:track("Plain", { distinct_id = "u" })
      mp:track("Odd", { distinct_id = "u", ["a\0b"] = "c\0", deep = { ["d\0"] = "\\u0000" } })
    ]]
    crash(code)
    server:script { status = 503, times = 0 }
    crash(code .. [[
      mp:flush(0) -- which seals it
      for _ = 1, 1000 do
        if mp:stats().retried > 0 then break end
        require("socket").sleep(0.01)
      end]])
    server:reset()
    assert.not_equal("", files "*.gz")
    local mp = client()
    mp:flush(0)
    wait_empty(mp)
    local stats = mp:stats()
    assert.same({ 4, 4, 0 }, { stats.adopted, stats.delivered, stats.quarantined })
    assert_balance(stats)
    local odd = 0
    for _, event in ipairs(server:records "/track") do
      local properties = event.properties
      if event.event == "Odd" then
        odd = odd + 1
        assert.same({ "c\0", { ["d\0"] = "\\u0000" } }, { properties["a\0b"], properties.deep })
      end
    end
    assert.equal(2, odd)
    mp:close()
  end)
end)
