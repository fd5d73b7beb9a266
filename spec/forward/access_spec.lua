-- Forwarders whose bus asks who they are, or must show what it is.
local cli = require "spec.support.cli"
local forward = require "spec.support.forward"
local nats = require "spec.support.nats"
local process = require "spec.support.process"

describe("mixpanel forward", function()
  local servers, dir

  after_each(function()
    servers:stop()
  end)

  local function run(url, ...)
    return select(
      2,
      cli.run {
        "forward",
        "--create",
        "--replicas",
        "1",
        "--max-gigabytes",
        "0.1",
        "--bus",
        url,
        ...,
      }
    )
  end

  it("says what is wrong with credentials, without a word of them", function()
    servers = nats.start(1, [[authorization { users: [ { user: "robot", password: "right" } ] }]])
    servers.user, servers.password = "robot", "right"
    local path = servers.dir .. "/secret_path"
    local url = servers.urls[1]
    local function refused(message)
      local complaints = run(url, "--credentials", path)
      assert.truthy(complaints:find(message, 1, true), complaints)
      assert.is_nil(complaints:find("right", 1, true))
    end
    refused "cannot be read"
    nats.write(path, "robot\nwrong and not right\n")
    process.run("chmod 644 " .. path)
    refused "open to others than its owner: chmod 600 mends that"
    process.run("chmod 600 " .. path)
    refused "credentials"
    local complaints, status = run(url)
    assert.matches("credentials", complaints)
    assert.equal(7, status)
    nats.write(path, "robot\nright\n")
    assert.equal("", run(url, "--credentials", path))
  end)

  it("says what it is not permitted to do", function()
    servers = nats.start(
      1,
      [[authorization { users: [
        { user: "admin", password: "all" },
        { user: "robot", password: "some",
          permissions: { publish: { allow: [">"], deny: ["$JS.API.CONSUMER.MSG.NEXT.>"] } } }
      ] }]]
    )
    servers.user, servers.password = "admin", "all"
    for name, text in pairs { admin = "admin\nall\n", robot = "robot\nsome\n" } do
      nats.write(servers.dir .. "/" .. name, text)
      process.run(("chmod 600 %s/%s"):format(servers.dir, name))
    end
    assert.equal("", run(servers.urls[1], "--credentials", servers.dir .. "/admin"))
    local fleet = forward.new(servers, { url = "http://127.0.0.1:1" })
    fleet:projects { { token = "projecttoken" } }
    local forwarder = fleet:start {
      arguments = { "--credentials", servers.dir .. "/robot" },
    }
    forwarder:until_said "do not permit to publish on $JS.API.CONSUMER.MSG.NEXT.MIXPANEL."
    fleet:remove()
  end)

  it("trusts the authorities that it is told of", function()
    servers = nats.start()
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
    local url = ("tls://localhost:%d"):format(servers.nodes[1].port)
    assert.matches("certificate", run(url))
    assert.matches("certificate", run(url, "--ca-file", dir .. "/other.pem"))
    assert.matches("%-%-ca%-file", run(url, "--ca-file", dir .. "/missing.pem"))
    assert.equal("", run(url, "--ca-file", dir .. "/ca.pem"))
    local fleet = forward.new(servers, { url = "http://127.0.0.1:1" })
    fleet:projects { { token = "projecttoken" } }
    local waiting = fleet:start { bus = url, unready = true }
    waiting:until_said "certificate"
    fleet:start { bus = url, arguments = { "--ca-file", dir .. "/ca.pem" } }
    assert.is_true(waiting:alive())
    fleet:remove()
  end)
end)
