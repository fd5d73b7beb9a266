-- What a check finds out of NATS, and that it stores nothing.
local nats = require "spec.support.nats"
local process = require "spec.support.process"

local PATIENCE_S = nats.patience

local USERS = [[
  authorization { users: [
    { user: "admin", password: "all" }
    { user: "host", password: "pass_word", permissions: {
      publish: [%q], subscribe: ["_INBOX.>"]
    } }
  ] }
]]

describe("A check of NATS", function()
  local servers, cpath, mp

  setup(function()
    cpath = package.cpath
    package.cpath = cpath .. ";" .. nats.drivers
  end)

  teardown(function()
    package.cpath = cpath
  end)

  after_each(function()
    mp:close(0)
    servers:stop()
  end)

  local function check()
    return { mp:check(PATIENCE_S) }
  end

  local function refused(code, text)
    local ok, message, why = mp:check(PATIENCE_S)
    assert.is_nil(ok)
    assert.truthy(message:find(text, 1, true), message)
    assert.equal(code, why)
  end

  -- Also one whose name begins like the option's, or is the beginning of it.
  it("says yes where a stream would store records, or the one of bus.stream", function()
    servers = nats.start()
    servers:create_stream()
    mp = servers:client()
    for _ = 1, 3 do
      assert.same({ true }, check())
    end
    mp:close(0)
    for name, right in pairs { MIXPANEL = true, MIXPANE = false, MIXPANELS = false } do
      mp = servers:client { bus = { stream = name } }
      if right then
        assert.same({ true }, check())
      else
        refused("network", "nats: another stream than option 'bus.stream' names has the subject")
      end
      mp:close(0)
    end
    mp = servers:client()
    assert.equal(0, servers:count())
    mp:track "E"
    nats.drain(mp)
    assert.equal(1, servers:count())
  end)

  it("asks three servers, too", function()
    servers = nats.start(3)
    servers:create_stream()
    servers:leader()
    mp = servers:client { bus = { stream = "MIXPANEL" } }
    assert.same({ true }, check())
    assert.equal(0, servers:count())
  end)

  it("says that no stream takes records, or that nobody is there", function()
    servers = nats.start()
    mp = servers:client()
    refused("network", "nats: no stream takes this subject, or its stream has no leader now")
    servers:create_stream()
    assert.same({ true }, check())
    nats.kill(servers.nodes[1])
    nats.until_done("the loss to be noticed", function()
      local _, message, code = mp:check(PATIENCE_S)
      return code == "network" and message:find "^nats: not connected to 127.0.0.1", message
    end)
    nats.revive(servers.nodes[1])
    nats.until_done("a connection", function()
      return mp:check(PATIENCE_S)
    end)
    assert.equal(0, servers:count())
    process.signal(servers.nodes[1].pid, "STOP")
    assert.same({ nil, "timeout: the bus has not answered yet", "timeout" }, { mp:check(0.1) })
    process.signal(servers.nodes[1].pid, "CONT")
  end)

  it("says what is wrong with the credentials, and shows none", function()
    servers = nats.start(1, USERS:format "another.>")
    servers.user, servers.password = "admin", "all"
    servers:create_stream()
    local path = servers.dir .. "/secret_path"
    local function credentials(text)
      nats.write(path, text)
      process.run("chmod 600 " .. path)
    end
    credentials "host\nanother_secret\n"
    mp = servers:client { bus = { credentials = path } }
    refused("unauthorized", "the credentials are wrong, or missing")
    assert.is_nil((select(2, mp:check(PATIENCE_S))):find "secret")
    credentials "host\npass_word\n"
    refused(
      "unauthorized",
      "nats: the credentials do not permit to publish on the project's subject"
    )
    servers:reconfigure(USERS:format "mp.>")
    nats.until_done("the permission", function()
      return mp:check(PATIENCE_S)
    end)
    assert.same({}, mp:poll())
    assert.equal(0, servers:count())
  end)
end)
