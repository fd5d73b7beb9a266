-- spool_total_bytes: what all dead processes left is bounded; and what waits in
-- runs of others is counted.
local assert_balance = require "spec.support.balance"
local mixpanel = require "mixpanel"
local spooled = require "spec.support.spooled"

local MIB = 1024 * 1024

describe("all that dead processes left", function()
  local here = spooled()
  local client, run, crash, output, wait, wait_empty =
    here.client, here.run, here.crash, here.output, here.wait, here.wait_empty
  local server, spool

  before_each(function()
    server, spool = here.server, here.spool
  end)

  -- A process that leaves 90 events which can hardly be compressed, about half
  -- a megabyte as a batch. It finds nothing of those before it.
  local function crash_once(n)
    here.spool = ("%s-%d"):format(spool, n)
    crash(([[
      math.randomseed(%d)
      for i = 1, 90 do
        local noise = {}
        for k = 1, 1200 do noise[k] = ("%%08x"):format(math.random(0, 2 ^ 31 - 1)) end
        mp:track("Old", { distinct_id = "u", n = %d, noise = table.concat(noise) })
      end]]):format(n, n))
    local move = [[for project in %s/*; do
      mkdir -p %s/${project##*/} && mv $project/* %s/${project##*/}; done; rm -r %s]]
    assert(os.execute(move:format(here.spool, spool, spool, here.spool)))
    here.spool = spool
  end

  -- Bytes of batches and open segments.
  local function on_disk()
    local command = [[find %s -name '*.v1.*' ! -name '*.new' -printf '%%b\n']]
    local blocks = 0
    for n in output(command:format(spool)):gmatch "%d+" do
      blocks = blocks + tonumber(n)
    end
    return blocks * 512
  end

  -- How many events of each process arrived.
  local function delivered()
    local counts = {}
    for _, event in ipairs(server:records "/track") do
      local n = event.properties.n
      counts[n] = (counts[n] or 0) + 1
    end
    return counts
  end

  it("is bounded: of a crash loop the newest stays and is delivered", function()
    local crashes = 12
    for n = 1, crashes do
      crash_once(n)
    end
    assert.is_true(on_disk() > 11 * MIB)
    server:script { status = 503, times = 0 }
    local mp = client { spool_max_bytes = 4 * MIB, spool_total_bytes = 5 * MIB }
    mp:flush(0)
    local reported = 0
    wait(mp, function(s)
      for _, report in ipairs(mp:poll()) do
        if (report.message or ""):find("spool_total_bytes", 1, true) then
          assert.equal("dropped", report.outcome)
          reported = reported + report.count
        end
      end
      return s.dropped.evicted > 0 and s.dropped.evicted == reported
    end, "nothing was evicted and reported")
    assert.is_true(on_disk() < 5 * MIB + 6 * 1.2 * MIB) -- its own segments
    assert_balance(mp:stats())
    server:reset()
    mp:flush(0)
    wait(mp, function(s)
      return s.adopted == 90 * crashes and s.queued + s.in_flight + s.spooled == 0
    end, "the rest was not delivered")
    local stats = assert_balance(mp:stats())
    assert.equal(reported, stats.dropped.evicted)
    assert.equal(90 * crashes - reported, stats.delivered)
    -- What was in memory when the rest was looked at stays; behind that those
    -- that went are the oldest.
    local counts, last = delivered(), 0
    for n = 1, crashes do
      if not counts[n] then
        last = n
      end
    end
    local first = 1
    while counts[first] do
      first = first + 1
    end
    assert.is_true(first <= 5 and last < crashes - 3, first .. " to " .. last)
    for n = 1, crashes do
      assert.equal((n < first or n > last) and 90 or nil, counts[n])
    end
    assert.equal(90 * (last - first + 1), reported)
    mp:close()
  end)

  it("stays whole while it is not too much", function()
    for n = 101, 104 do
      crash_once(n)
    end
    local mp = client { spool_max_bytes = 4 * MIB, spool_total_bytes = 5 * MIB }
    mp:flush(0)
    wait_empty(mp)
    local stats = assert_balance(mp:stats())
    assert.same({ 0, 360, 360 }, { stats.dropped.evicted, stats.adopted, stats.delivered })
    local counts = delivered()
    for n = 101, 104 do
      assert.equal(90, counts[n])
    end
    mp:close()
  end)

  it("does not count what a living process has, which is told apart", function()
    server:script { status = 503, times = 0 }
    local mp = client { flush_interval = 3600 }
    for i = 1, 10 do
      mp:track("New", { distinct_id = "u", n = i })
    end
    mp:flush(0) -- all at once, so they are sealed into one file
    wait(mp, function()
      return here.files "*.json.gz" ~= ""
    end, "nothing was sealed")
    local text = run(
      { spool = spool, api_host = server.url, spool_max_bytes = 4 * MIB, exit_timeout = 0 },
      [[
      mp:flush(0)
      local s = require "socket"
      for _ = 1, 1000 do
        if mp:stats().elsewhere_runs > 0 then break end
        s.sleep(0.01)
      end
      local stats = mp:stats()
      print(stats.elsewhere_runs, stats.elsewhere_files, stats.elsewhere_bytes,
        stats.adopted, stats.dropped.evicted)]]
    )
    assert.equal("1\t1\t4096\t0\t0\n", text)
    server:reset()
    assert.is_true(mp:flush(10))
    assert.equal(10, mp:stats().delivered)
    assert.equal(0, mp:stats().elsewhere_runs)
    mp:close()
  end)

  it("is not touched where another process adopted it", function()
    server:script { status = 503, times = 0 }
    for n = 1, 8 do
      crash_once(n)
    end
    local mp = client() -- takes all of it
    mp:flush(0)
    wait(mp, function(s)
      return s.adopted == 720
    end, "it was not adopted")
    local text = run(
      {
        spool = spool,
        api_host = server.url,
        spool_max_bytes = 4 * MIB,
        spool_total_bytes = 4 * MIB,
        exit_timeout = 0,
      },
      [[
      mp:flush(0)
      local s = require "socket"
      for _ = 1, 1000 do
        if mp:stats().elsewhere_runs > 0 then break end
        s.sleep(0.01)
      end
      local stats = mp:stats()
      print(stats.elsewhere_runs, stats.elsewhere_files, stats.dropped.evicted)]]
    )
    assert.equal("8\t8\t0\n", text)
    server:reset()
    mp:flush(0)
    wait_empty(mp)
    assert.equal(720, assert_balance(mp:stats()).delivered)
    mp:close()
  end)
end)

describe("option spool_total_bytes", function()
  local function refused(options, message)
    options.spool = options.spool == nil and "/tmp/none" or options.spool or nil
    local ok, why = pcall(mixpanel.new, "projecttoken", options)
    assert.is_false(ok)
    assert.truthy(why:find(message, 1, true), why)
  end

  it("is a number of bytes", function()
    local expected = "expected an integer from 4194304 to 4398046511104"
    for _, value in ipairs { 0, -1, 4194303, 4194304.5, 2 ^ 42 + 1, 1 / 0, "5", true } do
      refused({ spool_total_bytes = value }, "option 'spool_total_bytes': ")
    end
    refused({ spool_total_bytes = 0 }, expected)
  end)

  it("is at least spool_max_bytes, which the message names", function()
    refused(
      { spool_total_bytes = 4194304 },
      "option 'spool_total_bytes': got 4194304, expected at least spool_max_bytes, "
        .. "which is 268435456"
    )
    refused(
      { spool_total_bytes = 5000000, spool_max_bytes = 5000001 },
      "got 5000000, expected at least spool_max_bytes, which is 5000001"
    )
  end)

  it("needs a spool", function()
    refused({ spool = false, spool_total_bytes = 2 ^ 30 }, "needs option 'spool'")
  end)

  it("may be changed, and may be huge", function()
    local path = os.tmpname()
    os.remove(path)
    local mp = mixpanel.new("projecttoken", {
      spool = path,
      spool_max_bytes = 4194304,
      spool_total_bytes = 4194304,
      name = "total",
    })
    assert.is_true(mp:set_config { spool_total_bytes = 2 ^ 42 })
    assert.is_true(mp:set_config { spool_max_bytes = 2 ^ 40 })
    assert.is_true(mp:set_config { spool_total_bytes = 4194304 }) -- the greater counts
    local ok, why = pcall(mp.set_config, mp, {
      spool_max_bytes = 2 ^ 30,
      spool_total_bytes = 2 ^ 30 - 1,
    })
    assert.is_false(ok)
    assert.truthy(why:find("expected at least spool_max_bytes, which is 1073741824", 1, true))
    mp:close()
  end)
end)
