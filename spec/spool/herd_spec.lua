-- Many processes start at once on what many dead ones left, and share it: each
-- batch is adopted by one of them, updates of one profile arrive in order, and
-- what one that is killed had adopted is for the others. Some fork meanwhile.
--
-- SPOOL_HERD says how many batch files the dead ones left, 200000 for instance, on
-- which 32 processes start then; each takes a block of the disk.
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"
local socket = require "socket"

local files = tonumber(os.getenv "SPOOL_HERD")
local dead = 40
local records = 6 -- of each dead process, of three events and an update each
if files then -- of one event, in a file each; see has_update
  records = math.floor(files / dead / 1.025)
end
local processes = files and 32 or 8
local kills = files and 48 or 12
local spread = files and 4 or 0.1 -- seconds between two of them, at most
local room = (files and 256 or 4) * 1024 * 1024 -- spool_max_bytes
local delay_ms = files and 0 or 30 -- of a reply
local pause = files and 5 or 0 -- seconds between two programs that a process runs
local patience = files and 1800 or 60 -- seconds for everything

-- Every fourth leaves updates of one profile too.
local function has_update(run, i)
  return run % 4 == 0 and (not files or i % 10 == 0)
end

-- The number of a record, by its process, its place and which of its events it is.
local function number(run, i, k)
  return (run * 100000 + i) * 10 + k
end

-- Leaves records and dies. The server refuses to take any.
local leave_code = [[
local first, records, updates = tonumber(arg[1]), tonumber(arg[2]), arg[3] == "true"
local sealed = tonumber(arg[4]) -- waits for so many requests, whose batches are in files then
options.flush_interval = 3600
options.max_retry_delay = 3600
local mp = require("mixpanel").new("projecttoken", options)
local pad = ("x"):rep(1000)
for n = first, first + 10 * (records - 1), 10 do
  for k = 1, 3 do
    mp:track("Old", { distinct_id = "u", n = n + k, pad = pad })
  end
  if updates then mp.people:set("u", "n", n) end
  mp:flush(0.002)
end
for _ = 1, 500 do
  if mp:stats().requests >= sealed then break end
  socket.sleep(0.01)
end
os.execute "kill -9 $PPID"
]]

-- Begins when a file appears, and ends when no record is left in the spool. Once
-- it has adopted something, one that forks leaves two children: one ends at
-- once, the other tracks.
local adopt_code = [[
local posix = require "spec_posix"
io.stdout:setvbuf "no" -- or a child writes what the parent had in its buffer
local mp = require("mixpanel").new("projecttoken", options)
local home, forks = arg[1], arg[2] == "true"
while not io.open(home .. "/go") do socket.sleep(0.005) end
mp:flush(0)

local function fork()
  if posix.fork() == 0 then posix.quit(0) end
  local number = posix.pid()
  if posix.fork() == 0 then
    for i = 1, 5 do assert(mp:track("Child", { distinct_id = "u", n = -(number * 10 + i) })) end
    assert(mp:stats().adopted == 0, "a child has what its parent adopted")
    os.exit(mp:flush(20) and mp:close(20) and 0 or 1)
  end
end

-- Runs whose lock it has.
local function held()
  local pipe = io.popen(("ls -l /proc/%d/fd 2>/dev/null"):format(posix.pid()))
  local seen, n = {}, 0
  for run in pipe:read("*a"):gmatch(options.spool:gsub("%p", "%%%0") .. "/%x+/(%x+)") do
    n = n + (seen[run] and 0 or 1)
    seen[run] = true
  end
  pipe:close()
  return n
end

local deadline, looked = socket.gettime() + patience, 0
local most_bytes, most_runs, none = 0, 0, false
repeat
  socket.sleep(0.01)
  local s = mp:stats()
  most_bytes = math.max(most_bytes, s.spooled_bytes)
  if forks and s.adopted > 0 then
    forks = false
    fork()
  end
  if socket.gettime() >= looked + pause then
    looked = socket.gettime()
    most_runs = math.max(most_runs, held())
    -- It complains of folders that others remove meanwhile.
    local find = ("find %s -name '*.v1.*' -print -quit 2>/dev/null"):format(options.spool)
    local found = s.queued + s.in_flight + s.spooled == 0 and io.popen(find)
    none = found and found:read "*a" == ""
    if found then found:close() end
  end
until none or socket.gettime() > deadline
local child, wrong = nil, 0
repeat
  local status
  child, status = posix.wait()
  wrong = wrong + (child and status ~= 0 and 1 or 0)
until not child
local s = mp:stats()
print(s.adopted, s.delivered, s.spool_errors, s.dropped.evicted, most_bytes, most_runs, wrong)
]]

describe("many processes on the runs of many dead", function()
  local server, home, started
  local began, first -- when all may begin; seconds from then to the first delivery

  setup(function()
    server = sandbox.start()
    math.randomseed(4711)
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
    started = {}
    home = os.tmpname()
    os.remove(home)
    process.run("mkdir -m 700 " .. home)
  end)

  after_each(function()
    for _, one in ipairs(started) do
      if process.alive(one.pid) then
        process.signal(one.pid, "KILL")
      end
    end
    process.run("rm -rf " .. home)
  end)

  -- Writes a program; returns the command that runs it.
  local function write(name, code)
    local path = home .. "/" .. name
    local file = assert(io.open(path, "w"))
    file:write(
      ("package.cpath = %q\n"):format(script.cpath_of(_VERSION:match "%d%.%d") .. package.cpath),
      "local socket = require 'socket'\n",
      ("local options = { spool = %q, api_host = %q }\n"):format(home .. "/spool", server.url),
      ("options.spool_max_bytes, options.max_retry_delay = %d, 0.2\n"):format(room),
      ("local pause, patience = %g, %d\n"):format(pause, patience),
      code
    )
    file:close()
    return script.interpreter .. " " .. path
  end

  -- The first record that a dead process left.
  local function first_record(path, lane)
    local list = process.read(("ls %s/*/%s-*.gz 2>/dev/null"):format(path, lane))
    local text = process.read(("zcat %s | head -n 1"):format(list:match "[^\n]+"))
    return assert(text:match "^%[(.-),?%]?$", text)
  end

  -- Writes a batch of one record, as the process of the run that has the directory
  -- would have.
  local function write_batch(path, lane, record, n, seq)
    local text = record
      :gsub('"n":%d+', ('"n":%d'):format(n))
      :gsub('"pad":"x*', '"pad":"' .. ("x"):rep(n % 997)) -- or the sandbox's hashes are equal
      :gsub('("%$insert_id":")[^"]*', ("%%1%d"):format(n))
    local file = assert(
      io.open(
        ("%s/%s-%s-%012d-1-0-0-%d000.v1.json"):format(
          path,
          lane,
          path:match "[^/]+$",
          seq,
          os.time()
        ),
        "w"
      )
    )
    file:write("[", text, "]")
    file:close()
  end

  -- Puts many batches in place of what the dead processes left, which have these
  -- directories.
  local function multiply(paths)
    local parent = paths[1]:match "^(.*)/"
    local event, update = first_record(parent, "events"), first_record(parent, "people")
    process.run(("find %s -name '*.v1.*' -delete"):format(parent))
    for run, path in ipairs(paths) do
      for i = 0, records - 1 do
        write_batch(path, "events", event, number(run, i, 1), 2 * i + 1)
        if has_update(run, i) then
          write_batch(path, "people", update, number(run, i, 0), 2 * i + 2)
        end
      end
    end
    -- One program for very many of them.
    process.run(("find %s -name '*.json' -print0 | xargs -0 gzip -1n"):format(parent))
  end

  local function leave()
    local command = write("leave.lua", leave_code)
    server:script { status = 503, times = 0, forget = true }
    for run = 1, dead do
      os.execute(
        ("%s %d %d %s %d >/dev/null 2>&1"):format(
          command,
          number(run, 0, 0),
          math.min(records, 6),
          has_update(run, 0),
          not files and 0 or has_update(run, 0) and 2 or 1
        )
      )
    end
    local list = process.read(("ls -d %s/spool/*/????????????????"):format(home))
    local paths = {} -- in the order of their beginnings
    for path in list:gmatch "[^\n]+" do
      paths[#paths + 1] = path
    end
    assert.equal(dead, #paths)
    if files then
      multiply(paths)
    end
    server:reset()
  end

  local function start_one(command, forks)
    local output = ("%s/out%d"):format(home, #started + 1)
    local line = ("%s %s %s >%s 2>&1 & echo $!"):format(command, home, forks, output)
    started[#started + 1] = { pid = tonumber(process.read(line)), output = output }
  end

  -- Every second forks.
  local function start()
    local command = write("adopt.lua", adopt_code)
    for i = 1, processes do
      start_one(command, i % 2 == 0)
    end
    socket.sleep(processes / 16)
    assert(io.open(home .. "/go", "w")):close()
    began = socket.gettime()
    server:wait(1)
    first = socket.gettime() - began
    return command
  end

  -- How often each event arrived, by `n`; and how many of them children tracked.
  local function count_events()
    local times, own = {}, 0
    for _, event in ipairs(server:records "/track") do
      local n = event.properties.n
      times[n] = (times[n] or 0) + 1
      own = own + (event.event == "Child" and times[n] == 1 and 1 or 0)
    end
    return times, own
  end

  -- The same for updates, each of which came first behind all before it.
  local function count_updates()
    local times, last = {}, 0
    for _, update in ipairs(server:records "/engage") do
      local n = update["$set"].n
      if not times[n] then
        assert.is_true(n > last, ("%d came after %d"):format(n, last))
        last = n
      end
      times[n] = (times[n] or 0) + 1
    end
    return times
  end

  -- Everything arrived; returns how many records there were, how many arrived
  -- again, and how many children tracked.
  local function check_arrived()
    local events, own = count_events()
    local updates = count_updates()
    local all = 0
    for run = 1, dead do
      for i = 0, records - 1 do
        local n = files and 1 or 3
        for k = 1, n do
          assert(events[number(run, i, k)], "an event is missing")
        end
        local update = updates[number(run, i, 0)] ~= nil
        assert(update == has_update(run, i), "an update")
        all = all + n + (update and 1 or 0)
      end
    end
    local again = 0
    for _, times in ipairs { events, updates } do
      for _, n in pairs(times) do
        again = again + n - 1
      end
    end
    assert.equal("", process.read(("find %s/spool -type f"):format(home)))
    return all, again, own
  end

  -- What those say that were not killed: how many adopted something, and how
  -- much all of them did.
  local function check_processes()
    local adopters, sum = 0, 0
    for _, one in ipairs(started) do
      local text = not one.killed and process.slurp(one.output)
      if text then
        local adopted, bytes, runs = text:match "^(%d+)\t%1\t0\t0\t(%d+)\t(%d+)\t0\n$"
        assert(adopted, text) -- and delivered as much, and nothing else happened
        assert.is_true(tonumber(bytes) <= room / 2, text)
        assert.is_true(tonumber(runs) <= 65, text) -- one is its own
        adopters = adopters + (adopted ~= "0" and 1 or 0)
        sum = sum + tonumber(adopted)
      end
    end
    return adopters, sum
  end

  local function wait_end()
    local pids = {}
    for _, one in ipairs(started) do
      pids[#pids + 1] = not one.killed and one.pid or nil
    end
    process.wait_gone(pids, patience + 30)
  end

  it("share it: each record arrives once, the updates of an id in order", function()
    leave()
    server:script { delay_ms = delay_ms, times = 0 }
    start()
    wait_end()
    local took = socket.gettime() - began
    local all, again, own = check_arrived()
    local adopters, sum = check_processes()
    assert.same({ all, 0 }, { sum, again })
    assert.is_true(adopters >= 2, adopters .. " adopted")
    assert.is_true(own > 0 and own % 5 == 0, own .. " events of children")
    print(
      ("# %d adopters, %d events of children; "):format(adopters, own),
      ("%d records, the first after %.2f s, all after %.1f s"):format(all, first, took)
    )
  end)

  it("lose nothing when any of them is killed at any time", function()
    leave()
    server:script { delay_ms = delay_ms, times = 0 }
    local command = start()
    for _ = 1, kills do
      socket.sleep(math.random() * spread)
      local alive = {}
      for _, one in ipairs(started) do
        alive[#alive + 1] = process.alive(one.pid) and one or nil
      end
      if #alive > 0 then
        local one = alive[math.random(#alive)]
        one.killed = true
        os.execute(("kill -9 %d 2>/dev/null"):format(one.pid))
      end
      start_one(command, math.random(2) == 1)
    end
    wait_end()
    local _, again = check_arrived()
    local adopters = check_processes()
    print(("# %d kills, %d adopters that lived, %d records twice"):format(kills, adopters, again))
  end)
end)
