-- Why a server cannot be reached, as far as that can be told. No server is needed.
local mixpanel = require "mixpanel"
local nats = require "spec.support.nats"
local process = require "spec.support.process"

describe("NATS that cannot be reached", function()
  local cpath, dead

  setup(function()
    dead = process.dead_port()
    cpath = package.cpath
    package.cpath = cpath .. ";" .. nats.drivers
  end)

  teardown(function()
    dead.close()
    package.cpath = cpath
  end)

  local function says(host, port, message)
    local url = ("nats://%s:%d"):format(host, port)
    local mp = mixpanel.new("projecttoken", { transport = "nats", bus = { servers = { url } } })
    local place = ("%s:%d"):format(host, port):sub(1, 64)
    message = ("nats: not connected to %s: %s"):format(place, message)
    assert.same({ nil, message, "network" }, { mp:check(nats.patience) })
    mp:track "E"
    nats.until_done("an error", function()
      return mp:stats().last_error
    end)
    assert.equal(message, mp:stats().last_error)
    mp:close(0)
  end

  it("says of an address what can be of one", function()
    local message = "the connection was refused, or nothing is there: check address and port"
    says("127.0.0.1", dead.port, message)
    says("[::1]", dead.port, message)
  end)

  -- libnats has one word for both, so both are named.
  it("says of a name that it may not be found, too", function()
    local message = "its name is not found, the connection was refused, or nothing is there: "
      .. "check name and port"
    says("localhost", dead.port, message)
    says(("x"):rep(70) .. ".invalid", 4222, message) -- no resolver asks for so long a name
  end)
end)
