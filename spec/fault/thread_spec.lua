-- A host that may start no thread, or open no more files: it learns why
-- nothing is sent and what to do, and once it may, what waited is sent.
local cjson = require "cjson"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"

-- Root is exempt from the limit of processes.
local NOBODY = "setpriv --reuid=65534 --clear-groups --regid=65534 "
local NO_THREADS = NOBODY .. "prlimit --nproc=0:10000 "

local THREADS = "the sending thread cannot be started: Resource temporarily unavailable; "
  .. "let the host have more threads (ulimit -u, pids.max of its cgroup), "
  .. 'or use transport = "manual"'
local DISK = THREADS:gsub("sending", "disk")
local FILES = "the sending thread cannot be started: Too many open files; "
  .. "let the host have more open files (ulimit -n)"

-- What programs begin with. `show` prints a line of JSON, nil as null.
local HEAD = [[
  local cjson = require "cjson"
  local socket = require "socket"
  local function show(...)
    local list = { ... }
    for i = 1, select("#", ...) do
      list[i] = list[i] == nil and cjson.null or list[i]
    end
    print(cjson.encode(list))
    io.stdout:flush()
  end
  local function track(mp)
    return mp:track("A", { distinct_id = "u" })
  end
  local mixpanel = require "mixpanel"
  local mp_url = %q
  local mp = mixpanel.new("projecttoken", { api_host = mp_url, exit_timeout = 0 })
]]

describe("a host", function()
  local server, program

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  after_each(function()
    os.remove(program)
  end)

  -- The lines that the program prints, each decoded.
  local function run(prefix, text)
    program = script.write(HEAD:format(server.url) .. text)
    process.run("chmod 644 " .. program)
    local lines = {}
    local output = process.read("timeout 60 " .. prefix .. script.interpreter .. " " .. program)
    for line in output:gmatch "[^\n]+" do
      lines[#lines + 1] = cjson.decode(line)
    end
    return lines
  end

  it("that may start no thread is told once, whatever it calls", function()
    local lines = run(
      NO_THREADS,
      [[
      for _ = 1, 100 do
        assert(track(mp))
      end
      local reports = mp:poll()
      show(#reports, reports[1].outcome, reports[1].message, reports[1].count)
      show(mp:stats().last_error, mp:stats().last_error_age < 10, mp:stats().queued)
      show(mp:flush(10))
      show(mp:check(10))
      show(mp:close(10))
      show(#mp:poll())
    ]]
    )
    assert.same({
      { 1, "paused", THREADS, 1 },
      { THREADS, true, 100 },
      { cjson.null, THREADS, "thread" },
      { cjson.null, THREADS, "thread" },
      { cjson.null, THREADS, "thread" },
      { 0 },
    }, lines)
  end)

  -- Runs a program that may start no thread, until it printed `first`; from
  -- then on it may. What it printed.
  local function run_until(first, text)
    local printed = os.tmpname()
    program = script.write(HEAD:format(server.url) .. text)
    process.run("chmod 644 " .. program)
    local command = NO_THREADS .. script.interpreter .. " " .. program
    local pid = tonumber(process.read(("%s >%s 2>&1 & echo $!"):format(command, printed)))
    process.wait_for(function()
      return process.slurp(printed) == first
    end, first)
    process.run(NOBODY .. ("prlimit --pid %d --nproc=10000"):format(pid))
    process.wait_gone({ pid }, 40)
    local all = process.slurp(printed)
    os.remove(printed)
    return all
  end

  it("that may start threads again delivers what waited", function()
    local printed = run_until(
      "[true]\n",
      [[
      local deadline = socket.gettime() + 30
      track(mp)
      show(mp:stats().last_error ~= nil)
      repeat
        socket.sleep(0.05)
        track(mp) -- tries again, at most once a second
      until mp:stats().delivered > 0 or socket.gettime() > deadline
      show(mp:flush(10))
      show(mp:stats().delivered == mp:stats().accepted, #mp:poll())
    ]]
    )
    assert.equal("[true]\n[true]\n[true,1]\n", printed)
  end)

  it("whose queue is full by then delivers all the same", function()
    local printed = run_until(
      '["queue_full"]\n',
      [[
      mp:set_config { max_queue_bytes = 65536 }
      local code
      repeat
        code = select(3, track(mp))
      until code
      show(code)
      local deadline = socket.gettime() + 30
      repeat
        socket.sleep(0.05)
        track(mp)
      until mp:stats().delivered > 0 or socket.gettime() > deadline
      show(mp:stats().delivered > 0)
    ]]
    )
    assert.equal('["queue_full"]\n[true]\n', printed)
  end)

  it("that may start one thread sends what needs no disk, and is told of the rest", function()
    -- A user that runs nothing else, or the limit would count that too.
    local prefix = NOBODY:gsub("65534", "64321") .. "prlimit --nproc=2:10000 "
    local lines = run(
      prefix,
      [[
      local home = os.tmpname()
      os.remove(home)
      local kept = mixpanel.new("kept", { api_host = mp_url, spool = home, exit_timeout = 0 })
      for _ = 1, 100 do
        assert(track(kept))
      end
      local reports = kept:poll()
      show(#reports, reports[1].outcome, reports[1].message)
      show(kept:flush(10))
      local me = mp:user { state = home .. ".json" }
      me:track "A"
      show(me:save(10))
      show(mp:flush(10), mp:stats().delivered)
      kept:close(0)
      os.execute("rm -rf " .. home)
    ]]
    )
    assert.same({
      { 1, "paused", DISK },
      { cjson.null, DISK, "thread" },
      { cjson.null, DISK, "thread" },
      { true, 1 },
    }, lines)
  end)

  -- Files that take all descriptors there are.
  local EXHAUST = [[
    local files = {}
    local function exhaust()
      repeat
        files[#files + 1] = io.open "/dev/null"
      until not files[#files + 1] and not io.open "/dev/null"
    end
    local function give_back()
      for _, file in ipairs(files) do
        file:close()
      end
    end
  ]]

  it("out of descriptors is told so, and delivers when it has some", function()
    local lines = run("prlimit --nofile=32 ", EXHAUST .. [[
      exhaust()
      track(mp)
      local reports = mp:poll()
      show(reports[1].outcome, reports[1].message)
      show(mp:flush(10))
      give_back()
      show(mp:flush(10))
    ]])
    assert.same({
      { "paused", FILES },
      { cjson.null, FILES, "thread" },
      { true },
    }, lines)
  end)

  it("that runs out of descriptors later is told so with the failure", function()
    local lines = run("prlimit --nofile=64 ", EXHAUST .. [[
      track(mp)
      show(mp:flush(10))
      for _, host in ipairs { "http://127.0.0.2:9", "http://localhost:9" } do
        local other = mixpanel.new("projecttoken", { api_host = host, exit_timeout = 0 })
        exhaust()
        track(other)
        other:flush(0.5)
        show(other:stats().last_error)
        give_back()
        files = {}
      end
    ]])
    assert.same({ true }, lines[1])
    for i = 2, 3 do
      assert.matches("^Too many open files %(ulimit %-n%): ", lines[i][1])
    end
  end)
end)
