-- File systems that are taken away while a process has its spool on them, as by a
-- loss of power, and come back: what reached the disk is delivered, and the process
-- lives through it or docs/spool.md says that it does not. Needs root, mounts and
-- the mkfs of each; what lacks one is skipped.
local cjson = require "cjson"
local loop_disk = require "spec.support.loop_disk"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"
local socket = require "socket"

local INTERVAL = 0.2 -- sync_interval
local SLACK = 3 -- seconds that a sync may take, when the machine is busy
local SIGBUS = 128 + 7
local FIRST = 400 -- records, of which some are sent before the file system goes

local HEAD = [[
local home, options = arg[1], require("cjson").decode(arg[2])
local socket = require "socket"
local mp = require("mixpanel").new("projecttoken", options)
local function exists(name)
  local file = io.open(home .. "/" .. name)
  return file ~= nil and file:close()
end
]]

-- Tracks until half a second after the file system went; writes when each record
-- was acknowledged. Every fifth is an $add, each to an id of its own. With "all" as
-- the third argument it waits until everything was taken.
local TRACK = HEAD
  .. ("local FIRST = %d\n"):format(FIRST)
  .. [[
local acks = io.open(home .. "/acks", "w")
acks:setvbuf "no"
local n, down = 0, nil
local holder = io.open(home .. "/held"):read "*l" -- ends with the specs
local alone = false
local pad = ("x"):rep(200)
repeat
  n = n + 1
  local id = tostring(n)
  local ok
  if n % 5 == 0 then
    ok = mp.people:increment(id, "n")
  else
    ok = mp:track("E", { distinct_id = "u", n = n, ["$insert_id"] = id, pad = pad })
  end
  local now = socket.gettime()
  if ok then acks:write(("%d %.6f\n"):format(n, now)) end
  if n <= FIRST and n % 50 == 0 then mp:flush(0) end
  socket.sleep(0.001)
  down = down or exists "down" and now
  if n % 100 == 0 then
    local stat = io.open("/proc/" .. holder .. "/stat")
    alone = not (stat and stat:close())
  end
until down and now > down + 0.5 or alone
local flushed = arg[3] == "all" and mp:flush(10)
io.open(home .. "/lived", "w"):write(require("cjson").encode {
  flushed = flushed, stats = mp:stats() }):close()
os.execute "kill -9 $PPID"
]]

-- Delivers what it finds.
local ADOPT = HEAD
  .. [[
mp:flush(0)
local deadline = socket.gettime() + 20
repeat
  socket.sleep(0.02)
  local s = mp:stats()
  local found = io.popen("find " .. options.spool .. " -name '*.v1.*' ! -name '*.new' 2>/dev/null")
  local none = found:read "*a" == ""
  found:close()
until s.adopted > 0 and s.queued + s.in_flight + s.spooled == 0 and none
  or socket.gettime() > deadline
local said = {}
for _, report in ipairs(mp:poll()) do
  if report.outcome == "spool" then said[#said + 1] = report.message end
end
print(require("cjson").encode { stats = mp:stats(), said = table.concat(said, "; ") })
]]

describe("a spool whose file system goes", function()
  local server, disk

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
    disk = nil
  end)

  after_each(function()
    if disk then
      disk:remove()
    end
  end)

  local skipped = {}

  local function skip(kind, why)
    local line = ("SKIPPED: a spool on %s: %s\n"):format(kind.name, why)
    if not skipped[line] then
      io.stderr:write(line)
    end
    skipped[line] = true
  end

  local function make(kind)
    local why, made
    disk, why = loop_disk.new()
    if disk then
      made, why = disk:make(kind)
    end
    if not made then
      skip(kind, why)
    end
    return made
  end

  -- A command that runs the program with a spool on the disk.
  local function command_of(name, text, options, more)
    local path = disk.home .. "/" .. name
    local cpath = script.cpath_of(_VERSION:match "%d%.%d"):gsub("%./", process.read "pwd" .. "/")
    local file = assert(io.open(path, "w"))
    file:write(("package.cpath = %q .. package.cpath\n"):format(cpath), text)
    file:close()
    options.spool, options.api_host = disk.spool, server.url
    options.max_retry_delay, options.on_ambiguous = 0.1, "report"
    return ("%s %s %s '%s' %s"):format(
      script.interpreter,
      path,
      disk.home,
      cjson.encode(options),
      more or ""
    )
  end

  local function touch(name)
    assert(io.open(disk.home .. "/" .. name, "w")):close()
  end

  -- Adds to `times` how often each record arrived, by its number.
  local function count(times)
    for _, event in ipairs(server:records "/track") do
      local n = event.properties.n
      times[n] = (times[n] or 0) + 1
    end
    for _, update in ipairs(server:records "/engage") do
      local n = tonumber(update["$distinct_id"])
      times[n] = (times[n] or 0) + 1
    end
    return times
  end

  -- Waits until the first records were acknowledged.
  local function wait_first()
    process.wait_for(function()
      return (process.slurp(disk.home .. "/acks") or ""):find(("\n%d "):format(FIRST), 1, true)
    end, "the first records")
  end

  -- Tracks on the disk, takes it away, lets the process end, and brings it back.
  -- Returns what the process said at its end, false if it died of SIGBUS, nil if
  -- the disk cannot be taken away; and when it went. `middle` is called before.
  local function lose(kind, options, middle, more)
    local code = command_of("track.lua", TRACK, options, more)
    local ended = disk.home .. "/ended"
    local line = "{ %s >%s/printed 2>&1; echo $? >%s; } >/dev/null 2>&1 &"
    disk:must(line:format(code, disk.home, ended))
    wait_first()
    middle()
    local at = socket.gettime()
    local shut, why = disk:shut()
    touch "down"
    process.wait_for(function()
      return (process.slurp(ended) or ""):find "\n"
    end, "the end of the process", 40)
    if not shut then
      return skip(kind, why)
    end
    disk:remount()
    local said = process.slurp(disk.home .. "/lived")
    local status = tonumber(process.slurp(ended))
    assert(said or status == SIGBUS, status .. process.slurp(disk.home .. "/printed"))
    print(("# %s: the process %s"):format(kind.name, said and "lives" or "ends by SIGBUS"))
    -- See docs/spool.md, "Copy-on-write and network file systems".
    assert(said or (kind.name == "XFS" and not options.spool_io), "SIGBUS")
    return said and cjson.decode(said) or false, at
  end

  -- Delivers what the next process finds; returns its statistics.
  local function adopt(options)
    local told = cjson.decode(disk:must(command_of("adopt.lua", ADOPT, options)))
    local stats = told.stats
    -- Of each of both kinds one that was torn behind what was synced, which is said.
    assert.is_true(stats.quarantined <= 2, told.said)
    assert.equal(stats.quarantined, stats.spool_errors, told.said)
    assert.equal(0, stats.queued + stats.in_flight + stats.spooled)
    return stats
  end

  -- Of the records that were acknowledged before then: all events arrived, and all
  -- updates but for so many.
  local function check_arrived(times, before, in_doubt)
    local seen, lost, lost_updates = 0, {}, 0
    for n, at in process.slurp(disk.home .. "/acks"):gmatch "(%d+) (%S+)\n" do
      n = tonumber(n)
      if tonumber(at) < before then
        seen = seen + 1
        if not times[n] and n % 5 == 0 then
          lost_updates = lost_updates + 1
        elseif not times[n] then
          lost[#lost + 1] = n
        end
      end
    end
    assert.same({}, lost)
    assert.is_true(lost_updates <= in_doubt, lost_updates .. " updates")
    assert.is_true(seen >= FIRST, seen .. " records")
  end

  local function check_once(times)
    for n, k in pairs(times) do
      assert.is_true(n % 5 > 0 or k == 1, n .. " was added twice")
    end
  end

  -- The server takes every second request for events, and all of updates.
  local function take_half()
    server:script { endpoint = "/track", status = 429, chance = 0.5, times = 0 }
  end

  local function take_none()
    server:script { status = 429, times = 0 }
    socket.sleep(0.05) -- what is under way ends
  end

  -- What arrived from the process, and from the one after it; and what that says.
  local function collect(options)
    local times = count {}
    server:reset()
    local stats = adopt(options)
    return count(times), stats
  end

  for _, kind in ipairs(loop_disk.kinds) do
    describe(", " .. kind.name .. ",", function()
      it("loses nothing older than sync_interval, and adds nothing twice", function()
        if not make(kind) then
          return
        end
        take_half()
        local options = {
          durability = "power",
          sync_interval = INTERVAL,
          flush_interval = 3600,
        }
        local said, at = lose(kind, options, function()
          socket.sleep(INTERVAL + SLACK + 0.3)
          take_none()
        end)
        if said == nil then
          return
        end
        local times, stats = collect(options)
        check_arrived(times, at - INTERVAL - SLACK, stats.rejected)
        check_once(times)
        assert.is_true(stats.adopted > 0)
      end)

      it("loses nothing that a sync had reached", function()
        if not make(kind) then
          return
        end
        take_half()
        local options = { durability = "process", flush_interval = 0.1 }
        local synced
        local said = lose(kind, options, function()
          synced = socket.gettime()
          disk:must("sync -f " .. disk.spool)
          socket.sleep(0.5) -- in which segments are sealed and sent
          take_none()
        end)
        if said == nil then
          return
        end
        local times, stats = collect(options)
        check_arrived(times, synced, stats.rejected)
      end)

      it("is lived through when it is written to", function()
        if not make(kind) then
          return
        end
        take_half()
        local options = {
          durability = "power",
          sync_interval = INTERVAL,
          flush_interval = 0.1,
          spool_io = "written",
        }
        local said = lose(kind, options, function() end, "all")
        if said == nil then
          return
        end
        assert.is_true(said.flushed)
        assert.equal(said.stats.accepted, said.stats.delivered)
        check_arrived(count {}, math.huge, 0)
        adopt(options)
      end)
    end)
  end
end)
