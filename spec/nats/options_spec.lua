-- What of the option `bus` the driver of NATS alone can judge. No server is needed.
local mixpanel = require "mixpanel"
local nats = require "spec.support.nats"

describe("NATS with options that cannot be", function()
  local cpath

  setup(function()
    cpath = package.cpath
    package.cpath = cpath .. ";" .. nats.drivers
  end)

  teardown(function()
    package.cpath = cpath
  end)

  local function says(bus, message)
    local mp = mixpanel.new("projecttoken", { transport = "nats", bus = bus })
    mp:track "E"
    assert.same({ nil, message, "network" }, { mp:check(nats.patience) })
    local report = nats.until_done("a report", function()
      return mp:poll()[1]
    end)
    assert.same({ "paused", message }, { report.outcome, report.message })
    assert.equal(1, nats.waiting(mp))
    mp:close(0)
  end

  it("says which URL is none of its servers, and why", function()
    local such = ': expected one such as "tls://n1:4222"'
    for url, fault in pairs {
      ["http://n1:4222"] = "begins with neither tls:// nor nats://",
      ["nats:n1"] = "begins with neither tls:// nor nats://",
      ["nats://n1/path"] = "has something else behind its host than a port from 1 to 65535",
      ["nats://" .. ("x"):rep(256)] = "names no host of at most 255 bytes",
    } do
      local shown = #url > 60 and url:sub(1, 60) .. "..." or url
      says(
        { servers = { "nats://127.0.0.1:1", url } },
        ("nats: option 'bus.servers': URL 2, \"%s\", %s%s"):format(shown, fault, such)
      )
    end
  end)

  it("says that no stream can be called so", function()
    for _, name in ipairs { "a.b", "a*", ">", "a/b", "a\\b" } do
      says(
        { servers = { "nats://127.0.0.1:1" }, stream = name },
        ("nats: option 'bus.stream': got \"%s\", expected the name of a stream, which has "):format(
          name
        ) .. "no . * > / and \\"
      )
    end
  end)
end)
