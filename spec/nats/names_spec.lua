-- A name server that answers nothing. The look-up of a name cannot be broken off,
-- and takes as long as the resolver has patience.
local lateness = require "spec.support.lateness"
local nats = require "spec.support.nats"
local script = require "spec.support.script"
local socket = require "socket"

local EXIT_S, SLACK_S = 0.5, lateness.SLACK_S
local SHIM = script.build .. "/spec/stuck_names.so"
local BLACKHOLE = script.build .. "/spec/blackhole"
local UNABLE = 77 -- what BLACKHOLE says where it cannot be

-- The start of a program: where the driver is, the URL of a server that works, and
-- the file while which is there no name is found.
local HEAD = [[
package.cpath = package.cpath .. ";" .. arg[1]
local NAME = "nats://name.invalid:4222"
local good, stuck = arg[2], arg[3]
local mixpanel = require "mixpanel"
local socket = require "socket"
local function client(token, ...)
  return mixpanel.new(token, { transport = "nats", bus = { servers = { ... } },
    flush_interval = 0.02, max_retry_delay = 0.1, exit_timeout = 0.5 })
end
local function until_true(condition)
  local deadline = socket.gettime() + 100
  while not condition() do
    assert(socket.gettime() < deadline, "waited in vain")
    socket.sleep(0.01)
  end
end
local function exists(path)
  local file = io.open(path)
  return file ~= nil and file:close()
end
local function hangs()
  return exists(stuck .. ".met")
end
]]

describe("NATS behind a name server that never answers", function()
  local servers, stuck

  setup(function()
    servers = nats.start()
    servers:create_stream()
    stuck = servers.dir .. "/stuck"
  end)

  teardown(function()
    servers:stop()
  end)

  before_each(function()
    servers:purge()
  end)

  -- Runs a program to its end, with something before its command: what it printed,
  -- its status, and when it ended.
  local function run(program, before)
    local path = script.write(HEAD .. program)
    os.remove(stuck .. ".met")
    nats.write(stuck, "")
    local printed, status = script.shell(
      ("%s timeout 120 %s %s '%s' %s %s"):format(
        before or ("LD_PRELOAD=$PWD/%s MP_SPEC_STUCK=%s"):format(SHIM, stuck),
        script.interpreter,
        path,
        nats.drivers,
        servers.urls[1],
        stuck
      )
    )
    local ended = socket.gettime()
    os.remove(stuck)
    os.remove(path)
    return printed, status, ended
  end

  local function run_well(program)
    local printed, status = run(program)
    assert.equal(0, status, printed)
    return printed
  end

  -- Nil where that cannot be tried.
  local function late(program, before)
    return lateness.of(EXIT_S, function()
      local printed, status, ended = run(program, before)
      if status ~= UNABLE then
        return printed, status, ended
      end
    end)
  end

  local ENDS = {
    ["returns"] = 'print(("%.6f"):format(socket.gettime()))',
    ["calls os.exit"] = 'print(("%.6f"):format(socket.gettime()))\nos.exit(0)',
    ["closes its client first"] = [[
      print(("%.6f"):format(socket.gettime()))
      mp:close(0.05)
      os.exit(0, true)
    ]],
  }

  for how, last in pairs(ENDS) do
    it(("ends the process in time, which %s"):format(how), function()
      local seconds = late([[
        local mp = client("held", NAME)
        assert(mp:track "E")
        until_true(hangs)
      ]] .. last)
      assert.is_true(seconds <= SLACK_S, seconds)
    end)
  end

  it("ends the process in time, with the resolver of the system", function()
    local seconds = late([[
        local function asked() -- what waits at the port of the name server
          local file = assert(io.open "/proc/net/udp")
          local text = file:read "*a"
          file:close()
          local waits = text:match ": 0100007F:0035 %S+ %S+ %x+:(%x+)"
          return waits and tonumber(waits, 16) > 0
        end
        local mp = client("held", NAME)
        assert(mp:track "E")
        until_true(asked)
      ]] .. ENDS["calls os.exit"], BLACKHOLE)
    if seconds then
      assert.is_true(seconds <= SLACK_S, seconds)
    else
      io.stderr:write "SKIPPED: a name server that never answers needs root, or user namespaces\n"
    end
  end)

  it("holds up no call, and no other project", function()
    local printed = run_well [[
      local held, well = client("held", NAME), client("well", good)
      assert(held:track "E")
      until_true(hangs)
      local N = 20000
      local function longest(mp)
        local most = 0
        for i = 1, N do
          local start = socket.gettime()
          assert(mp:track("E", { n = i }))
          mp:stats()
          most = math.max(most, socket.gettime() - start)
        end
        return most
      end
      print(longest(well), longest(held))
      until_true(function()
        well:flush(1)
        return well:stats().delivered == N
      end)
      assert(exists(stuck) and held:stats().queued + held:stats().in_flight == N + 1)
    ]]
    local healthy, held = printed:match "^(%S+)\t(%S+)\n$"
    assert.is_true(tonumber(held) < 20 * tonumber(healthy) + 1, printed)
    assert.equal(20000, #nats.records(servers:messages()))
  end)

  it("leaves to another server what that can take", function()
    run_well [[
      local mp
      local clients = 0
      repeat -- each has a connection of its own, and begins with any server
        clients = clients + 1
        mp = client("both", ("nats://name-%d.invalid:4222"):format(clients), good)
        assert(mp:track "E")
        until_true(function()
          return mp:stats().delivered == 1 or hangs()
        end)
      until hangs()
      until_true(function()
        return mp:stats().delivered == 1
      end)
      assert(exists(stuck) and mp:stats().ambiguous == 0)
    ]]
  end)
end)
