-- A disk that hangs, and a server that never answers: each stops what depends on
-- it, and neither keeps the process from ending in time.
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"
local socket = require "socket"

local SHIM = script.build .. "/spec/stuck_sync.so"
local EXIT, SLACK, TRIES = 0.5, 0.25, 3

-- What programs begin with: the disk hangs from the first record of `kept` on.
local HEAD = [[
  local url, home = (table.unpack or unpack)(arg)
  local posix, socket = require "spec_posix", require "socket"
  local mixpanel = require "mixpanel"
  local function wait(done)
    local deadline = socket.gettime() + 20
    while not done() do
      assert(socket.gettime() < deadline, "it never came")
      socket.sleep(0.01)
    end
  end
  local function exists(name)
    local file = io.open(home .. "/" .. name)
    return file ~= nil and file:close()
  end
  local function track(mp, n)
    for i = 1, n do
      assert(mp:track("A", { distinct_id = "u", i = i }))
    end
  end
  local EXIT = %g
  local kept = mixpanel.new("kept", { api_host = url, spool = home .. "/spool",
    durability = "power", sync_interval = 0.05, exit_timeout = EXIT })
  local plain = mixpanel.new("plain", { api_host = url, exit_timeout = EXIT })
  local function hang()
    io.open(home .. "/stuck", "w"):close()
    track(kept, 10)
    kept:flush(0)
    wait(function() return exists "stuck.met" end)
  end
]]

local END = "io.write('END ', socket.gettime(), '\\n')\n"

describe("what hangs is", function()
  local server, home

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
    home = os.tmpname()
    os.remove(home)
    process.run("mkdir -m 700 " .. home)
  end)

  after_each(function()
    process.run("rm -rf " .. home)
  end)

  -- What the program printed before its end, and how long that took; it ends
  -- while the disk still hangs.
  local function run(text, url)
    process.run(("rm -rf %s/*"):format(home))
    local program = script.write(HEAD:format(EXIT) .. text .. END)
    local printed, status = script.shell(
      ("LD_PRELOAD=$PWD/%s MP_SPEC_STUCK=%s/stuck timeout 60 %s %s '%s' %s"):format(
        SHIM,
        home,
        script.interpreter,
        program,
        url or server.url,
        home
      )
    )
    local ended = socket.gettime()
    os.remove(program)
    assert.equal(0, status, printed)
    local lines, at = printed:match "^(.*)END (%S+)\n"
    assert.is_truthy(lines, printed)
    return lines, ended - tonumber(at)
  end

  -- The best of some tries, since a machine may be busy.
  local function ends_in_time(text, url)
    local took
    for _ = 1, TRIES do
      _, took = run(text, url)
      if took <= EXIT + SLACK then
        return
      end
    end
    error(("it ended after %.3f s"):format(took))
  end

  it("a disk: a project without files delivers all the same", function()
    local printed = run [[
      hang()
      track(plain, 5000)
      local ok, why = plain:flush(10)
      print(ok, why, plain:stats().delivered, kept:stats().delivered)
    ]]
    assert.equal("true\tnil\t5000\t0\n", printed)
    local ids = {}
    for _, record in ipairs(server:records "/track") do
      ids[record.properties.token] = (ids[record.properties.token] or 0) + 1
    end
    assert.same({ plain = 5000 }, ids)
  end)

  it("a disk: once it goes on, so does what waited for it", function()
    local printed = run [[
      hang()
      track(kept, 10)
      print(kept:flush(0.1))
      os.remove(home .. "/stuck")
      print(kept:flush(10), kept:stats().delivered)
    ]]
    assert.matches("^nil\ttimeout[^\n]*\ntrue\t20\n$", printed)
  end)

  it("a disk: a state file is late, and what its user tracks is not", function()
    local printed = run [[
      io.open(home .. "/stuck", "w"):close()
      local me = plain:user { state = home .. "/state.json" }
      me:track "A"
      local ok, why, code = me:save(0.3)
      wait(function() return exists "stuck.met" end)
      print(ok, code, exists "stuck.met")
      print(plain:flush(10), plain:stats().delivered)
    ]]
    assert.equal("nil\ttimeout\ttrue\ntrue\t1\n", printed)
  end)

  it("a disk: the process ends in time", function()
    ends_in_time "hang() track(plain, 10)"
  end)

  it("a disk: the process ends in time, when there is nothing but to sync", function()
    ends_in_time(
      [[
        kept:set_config { sync_interval = 60 }
        track(kept, 1)
        kept:flush(0)
        wait(function() return kept:stats().last_error ~= nil end)
        track(kept, 10) -- until the backoff ends they only wait
        io.open(home .. "/stuck", "w"):close()
      ]],
      "http://127.0.0.1:9"
    )
  end)

  it("a disk: a fork does not wait for it, and the child needs none", function()
    local printed = run [[
      hang()
      track(plain, 10)
      local start = socket.gettime()
      local pid = posix.fork()
      if pid == 0 then
        track(plain, 20)
        posix.quit(plain:flush(10) and plain:stats().delivered or 1)
      end
      local _, status = posix.wait(pid)
      print(status, plain:flush(10), plain:stats().delivered)
    ]]
    assert.equal("20\ttrue\t10\n", printed)
  end)

  -- A server that takes connections and never answers.
  local function with_silent_server(run_with)
    local listener = assert(socket.bind("127.0.0.1", 0, 64))
    local _, port = listener:getsockname()
    local ok, why = pcall(run_with, "http://127.0.0.1:" .. port)
    listener:close()
    assert(ok, why)
  end

  local SILENT = [[
    local function sealed()
      local pipe = io.popen("find " .. home .. "/spool -name '*.json.gz' | wc -l")
      local n = tonumber(pipe:read "*a")
      pipe:close()
      return n
    end
    kept:set_config { max_in_flight = 1, max_queue_bytes = 1024 * 1024 }
    local pad = ("x"):rep(500)
    local function fill()
      return kept:track("A", { distinct_id = "u", pad = pad })
    end
  ]]

  it("the network: batches go to the disk, and the process ends in time", function()
    with_silent_server(function(url)
      ends_in_time(SILENT .. [[
          for i = 1, 20000 do
            if not fill() then
              socket.sleep(0.01)
            end
          end
          wait(function() return sealed() >= 4 end)
        ]], url)
    end)
  end)
end)
