-- Disks that fail, as root: full, read-only, somebody else's, gone. No call
-- fails, no good record is lost, and a report says what is the matter.
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local sandbox = require "spec.support.sandbox"
local socket = require "socket"

local here = io.popen("pwd"):read "*l"
local cpath = (";" .. package.cpath):gsub(";%./", ";" .. here .. "/"):sub(2)

local function output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local function shell(command)
  assert(os.execute(command), command)
end

describe("a spool on a disk that fails", function()
  local server, home, mount, spool
  local made = 0

  setup(function()
    server = sandbox.start()
    home = os.tmpname()
    os.remove(home)
    mount = home .. "/mount"
    shell("mkdir -m 755 " .. home .. " && mkdir " .. mount)
  end)

  teardown(function()
    server:stop()
    os.execute("rm -rf " .. home)
  end)

  before_each(function()
    server:reset()
    made = made + 1
    spool = mount .. "/" .. made
  end)

  after_each(function()
    collectgarbage()
    os.execute("umount -l " .. mount .. " 2>/dev/null")
  end)

  -- A file system that can take blocks back, over a tmpfs with these options.
  local function mount_overlay(options)
    shell(("mount -t tmpfs %s tmpfs %s"):format(options, mount))
    shell(("cd %s && mkdir low up work && mkdir -m 700 merged"):format(mount))
    shell(
      ("cd %s && mount -t overlay -o lowerdir=low,upperdir=up,workdir=work overlay merged"):format(
        mount
      )
    )
    spool = mount .. "/merged/spool"
  end

  local function client(options)
    options = options or {}
    options.api_host = server.url
    options.name = "disk" .. made
    options.max_retry_delay = 0.2
    options.spool = options.spool or spool
    return mixpanel.new("projecttoken", options)
  end

  local function track(mp, from, to)
    for i = from, to do
      assert(mp:track("E", { distinct_id = "u", n = i, pad = ("x"):rep(500) }))
    end
  end

  local function told(mp, text)
    local all, deadline = {}, socket.gettime() + 10
    repeat
      for _, report in ipairs(mp:poll()) do
        if report.outcome == "spool" then
          all[#all + 1] = report.message
          if report.message:find(text, 1, true) then
            assert.truthy(report.message:find("^spool: "))
            return
          end
        end
      end
      socket.sleep(0.01)
    until socket.gettime() > deadline
    error(("no report says %q, but: %s"):format(text, table.concat(all, " | ")), 2)
  end

  local function check_delivered(n)
    local seen, count = {}, 0
    for _, event in ipairs(server:records "/track") do
      if not seen[event.properties.n] then
        seen[event.properties.n] = true
        count = count + 1
      end
    end
    assert.equal(n, count)
  end

  -- A process that tracks the events from..to and is killed; `as`: a prefix
  -- of its command; `message`: of a report that it waits for; `io_kind`: spool_io.
  local function crash(from, to, as, message, io_kind)
    local path = home .. "/program.lua"
    local file = assert(io.open(path, "w"))
    file:write(
      ("package.cpath = %q\n"):format(cpath),
      ("local options = require('cjson').decode(%q)\n"):format(cjson.encode {
        spool = spool,
        api_host = server.url,
        name = "disk" .. made,
        flush_interval = 3600,
        spool_io = io_kind,
      }),
      "local mp = require('mixpanel').new('projecttoken', options)\n",
      ("for i = %d, %d do\n"):format(from, to),
      "  assert(mp:track('E', { distinct_id = 'u', n = i, pad = ('x'):rep(500) }))\nend\n",
      "local socket = require 'socket'\nsocket.sleep(0.2)\n",
      ("local told, start = %q, socket.gettime()\n"):format(message or ""),
      [[
      repeat
        for _, r in ipairs(mp:poll()) do
          print(r.outcome, r.message)
          told = r.message:find(told, 1, true) and "" or told
        end
        socket.sleep(0.01)
      until told == "" or socket.gettime() > start + 20
      ]],
      "print(mp:stats().spool_errors)\n",
      "io.stdout:flush() os.execute 'kill -9 $PPID'\n"
    )
    file:close()
    return output(("%s lua5.4 %s 2>&1"):format(as or "", path))
  end

  local function settle(mp)
    local deadline = socket.gettime() + 20
    mp:flush(0)
    repeat
      socket.sleep(0.01)
      local s = mp:stats()
    until s.queued + s.in_flight + s.spooled == 0 and s.adopted > 0
      or socket.gettime() > deadline
  end

  it("that is full falls back to memory, and says so", function()
    shell("mount -t tmpfs -o size=6m tmpfs " .. mount)
    shell("dd if=/dev/zero of=" .. mount .. "/ballast bs=1M count=5 2>/dev/null")
    local mp = client()
    server:script { status = 503, times = 0 }
    track(mp, 1, 6000)
    told(mp, "No space left on device")
    assert.is_true(mp:stats().spool_errors > 0)
    server:reset()
    assert.is_true(mp:flush(30))
    assert.equal(6000, mp:stats().delivered)
    check_delivered(6000)
    mp:close()
  end)

  it("that is full when the next process comes keeps every good record", function()
    shell("mount -t tmpfs -o size=8m tmpfs " .. mount)
    crash(1, 700)
    shell("dd if=/dev/zero of=" .. mount .. "/ballast bs=64k 2>/dev/null; true")
    local mp = client()
    settle(mp)
    assert.equal(700, mp:stats().delivered)
    assert.is_true(mp:stats().spool_errors > 0)
    told(mp, "No space left on device")
    check_delivered(700)
    mp:close()
  end)

  it("that can take blocks back gets each record by a write, and says so", function()
    mount_overlay ""
    local message = "each record is written to it when it is tracked"
    local text = crash(1, 5000, nil, message)
    assert.truthy(text:find(message, 1, true), text)
    local mp = client()
    settle(mp)
    check_delivered(5000)
    for i = 1, 10 do
      assert(mp:track_batch {
        { event = "E", properties = { distinct_id = "u", n = 5000 + 2 * i - 1 } },
        { event = "E", properties = { distinct_id = "u", n = 5000 + 2 * i } },
      })
    end
    assert.is_true(mp:flush(10))
    check_delivered(5020)
    mp:close()
    mp = nil -- luacheck: ignore
    collectgarbage()
    socket.sleep(0.2)
    shell("umount -l " .. mount .. "/merged")
  end)

  it("is written to and never mapped with spool_io, whatever it is", function()
    local text = crash(1, 100, "", "", "written")
    assert.equal("0", text:match "^%d+") -- errors; no report says that it is slow
    local sizes = output(("find %s -name '*.open' -size +200k | wc -l"):format(spool))
    assert.equal("0", sizes:match "%d+") -- a mapped one has 1.1 MiB
    local all = output(("find %s -name '*.open' | wc -l"):format(spool))
    assert.is_true(tonumber(all:match "%d+") > 0) -- the spare is another
    local mp = client { spool_io = "written" }
    settle(mp)
    assert.is_true(mp:set_config { spool_io = "mapped" })
    check_delivered(100)
    mp:close()
    assert.has_error(
      function()
        client { spool_io = "fast" }
      end,
      "bad argument #2 to 'new' (option 'spool_io': got \"fast\", "
        .. 'expected "mapped" or "written")'
    )
  end)

  it("that was full when a record was written gets it at the exit", function()
    mount_overlay "-o size=8m"
    server:script { status = 503, times = 0 }
    local path = home .. "/program.lua"
    local file = assert(io.open(path, "w"))
    file:write(
      ("package.cpath = %q\n"):format(cpath),
      ("local ballast, spool, host, name = %q, %q, %q, %q\n"):format(
        mount .. "/ballast",
        spool,
        server.url,
        "disk" .. made
      ),
      [[
      local mp = require("mixpanel").new("projecttoken", {
        spool = spool, api_host = host, name = name, flush_interval = 3600,
      })
      local function track(from, to)
        for i = from, to do
          assert(mp:track("E", { distinct_id = "u", n = i, pad = ("x"):rep(500) }))
        end
      end
      track(1, 10)
      mp:flush(0)
      for _ = 1, 1000 do
        if mp:stats().retried + mp:stats().ambiguous > 0 then break end
        require("socket").sleep(0.01)
      end
      track(11, 20)
      os.execute("dd if=/dev/zero of=" .. ballast .. " bs=4k 2>/dev/null")
      track(21, 100)
      print(mp:stats().spool_errors > 0)
      os.remove(ballast)]]
    )
    file:close()
    assert.equal("true\n", output("lua5.4 " .. path .. " 2>&1"))
    server:reset()
    local mp = client()
    settle(mp)
    check_delivered(100)
    mp:close()
    mp = nil -- luacheck: ignore
    collectgarbage()
    socket.sleep(0.2)
    shell("umount -l " .. mount .. "/merged")
  end)

  it("that is read-only falls back to memory, and says so", function()
    shell("mount -t tmpfs tmpfs " .. mount .. " && mkdir -m 700 " .. spool)
    shell("mount -o remount,ro " .. mount)
    local mp = client()
    track(mp, 1, 3000)
    assert.is_true(mp:flush(20))
    told(mp, "Read-only file system")
    check_delivered(3000)
    mp:close()
  end)

  it("that becomes read-only keeps what was accepted", function()
    shell("mount -t tmpfs tmpfs " .. mount)
    local mp = client()
    server:script { status = 503, times = 0 }
    track(mp, 1, 3000)
    os.execute("mount -o remount,ro " .. mount .. " 2>/dev/null") -- busy: not yet
    track(mp, 3001, 6000)
    server:reset()
    assert.is_true(mp:flush(30))
    check_delivered(6000)
    mp:close()
  end)

  it("that belongs to another user is passed over, and says so", function()
    shell("mount -t tmpfs -o mode=755 tmpfs " .. mount .. " && mkdir -m 700 " .. spool)
    local text = crash(1, 10, "setpriv --reuid=65534 --clear-groups --regid=65534")
    assert.truthy(text:find("spool: cannot use " .. spool .. ": Permission denied", 1, true), text)
    shell("chmod 755 " .. spool)
    text = crash(1, 10, "setpriv --reuid=65534 --clear-groups --regid=65534")
    assert.truthy(text:find("Permission denied", 1, true), text)
  end)

  it("with a run of another user passes that over, and takes the rest", function()
    shell("mount -t tmpfs -o mode=755 tmpfs " .. mount)
    shell("mkdir " .. spool .. " && chown 65534 " .. spool .. " && chmod 700 " .. spool)
    local nobody = "setpriv --reuid=65534 --clear-groups --regid=65534"
    crash(1, 10, nobody)
    shell("chown -R 0 " .. spool .. "/*/*") -- of root, who left 0700
    local text = crash(11, 20, nobody, "passed over the directory")
    assert.truthy(text:find("passed over the directory", 1, true), text)
    local mp = client { spool_owner = "any" } -- as root
    settle(mp)
    check_delivered(20)
    mp:close()
  end)

  it("that others can write to is refused, and says so", function()
    shell(
      "mount -t tmpfs tmpfs " .. mount .. " && mkdir -m 777 " .. spool .. " && chmod 777 " .. spool
    )
    local mp = client()
    track(mp, 1, 10)
    assert.is_true(mp:flush(10))
    told(mp, "others can write to it")
    mp:close()
  end)

  it("that belongs to another user is refused, unless that is wanted", function()
    shell("mount -t tmpfs tmpfs " .. mount .. " && mkdir -m 700 " .. spool)
    shell("chown 65534 " .. spool)
    local mp = client()
    track(mp, 1, 10)
    assert.is_true(mp:flush(10))
    told(mp, "spool: cannot use " .. spool .. ": it belongs to user 65534, which spool_owner")
    assert.equal("", output("ls -A " .. spool))
    mp:close()
    mp = client { spool_owner = "any" }
    track(mp, 11, 20)
    assert.is_true(mp:flush(10))
    check_delivered(20)
    told(mp, "spool: uses all the same " .. spool .. ": it belongs to user 65534")
    assert.not_equal("", output("find " .. spool .. " -name '*.open'"))
    mp:close()
  end)

  it("that is a planted link is refused, and says so", function()
    shell("mount -t tmpfs tmpfs " .. mount .. " && mkdir -m 700 " .. mount .. "/real")
    shell("ln -s " .. mount .. "/real " .. spool)
    local mp = client()
    track(mp, 1, 10)
    assert.is_true(mp:flush(10))
    told(mp, "spool: cannot use " .. spool)
    assert.equal("", output("ls -A " .. mount .. "/real"))
    mp:close()
  end)

  it("that vanishes is made again, and loses nothing that memory holds", function()
    shell("mount -t tmpfs tmpfs " .. mount)
    local mp = client()
    server:script { status = 503, times = 0 }
    track(mp, 1, 3000)
    -- Files that are made while rm runs keep the directory: then once more.
    shell("for try in $(seq 100); do rm -rf " .. spool .. " && exit 0; done; exit 1")
    track(mp, 3001, 6000)
    socket.sleep(0.1)
    server:reset()
    assert.is_true(mp:flush(30))
    assert.equal(6000, mp:stats().delivered)
    check_delivered(6000)
    track(mp, 6001, 6010)
    assert.not_equal("", output("find " .. spool .. " -name '*.open'"))
    mp:close()
  end)
end)
