-- Which servers a driver trusts, and that nothing goes to others.
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local script = require "spec.support.script"

local AUTHORITIES = 3000 -- which take long to read
local TRIES = 8

describe("NATS over TLS", function()
  local servers, cpath, dir, port
  local clients = 0

  setup(function()
    cpath = package.cpath
    package.cpath = cpath .. ";" .. nats.drivers
    servers = nats.start()
    servers:create_stream()
    port = servers.nodes[1].port
    dir = servers.dir
    nats.write(dir .. "/names", "subjectAltName=DNS:localhost\n")
    process.run("cd " .. dir .. [[ && exec >certificates.log 2>&1
        for name in ca other; do
          openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=$name \
            -keyout $name.key -out $name.pem || exit
        done
        openssl req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key -out server.csr &&
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -set_serial 1 \
          -extfile names -out server.pem]])
    servers:restart(
      ('tls { cert_file: "%s/server.pem", key_file: "%s/server.key" }'):format(dir, dir)
    )
  end)

  teardown(function()
    servers:stop()
    package.cpath = cpath
  end)

  local function client(host, ca_file, scheme)
    clients = clients + 1
    local mp = servers:client({
      bus = {
        servers = { ("%s://%s:%d"):format(scheme or "tls", host, port) },
        ca_file = ca_file and dir .. "/" .. ca_file,
      },
    }, "token" .. clients)
    mp:track "Secret"
    return mp
  end

  local function refused(mp, pattern)
    local why = nats.until_done(pattern, function() -- a busy machine may be late first
      local why = mp:stats().last_error
      return why and why:find(pattern) and why, why
    end)
    assert.matches("^nats: not connected to [%w.]+:%d+: %w", why)
    assert.equal(0, mp:stats().delivered)
    assert.equal(0, mp:stats().ambiguous)
    assert.equal(1, nats.waiting(mp))
    assert.same({}, mp:poll()) -- the server's fault, which may pass
    mp:close(0)
  end

  it("refuses an authority that it does not know", function()
    refused(client "localhost", "certificate")
    refused(client("localhost", "other.pem"), "certificate")
  end)

  it("refuses another's name", function()
    refused(client("127.0.0.1", "ca.pem"), "mismatch")
  end)

  it("delivers to a server that can be trusted", function()
    local mp = client("localhost", "ca.pem")
    nats.drain(mp)
    assert.equal(1, mp:stats().delivered)
    mp:close(20)
    servers:restart ""
    assert.equal(1, servers:count())
  end)

  it("sends nothing to a server without TLS", function()
    servers:restart ""
    refused(
      client("localhost", "ca.pem"),
      "it offers no TLS, which is a must for tls://, and beyond this machine for nats://, too$"
    )
  end)

  it("reports a file of authorities that cannot be read once, without its path", function()
    servers:restart ""
    nats.write(dir .. "/none.pem", "no certificate\n")
    for _, name in ipairs { "missing.pem", "none.pem" } do
      local mp = client("127.0.0.1", name, "nats")
      local report = nats.until_done("a report", function()
        return mp:poll()[1]
      end)
      assert.same({ "paused", 401 }, { report.outcome, report.status })
      assert.equal(
        ("nats: not connected to 127.0.0.1:%d: the certificates of option 'bus.ca_file' "):format(
          port
        )
          .. "cannot be read: expected a PEM file of certificates that this process may read",
        report.message
      )
      assert.equal(report.message, mp:stats().last_error)
      mp:flush(1) -- is tried again, many times
      assert.same({}, mp:poll())
      local ok, message, code = mp:check(nats.patience)
      assert.same({ nil, report.message, "unauthorized" }, { ok, message, code })
      assert.equal(1, nats.waiting(mp))
      nats.write(dir .. "/" .. name, process.slurp(dir .. "/ca.pem"))
      nats.drain(mp)
      assert.equal(1, mp:stats().delivered)
      mp:close(20)
    end
  end)

  -- libcurl has OpenSSL torn down at the end, wherever the driver's threads are by then.
  it("lets a process end while a connection is made ready", function()
    local many = dir .. "/many.pem"
    nats.write(many, process.slurp(dir .. "/ca.pem"):rep(AUTHORITIES))
    local dead = process.dead_port()
    for try = 1, TRIES do
      local printed, status = script.run(
        [[
          package.cpath = package.cpath .. ";" .. arg[1]
          local mp = require("mixpanel").new("projecttoken", {
            transport = "nats", bus = { servers = { arg[2] }, ca_file = arg[3] },
            flush_interval = 0.02, exit_timeout = 0,
          })
          mp:track "E"
          require("spec_posix").sleep(tonumber(arg[4]))
          os.exit(0)
        ]],
        nats.drivers,
        "tls://127.0.0.1:" .. dead.port,
        many,
        0.03 * try
      )
      assert.same({ "", 0 }, { printed, status })
    end
    dead.close()
  end)
end)
