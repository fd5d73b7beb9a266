-- Every call that waits ends by its timeout, and so does the process,
-- whatever the host does. What is asserted of time is no more than that.
local bounded = require "spec.support.bounded"
local sandbox = require "spec.support.sandbox"
local socket = require "socket"

describe("time is bounded with a host that", function()
  local server

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  it("is well", function()
    bounded.check(server.url)
  end)

  it("is slow", function()
    server:script { times = 0, delay_ms = 3000 }
    bounded.check(server.url)
  end)

  it("fails", function()
    server:script { times = 0, status = 503 }
    bounded.check(server.url)
  end)

  it("asks for an hour", function()
    server:script { times = 0, status = 429, headers = { ["Retry-After"] = "3600" } }
    bounded.check(server.url)
  end)

  it("gives half a reply", function()
    server:script { times = 0, drip = { bytes_per_second = 1 }, body = { status = 1 } }
    bounded.check(server.url)
  end)

  it("refuses every connection", function()
    bounded.check "http://127.0.0.1:9"
  end)

  -- The kernel takes the connection; nobody ever reads from it.
  local function silent(scheme, ca_file)
    local listener = assert(socket.bind("127.0.0.1", 0, 64))
    local _, port = listener:getsockname()
    bounded.check(scheme .. "://127.0.0.1:" .. port, ca_file)
    listener:close()
  end

  it("is silent", function()
    silent "http"
  end)

  it("never ends the TLS handshake", function()
    silent("https", server.ca_file)
  end)
end)

describe("a name server that never answers", function()
  local blackhole = (os.getenv "BUILD" or "build") .. "/spec/blackhole"

  local function judge(status, output)
    if status == 77 then
      io.stderr:write "SKIPPED: a name server that never answers needs root, or user namespaces\n"
    else
      assert.equal(0, status, output)
    end
  end

  it("holds no call and no end of the process", function()
    judge(bounded.check("https://api.mixpanel.com", nil, blackhole))
  end)

  it("holds no other project", function()
    local interpreter = bounded.interpreter()
    local command = ("%s %s spec/support/neighbours.lua '%s' 2>&1; echo status $?"):format(
      blackhole,
      interpreter,
      package.cpath
    )
    local pipe = assert(io.popen(command))
    local output = pipe:read "*a"
    pipe:close()
    judge(tonumber(output:match "status (%d+)\n$"), output)
  end)
end)
