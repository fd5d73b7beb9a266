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

  -- Each command says the same of its bus, and ends with the same status.
  local function each_fails(message, expected, ...)
    local projects = dir .. "/projects.lua"
    nats.write(projects, 'return { { token = "projecttoken" } }')
    for _, words in ipairs {
      { "forward", "--create" },
      { "forward", "--projects", projects },
      { "dead", "list" },
      { "dead", "resend", "1" },
    } do
      words[#words + 1] = "--bus"
      words[#words + 1] = servers.urls[1]
      for _, argument in ipairs { ... } do
        words[#words + 1] = argument
      end
      local printed, complaints, status = cli.run(words)
      assert.equal("", printed)
      assert.same({ message, expected }, { complaints:match "^mixpanel: (.*)\n$", status })
    end
  end

  it("says what is wrong with credentials, without a word of them", function()
    servers = nats.start(1, [[authorization { users: [ { user: "robot", password: "right" } ] }]])
    servers.user, servers.password = "robot", "right"
    dir = servers.dir
    local path = dir .. "/secret_path"
    local function refused(reason, of)
      of = of or path
      each_fails(("--credentials %s: %s"):format(of, reason), 5, "--credentials", of)
    end
    refused "No such file or directory"
    refused("it is no file", dir)
    nats.write(path, "robot\nwrong and not right\n")
    process.run("chmod 644 " .. path)
    refused "it is open to others than its owner: chmod 600 mends that"
    process.run("chmod 600 " .. path)
    local wrong = "nats: not connected to 127.0.0.1:%d: the credentials are wrong, or missing"
    wrong = wrong:format(servers.nodes[1].port)
    each_fails(wrong, 7, "--credentials", path)
    each_fails(wrong, 7)
    nats.write(path, "robot\n")
    refused "it holds neither those of NATS nor two lines, a user and a password"
    nats.write(path, "robot\nright\n")
    assert.equal("", run(servers.urls[1], "--credentials", path))
  end)

  it("says that credentials do not permit what a forwarder does", function()
    servers = nats.start(
      1,
      [[authorization { users: [ { user: "host", password: "some",
          permissions: { publish: { allow: ["mp.>"] } } } ] }]]
    )
    dir = servers.dir
    nats.write(dir .. "/host", "host\nsome\n")
    process.run(("chmod 600 %s/host"):format(dir))
    local url = servers.urls[1]
    for subject, words in pairs {
      ["MIXPANEL"] = { "forward", "--projects", dir .. "/projects.lua" },
      ["MIXPANEL_DEAD"] = { "dead", "list" },
    } do
      nats.write(dir .. "/projects.lua", 'return { { token = "projecttoken" } }')
      words[#words + 1] = "--bus"
      words[#words + 1] = url
      words[#words + 1] = "--credentials"
      words[#words + 1] = dir .. "/host"
      local _, complaints, status = cli.run(words)
      local asked = "do not permit to publish on $JS.API.STREAM.INFO." .. subject
      assert.equal("mixpanel: nats: the credentials " .. asked .. "\n", complaints)
      assert.equal(7, status)
    end
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
    for path, reason in pairs {
      [dir .. "/missing.pem"] = "no such file or directory",
      [dir] = "it is a directory",
    } do
      each_fails(
        ("--ca-file %s: %s; expected a PEM file"):format(path, reason),
        5,
        "--ca-file",
        path
      )
    end
    nats.write(dir .. "/no.pem", "no certificate\n")
    assert.matches(
      "the certificates of %-%-ca%-file cannot",
      run(url, "--ca-file", dir .. "/no.pem")
    )
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
