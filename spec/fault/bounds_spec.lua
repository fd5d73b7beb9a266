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
    bounded(server.url)
  end)

  it("is slow", function()
    server:script { times = 0, delay_ms = 3000 }
    bounded(server.url)
  end)

  it("fails", function()
    server:script { times = 0, status = 503 }
    bounded(server.url)
  end)

  it("asks for an hour", function()
    server:script { times = 0, status = 429, headers = { ["Retry-After"] = "3600" } }
    bounded(server.url)
  end)

  it("gives half a reply", function()
    server:script { times = 0, drip = { bytes_per_second = 1 }, body = { status = 1 } }
    bounded(server.url)
  end)

  it("refuses every connection", function()
    bounded "http://127.0.0.1:9"
  end)

  -- The kernel takes the connection; nobody ever reads from it.
  local function silent(scheme, ca_file)
    local listener = assert(socket.bind("127.0.0.1", 0, 64))
    local _, port = listener:getsockname()
    bounded(scheme .. "://127.0.0.1:" .. port, ca_file)
    listener:close()
  end

  it("is silent", function()
    silent "http"
  end)

  it("never ends the TLS handshake", function()
    silent("https", server.ca_file)
  end)
end)

describe("time is bounded with a name server that", function()
  it("never answers", function()
    local build = os.getenv "BUILD" or "build"
    local status = bounded("https://api.mixpanel.com", nil, build .. "/spec/blackhole")
    if status == 77 then
      io.stderr:write "SKIPPED: a name server that never answers needs root, or user namespaces\n"
    end
  end)
end)
