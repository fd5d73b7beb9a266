-- Whom a client trusts, and who can read what it sends.
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"

describe("TLS", function()
  local server, other

  setup(function()
    server = sandbox.start()
    other = process.read "mktemp -d" -- an authority that vouches for nobody
    process.run(
      "cd "
        .. other
        .. " && openssl req -x509 -newkey rsa:2048 -nodes -subj '/CN=Other' "
        .. "-keyout key.pem -out ca.pem 2>log"
    )
  end)

  teardown(function()
    server:stop()
    process.run("rm -r " .. other)
  end)

  before_each(function()
    server:reset()
  end)

  -- One event, sent by a process that `before` starts; what it says of it.
  local function run(before, options)
    local path = script.write(([[
      local options = require("cjson").decode(%q)
      local mp = require("mixpanel").new("projecttoken", options)
      assert(mp:track("A", { distinct_id = "u" }))
      local stats
      for _ = 1, 300 do -- until the first reply or failure, which may take a while
        mp:flush(0.1)
        stats = mp:stats()
        if stats.last_error or stats.delivered > 0 then
          break
        end
      end
      print(require("cjson").encode(stats))
      mp:close(0)
    ]]):format(cjson.encode(options)))
    local text = script.shell(("%s timeout 60 %s %s"):format(before, script.interpreter, path))
    os.remove(path)
    return cjson.decode(text)
  end

  -- The system's files that a client with these options looks at.
  local function seen(options)
    local trace = os.tmpname()
    options.api_host = server.tls_url
    options.request_timeout = 30
    local stats = run("strace -f -qq -e trace=%file -o " .. trace, options)
    local text = process.slurp(trace)
    os.remove(trace)
    assert.equal(0, stats.delivered)
    assert.matches("certificate", stats.last_error)
    local paths = {}
    for path in text:gmatch '"(/etc/ssl/certs[^"]*)"' do
      paths[#paths + 1] = path
    end
    return paths
  end

  it("asks the system's authorities only without ca_file and ca_path", function()
    assert.is_true(#seen {} > 0)
    assert.same({}, seen { ca_file = other .. "/ca.pem" })
    assert.same({}, seen { ca_path = other })
    assert.same({}, seen { ca_file = other .. "/ca.pem", ca_path = other })
  end)

  it("pauses where a certificate does not verify, and says what to do", function()
    local mp = mixpanel.new("unverified", { api_host = server.tls_url })
    assert(mp:track("A", { distinct_id = "u" }))
    mp:flush(0)
    local report = process.wait_for(function()
      return mp:poll()[1]
    end, "a report")
    assert.equal("paused", report.outcome)
    assert.equal("/track", report.endpoint)
    assert.matches("certificate", report.message)
    assert.matches("set option 'ca_file' to the authority", report.message, 1, true)
    assert.equal(1, mp:stats().queued)
    assert.equal(0, mp:stats().ambiguous)
    mp:close(0)
  end)

  it("takes authorities from a directory", function()
    local directory = other .. "/trusted"
    local hash = process.read("openssl x509 -noout -hash -in " .. server.ca_file)
    process.run(("mkdir %s && cp %s %s/%s.0"):format(directory, server.ca_file, directory, hash))
    local mp = mixpanel.new("projecttoken", { api_host = server.tls_url, ca_path = directory })
    assert(mp:track("A", { distinct_id = "u" }))
    assert(mp:flush(10))
    mp:close()
  end)

  it("takes no authorities from the environment", function()
    local stats =
      run(("env SSL_CERT_FILE=%s SSL_CERT_DIR=%s/trusted"):format(server.ca_file, other), {
        api_host = server.tls_url,
        request_timeout = 30,
      })
    assert.equal(0, stats.delivered)
    assert.matches("certificate", stats.last_error)
  end)

  it("writes no keys to SSLKEYLOGFILE", function()
    local keys = other .. "/keys"
    local stats = run("env SSLKEYLOGFILE=" .. keys, {
      api_host = server.tls_url,
      ca_file = server.ca_file,
      request_timeout = 10,
    })
    assert.equal(1, stats.delivered)
    assert.equal("", process.slurp(keys) or "")
  end)

  -- The sandbox is no proxy: it refuses CONNECT, once it was trusted.
  local function by_way_of_https(options)
    options.api_host = server.tls_url
    options.proxy = server.tls_url
    options.request_timeout = 30
    return run("env SSLKEYLOGFILE=" .. other .. "/proxy_keys", options).last_error
  end

  it("verifies an https proxy in the same way", function()
    assert.matches("certificate", by_way_of_https {})
    assert.matches("certificate", by_way_of_https { ca_file = other .. "/ca.pem" })
    assert.matches(
      "the proxy answered %d+ to CONNECT",
      by_way_of_https { ca_file = server.ca_file }
    )
    assert.equal("", process.slurp(other .. "/proxy_keys") or "")
  end)
end)
