-- The end of a process at any moment of a request: no crash, no hang, and never
-- later than exit_timeout allows.
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"
local socket = require "socket"

local exits = tonumber(os.getenv "STORM_EXITS" or 250)

local program = [[
local url, ca_file, exit_timeout, way, delay = (table.unpack or unpack)(arg)
local mp = require("mixpanel").new("projecttoken", {
  api_host = url,
  ca_file = ca_file ~= "" and ca_file or nil,
  exit_timeout = tonumber(exit_timeout),
  flush_interval = 0,
})
for i = 1, 200 do
  mp:track("Exit", { distinct_id = "u", i = i, text = ("x"):rep(i) })
  mp.people:set("u", { i = i })
end
require("spec_posix").sleep(tonumber(delay) / 1000)
io.write(("%.3f\n"):format(require("socket").gettime())) -- the end begins
if way == "closes for" then
  mp:close(tonumber(exit_timeout))
elseif way == "closes" then
  local other = require("mixpanel").new("projecttoken", {
    api_host = url,
    name = "other",
    exit_timeout = tonumber(exit_timeout),
  })
  other:track("Exit")
  mp:close()
  other:close()
elseif way == "exit" then
  os.exit(0)
elseif way == "close" then
  os.exit(0, true) -- closes the Lua state first
elseif way == "error" then
  error("on purpose")
elseif way == "collect" then
  mp = nil
  collectgarbage()
end
]]

local ways = { "exit", "close", "error", "collect", "end" }

describe("exits", function()
  local server, path

  setup(function()
    server = sandbox.start()
    path = script.write(program)
  end)

  teardown(function()
    server:stop()
    os.remove(path)
  end)

  before_each(function()
    server:reset()
  end)

  -- Runs the program `n` times, two at a time; each result is "way delay
  -- status". A status of 124 is a hang.
  local function storm(n, url, ca_file, exit_timeout)
    local lines = {}
    for i = 0, n - 1 do
      lines[#lines + 1] = ("%s %g"):format(ways[i % #ways + 1], i * 37 % 101 / 2.5)
    end
    local list = os.tmpname()
    local file = assert(io.open(list, "w"))
    file:write(table.concat(lines, "\n"), "\n")
    file:close()
    local command = ('timeout 10 %s %s %s "%s" %g $0 $1'):format(
      script.interpreter,
      path,
      url,
      ca_file,
      exit_timeout
    )
    local printed = script.shell(
      ("xargs -P 2 -L 1 sh -c '%s 2>/dev/null; echo $0 $1 $?' <%s"):format(command, list)
    )
    os.remove(list)
    local results = 0
    for way, delay, status in printed:gmatch "(%l+) (%S+) (%d+)\n" do
      results = results + 1
      assert.equal(way == "error" and 1 or 0, tonumber(status), way .. " after " .. delay .. " ms")
    end
    assert.equal(n, results, printed)
  end

  it("in the midst of TLS handshakes and transfers", function()
    storm(exits * 0.8, server.tls_url, server.ca_file, 0)
  end)

  it("while the API is slow", function()
    server:script { times = 0, status = 200, body = "1", delay_ms = 30 }
    storm(exits * 0.2, server.url, "", 0.02)
  end)

  -- How long the program takes, and how long its end: the least of three,
  -- since the machine may be busy with something else.
  local function least_seconds(url, exit_timeout, way)
    local least, least_end = math.huge, math.huge
    for _ = 1, 3 do
      local printed, status, seconds = script.shell(
        ("timeout 20 %s %s %s '' %g %s 0 2>/dev/null"):format(
          script.interpreter,
          path,
          url,
          exit_timeout,
          way
        )
      )
      local ended = socket.gettime()
      assert.equal(way == "error" and 1 or 0, status)
      least = math.min(least, seconds)
      least_end = math.min(least_end, ended - tonumber(printed))
    end
    return least, least_end
  end

  local function assert_ends(url, way)
    local seconds, of_end = least_seconds(url, 0.3, way)
    assert.is_true(seconds >= 0.3 and of_end < 0.55, ("%s %s: %g s"):format(url, way, of_end))
  end

  it("end by exit_timeout when nobody answers", function()
    local silent = assert(socket.bind("127.0.0.1", 0))
    local _, port = silent:getsockname()
    assert_ends("http://127.0.0.1:" .. port, "exit")
    assert_ends("https://127.0.0.1:" .. port, "close")
    assert_ends("https://127.0.0.1:" .. port, "error")
    -- What close waited in vain is not waited for again.
    assert_ends("https://127.0.0.1:" .. port, "closes")
    assert_ends("https://127.0.0.1:" .. port, "'closes for'")
    silent:close()
  end)

  it("end by exit_timeout when every answer is no, also after close", function()
    server:script { times = 0, status = 503 }
    assert_ends(server.url, "closes")
  end)

  it("wait no longer than the records need", function()
    assert.is_true(least_seconds(server.url, 5, "exit") < 2)
    assert.equal(3 * 200, #server:records "/track")
  end)
end)
