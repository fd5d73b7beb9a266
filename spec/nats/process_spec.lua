-- The driver and the life of a process: its end, its forks.
local lateness = require "spec.support.lateness"
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local script = require "spec.support.script"
local socket = require "socket"

local EXIT_S, SLACK_S = 0.5, lateness.SLACK_S

-- The start of a program: a client of the server in arg[2], with the options of
-- a Lua table in arg[3].
local common = [[
package.cpath = package.cpath .. ";" .. arg[1]
local mixpanel = require "mixpanel"
local posix = require "spec_posix"
local socket = require "socket"
local unpack = table.unpack or unpack
local options = (loadstring or load)("return " .. arg[3])()
options.transport, options.bus = "nats", { servers = { arg[2] } }
options.flush_interval = options.flush_interval or 0.02
local mp = mixpanel.new("projecttoken", options)
local function until_true(condition)
  for _ = 1, 2400 do
    if condition() then return end
    posix.sleep(0.025)
  end
  error("waited in vain: " .. tostring(mp:stats().last_error))
end
]]

describe("NATS and a process", function()
  local servers, cpath

  setup(function()
    cpath = package.cpath
    package.cpath = cpath .. ";" .. nats.drivers
    servers = nats.start()
    servers:create_stream()
  end)

  teardown(function()
    servers:stop()
    package.cpath = cpath
  end)

  before_each(function()
    servers:purge()
  end)

  local function run(program, url, options)
    return script.run(common .. program, nats.drivers, url or servers.urls[1], options or "{}")
  end

  local function events()
    local seen = {}
    for _, message in ipairs(servers:messages()) do
      for _, record in ipairs(nats.records(message)) do
        seen[#seen + 1] = record.event
      end
    end
    table.sort(seen)
    return seen
  end

  -- ---- its end ----

  it("that ends sends what waits, on a connection that it has or makes", function()
    local options = "{ flush_interval = 3600, exit_timeout = 60 }"
    local printed, status = run('mp:track "New"', nil, options)
    assert.equal("", printed)
    assert.equal(0, status)
    printed, status = run(
      [[
        mp:track "First"
        assert(mp:flush(60))
        mp:track "Second"
        os.exit(0)
      ]],
      nil,
      options
    )
    assert.equal("", printed)
    assert.equal(0, status)
    assert.same({ "First", "New", "Second" }, events())
  end)

  local function late(program, url)
    return lateness.of(EXIT_S, function()
      local printed, status = run(
        program .. '\nprint(("%.6f"):format(socket.gettime()))\nos.exit(0)',
        url,
        ("{ exit_timeout = %g }"):format(EXIT_S)
      )
      return printed, status, socket.gettime()
    end)
  end

  it("that ends is not held up by a server that is not there", function()
    local dead = process.dead_port()
    local seconds = late(
      [[
        assert(mp:track "E")
        until_true(function() return mp:stats().last_error end)
        assert(mp:stats().last_error:find "^nats: not connected to 127")
      ]],
      "nats://127.0.0.1:" .. dead.port
    )
    dead.close()
    assert.is_true(seconds <= SLACK_S, seconds)
  end)

  it("that ends is not held up by a server that says nothing", function()
    local peer = assert(socket.bind("127.0.0.1", 0))
    local _, port = peer:getsockname()
    local seconds = late('assert(mp:track "E")\nmp:close(0)', "nats://127.0.0.1:" .. port)
    peer:close()
    assert.is_true(seconds <= SLACK_S, seconds)
  end)

  it("that ends is not held up by one that falls silent in the TLS handshake", function()
    local seconds = late(
      [[
        local peer = assert(socket.bind("127.0.0.1", 0))
        local _, port = peer:getsockname()
        options.bus.servers = { "tls://127.0.0.1:" .. port }
        options.request_timeout = 0.3
        mp = mixpanel.new("another", options)
        assert(mp:track "E")
        local connection = assert(peer:accept())
        connection:send('INFO {"server_id":"X","version":"2.9.10","proto":1,' ..
          '"headers":true,"tls_required":true,"max_payload":1048576}\r\n')
        assert(#connection:receive(5) == 5) -- the handshake has begun
        until_true(function() return mp:stats().last_error end)
        assert(mp:stats().last_error == "nats: not connected in time")
        assert(mp:stats().ambiguous == 0)
        mp:close(0.05)
      ]],
      "nats://127.0.0.1:1"
    )
    assert.is_true(seconds <= SLACK_S, seconds)
  end)

  it("that ends is not held up by a server that is stopped", function()
    local seconds = late(([[
        os.execute "kill -CONT %d"
        assert(mp:track "First")
        until_true(function() return mp:stats().delivered == 1 end)
        os.execute "kill -STOP %d"
        assert(mp:track "Second")
        until_true(function() return mp:stats().in_flight == 1 end)
      ]]):format(servers.nodes[1].pid, servers.nodes[1].pid))
    process.signal(servers.nodes[1].pid, "CONT")
    assert.is_true(seconds <= SLACK_S, seconds)
  end)

  it("leaves what the process does on SIGPIPE as it was", function()
    -- LuaSocket has the process ignore it, too.
    local without_socket = common:gsub('local socket = require "socket"\n', "")
    local path = script.write(without_socket .. [[
      local function ignored()
        for line in io.lines "/proc/self/status" do
          local mask = line:match "SigIgn:%s*(%x+)"
          if mask then
            return math.floor(tonumber(mask:sub(-4), 16) / 2 ^ 12) % 2 == 1 -- SIGPIPE is 13
          end
        end
      end
      local before = ignored()
      mp:track "E"
      until_true(function() return mp:stats().delivered == 1 end)
      print(before, ignored())
    ]])
    for how, said in pairs { default = "false\tfalse\n", ignore = "true\ttrue\n" } do
      assert.equal(
        said,
        (
          script.shell(
            ("env --%s-signal=PIPE %s %s %q %s '{}'"):format(
              how,
              script.interpreter,
              path,
              nats.drivers,
              servers.urls[1]
            )
          )
        )
      )
    end
    os.remove(path)
  end)

  -- ---- its forks ----

  it("forked from one that used the bus keeps its records, and says why", function()
    local printed, status = run(
      [[
        mp:track("Parent")
        until_true(function() return mp:flush(1) end)
        local child = posix.fork()
        if child == 0 then
          mp:track("Child")
          until_true(function() return mp:stats().last_error end)
          local s = mp:stats()
          assert(s.queued + s.in_flight + s.spooled == 1 and s.delivered == 0)
          local why = "was forked from one that had used the bus"
          assert(s.last_error:find(why, 1, true))
          until_true(function() return mp:stats().requests >= 4 end)
          local reports = mp:poll()
          assert(#reports == 1 and reports[1].outcome == "paused") -- said once
          assert(reports[1].message:find(why, 1, true))
          os.exit(0, true)
        end
        local _, status = posix.wait(child)
        assert(status == 0, status)
        mp:track("Later")
        until_true(function()
          mp:flush(0.1)
          return mp:stats().delivered == 3
        end)
        assert(mp:stats().adopted == 1)
      ]],
      nil,
      ("{ spool = %q, max_retry_delay = 0.1, exit_timeout = 1 }"):format(servers.dir .. "/forked")
    )
    assert.equal("", printed)
    assert.equal(0, status)
    assert.same({ "Child", "Later", "Parent" }, events())
  end)

  it("forked before the bus was used has its own", function()
    local printed, status = run [[
      local child = posix.fork()
      mp:track(child == 0 and "Child" or "Parent")
      until_true(function() return mp:flush(1) end)
      if child == 0 then
        os.exit(0, true)
      end
      assert(select(2, posix.wait(child)) == 0)
    ]]
    assert.equal("", printed)
    assert.equal(0, status)
    assert.same({ "Child", "Parent" }, events())
  end)

  it("shares its connection with no child and no other program", function()
    local printed, status = run [[
      local port = (":%04X 01 "):format(tonumber(arg[2]:match "%d+$"))
      local function connections(pid)
        local count, files = 0, io.popen("ls -l /proc/" .. pid .. "/fd")
        local text = files:read "*a"
        files:close()
        for line in io.lines "/proc/net/tcp" do
          local inode = line:match(port .. "%S+ %S+ %S+ +%S+ +%S+ (%d+)")
          if inode and text:find("socket:[" .. inode .. "]", 1, true) then
            count = count + 1
          end
        end
        return count
      end
      mp:track "E"
      until_true(function() return mp:flush(1) end)
      assert(connections(posix.pid()) == 1)
      assert(connections "self" == 0) -- of ls, which popen started
      local child = posix.fork()
      if child == 0 then
        posix.quit(connections(posix.pid()))
      end
      assert(select(2, posix.wait(child)) == 0)
      mp:track "E"
      until_true(function() return mp:stats().delivered == 2 end)
    ]]
    assert.equal("", printed)
    assert.equal(0, status)
  end)
end)
