-- What a client with a spool promises, process by process.
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local sandbox = require "spec.support.sandbox"
local socket = require "socket"

local interpreter = rawget(_G, "jit") and "luajit" or "lua5.4"

-- accepted + adopted = delivered + rejected + dropped + queued + in_flight + spooled
local function assert_balance(stats)
  local dropped = 0
  for _, n in pairs(stats.dropped) do
    dropped = dropped + n
  end
  assert.equal(
    stats.accepted + stats.adopted,
    stats.delivered + stats.rejected + dropped + stats.queued + stats.in_flight + stats.spooled
  )
end

local here = io.popen("pwd"):read "*l"
local cpath = (";" .. package.cpath):gsub(";%./", ";" .. here .. "/"):sub(2)

local function output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

describe("a client with a spool", function()
  local server, home, spool
  local made = 0

  setup(function()
    server = sandbox.start()
    home = os.tmpname()
    os.remove(home)
    assert(os.execute("mkdir -m 700 " .. home))
  end)

  teardown(function()
    server:stop()
    os.execute("rm -rf " .. home)
  end)

  before_each(function()
    server:reset()
    made = made + 1
    spool = home .. "/" .. made
  end)

  local function client(options)
    options = options or {}
    options.api_host = options.api_host or server.url
    options.max_retry_delay = options.max_retry_delay or 0.2
    options.spool = spool
    return mixpanel.new("projecttoken", options)
  end

  -- Runs Lua in another process; `mp` is a client there, `die()` kills it.
  local function run(options, code)
    local path = home .. "/program.lua"
    local file = assert(io.open(path, "w"))
    file:write(
      ("package.cpath = %q\n"):format(package.cpath),
      "local function die() os.execute 'kill -9 $PPID' end\n",
      "local mixpanel = require 'mixpanel'\n",
      ("local options = require('cjson').decode(%q)\n"):format(cjson.encode(options)),
      "local mp = mixpanel.new('projecttoken', options)\n",
      code
    )
    file:close()
    return output(interpreter .. " " .. path .. " 2>&1")
  end

  -- A process that tracks and is killed while it can reach nobody.
  local function crash(code, options)
    options = options or {}
    options.spool = spool
    options.api_host = options.api_host or server.url
    options.flush_interval = 3600
    run(options, code .. "\ndie()")
  end

  local function files(pattern)
    return output(("find %s -type f -name '%s' 2>/dev/null | sort"):format(spool, pattern))
  end

  local function wait(mp, done, what)
    local deadline = socket.gettime() + 20
    while not done(mp:stats()) do
      assert(socket.gettime() < deadline, what .. ": " .. cjson.encode(mp:stats()))
      socket.sleep(0.01)
    end
  end

  local function wait_empty(mp)
    wait(mp, function(s)
      return s.adopted > 0 and s.queued + s.in_flight + s.spooled == 0
    end, "adopted records did not end")
  end

  it("refuses options that make no sense", function()
    local function refused(message, options)
      local ok, err = pcall(mixpanel.new, "projecttoken", options)
      assert.is_false(ok)
      assert.truthy(tostring(err):find(message, 1, true), err)
    end
    refused("option 'spool': got 1, expected the path of a directory", { spool = 1 })
    refused("option 'spool': \"\" is no path", { spool = "" })
    refused("'durability' needs option 'spool'", { durability = "power" })
    refused("'sync_interval' needs option 'spool'", { sync_interval = 1 })
    refused("'spool_max_bytes' needs option 'spool'", { spool_max_bytes = 2 ^ 30 })
    refused('expected "process" or "power"', { spool = spool, durability = "memory" })
    refused("from 4194304", { spool = spool, spool_max_bytes = 1 })
    refused('transport = "manual"', { spool = spool, transport = "manual" })
    local mp = mixpanel.new("projecttoken", { api_host = server.url })
    assert.has_error(function()
      mp:set_config { durability = "power" }
    end)
    assert.has_error(function()
      mp:set_config { spool = spool }
    end)
    mp = client()
    assert.is_true(mp:set_config { durability = "power", spool_max_bytes = 2 ^ 30 })
    mp:close()
    assert.equal("", files "*") -- nothing was tracked
  end)

  it("takes a relative path from where it was made", function()
    local there = home .. "/elsewhere"
    os.execute("mkdir -p -m 700 " .. there)
    local path = home .. "/program2.lua"
    local file = assert(io.open(path, "w"))
    file:write(
      ("package.cpath = %q\nlocal mp = require('mixpanel').new('t', "):format(cpath),
      ("{ spool = 'rel', api_host = %q })\n"):format(server.url),
      "mp:track('E', { distinct_id = 'u' })\nos.execute 'kill -9 $PPID'\n"
    )
    file:close()
    output(("cd %s && %s %s 2>&1"):format(there, interpreter, path))
    assert.not_equal("", output(("find %s/rel -name '*.open'"):format(there)))
  end)

  it("leaves nothing behind when everything was delivered", function()
    local mp = client()
    for i = 1, 5000 do
      assert(mp:track("Step", { distinct_id = "u", n = i }))
    end
    assert.is_true(mp:flush(20))
    assert_balance(mp:stats())
    assert.equal(5000, mp:stats().delivered)
    assert.equal(0, mp:stats().spool_errors)
    assert.equal("", files "*.gz")
    mp:close()
    mp = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    local deadline = socket.gettime() + 10
    while output("ls -A " .. spool) ~= "" and socket.gettime() < deadline do
      socket.sleep(0.01)
    end
    assert.equal("", output("ls -A " .. spool))
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
        mp:flush(0.5)
        local start = s.gettime()
        print(select(3, mp:close()), s.gettime() - start < 0.25)
        local before = s.gettime()
        local old = getmetatable(mp).__gc
        mp = nil collectgarbage() collectgarbage()
        print(s.gettime() - before < 0.25)]]
      )
    end
    local start = socket.gettime()
    assert.equal("timeout\ttrue\ntrue\n", offline())
    assert.is_true(socket.gettime() - start < 3)
    local text = run(
      { spool = spool, api_host = "http://127.0.0.1:9", name = "n" },
      [[mp:flush(0) local s = require "socket"
      for _ = 1, 500 do if mp:stats().adopted > 0 then break end s.sleep(0.01) end
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
        if mp:stats().in_flight > 0 then break end
        require("socket").sleep(0.01)
      end
      require("socket").sleep(0.05)
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

  it("keeps the records of two projects apart, also when one is closed", function()
    local others = sandbox.start()
    local a = client()
    local b = mixpanel.new("othertoken", { api_host = others.url, spool = spool })
    server:script { status = 503 }
    for i = 1, 200 do
      assert(a:track("A", { distinct_id = "u", n = i }))
      assert(b:track("B", { distinct_id = "u", n = i }))
    end
    a:close(0)
    a = nil -- luacheck: ignore
    collectgarbage()
    assert.is_true(b:flush(10))
    crash [[for i = 1, 10 do mp:track("A", { distinct_id = "u", n = i }) end]]
    assert.equal(1, b:stats().foreign >= 1 and 1 or 0)
    b:flush(0)
    local again = client()
    again:flush(0)
    local deadline = socket.gettime() + 20
    while #server:records "/track" < 210 and socket.gettime() < deadline do
      socket.sleep(0.05)
    end
    for _, event in ipairs(server:records "/track") do
      assert.equal("A", event.event)
      assert.equal("projecttoken", event.properties.token)
    end
    for _, event in ipairs(others:records "/track") do
      assert.equal("B", event.event)
      assert.equal("othertoken", event.properties.token)
    end
    assert.equal(200, #others:records "/track")
    again:close()
    b:close()
    others:stop()
  end)

  it("goes on writing while other projects have every transfer under way", function()
    local silent = assert(socket.bind("127.0.0.1", 0, 64))
    local host = "http://127.0.0.1:" .. select(2, silent:getsockname())
    local text = run(
      { spool = spool, api_host = host, max_queue_bytes = 4 * 1024 * 1024, exit_timeout = 0 },
      ("local host = %q"):format(host)
        .. [[
      local others = {}
      for i = 1, 8 do
        local options = { api_host = host, max_batch_size = 1, exit_timeout = 0 }
        options.request_timeout = 300
        others[i] = mixpanel.new("token" .. i, options)
        for _ = 1, 5 do others[i]:track("E", { distinct_id = "u" }) end
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
        for _ = 1, 1000 do
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
    server:script { delay_ms = 500, times = 0 }
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

  it("appends what the API refuses to rejected.jsonl", function()
    local mp = client { events_via = "import" }
    server:script {
      status = 400,
      body = cjson.encode {
        code = 400,
        error = "some data points in the request failed validation",
        num_records_imported = 1,
        status = "Bad Request",
        failed_records = {
          { index = 1, ["$insert_id"] = "b", field = "properties.time", message = "is off" },
        },
      },
    }
    assert(mp:track("E", { distinct_id = "u", ["$insert_id"] = "a" }))
    assert(mp:track("E", { distinct_id = "u", ["$insert_id"] = "b" }))
    assert.is_true(mp:flush(10))
    local line
    local deadline = socket.gettime() + 10
    repeat
      line = output(("cat $(find %s -name rejected.jsonl) /dev/null"):format(spool))
      socket.sleep(0.01)
    until line ~= "" or socket.gettime() > deadline
    local kept = cjson.decode(line)
    assert.equal("b", kept.record.properties["$insert_id"])
    assert.equal("is off", kept.message)
    assert.equal("properties.time", kept.field)
    assert.equal(400, kept.status)
    mp:close()
  end)

  it("makes no system call for a record, but a wake-up for each segment", function()
    if interpreter ~= "lua5.4" then
      return -- once is enough for what strace shows
    end
    local program, trace = home .. "/calls.lua", home .. "/trace"
    local file = assert(io.open(program, "w"))
    file:write(
      ("package.cpath = %q\nlocal mp = require('mixpanel').new('t', "):format(package.cpath),
      ("{ spool = %q, api_host = 'http://127.0.0.1:9', max_retry_delay = 3600, "):format(spool),
      "flush_interval = 3600, exit_timeout = 0 })\n",
      [[
local sleep = require("socket").sleep
mp:track("E", { distinct_id = "u" })
sleep(0.5)
io.stderr:write "BEGIN\n"
for i = 1, 7999 do
  mp:track("E", { distinct_id = "u", n = i })
  if i % 1000 == 0 then
    sleep(0.2) -- for the sender to prepare the next segment
  end
end
io.stderr:write "END\n"
]]
    )
    file:close()
    output(("strace -f -o %s lua5.4 %s 2>&1"):format(trace, program))
    local main, calls, inside = nil, {}, false
    for line in io.lines(trace) do
      local pid, call = line:match "^(%d+) +(%w+)%("
      main = main or pid
      if pid == main then
        if line:find('"BEGIN', 1, true) then
          inside = true
        elseif line:find('"END', 1, true) then
          inside = false
        elseif inside then
          calls[call] = (calls[call] or 0) + 1
        end
      end
    end
    calls.clock_nanosleep, calls.nanosleep, calls.select, calls.pselect6 = nil, nil, nil, nil
    calls.futex = nil
    calls.brk, calls.mmap, calls.munmap = nil, nil, nil -- Lua's heap
    local wakes = (calls.sendto or 0) + (calls.write or 0)
    calls.sendto, calls.write = nil, nil
    assert.same({}, calls)
    assert.is_true(wakes <= 4, wakes .. " wake-ups")
  end)

  it("syncs what is open with durability = 'power'", function()
    if interpreter ~= "lua5.4" then
      return -- once is enough for what strace shows
    end
    local program = home .. "/power.lua"
    local file = assert(io.open(program, "w"))
    file:write(
      ("package.cpath = %q\nlocal mp = require('mixpanel').new('t', "):format(package.cpath),
      ("{ spool = %q, api_host = 'http://127.0.0.1:9', durability = 'power', "):format(spool),
      "sync_interval = 0.1, flush_interval = 60 })\n",
      "for i = 1, 3 do mp:track('E', { distinct_id = 'u' }) require('socket').sleep(0.3) end\n"
    )
    file:close()
    local trace =
      output(("strace -f -e trace=msync,fdatasync,fsync lua5.4 %s 2>&1"):format(program))
    local _, syncs = trace:gsub("msync%(", "")
    assert.is_true(syncs >= 3, trace)
    assert.truthy(trace:find "fdatasync%(") -- the sealed batch and its directory
  end)
end)
