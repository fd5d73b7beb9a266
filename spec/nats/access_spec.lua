-- Who may connect, and what becomes of records of those who may not.
local keys = require "spec.support.nats_keys"
local nats = require "spec.support.nats"
local process = require "spec.support.process"

local USERS = [[
  authorization { users: [
    { user: "admin", password: "all" }
    { user: "host", password: %q, permissions: {
      publish: ["%s.>"], subscribe: ["%s.>"]
    } }
  ] }
]]

describe("NATS with credentials", function()
  local servers, cpath, path

  setup(function()
    cpath = package.cpath
    package.cpath = cpath .. ";" .. nats.drivers
  end)

  teardown(function()
    package.cpath = cpath
  end)

  local function start(password, publish, subscribe)
    servers = nats.start(1, USERS:format(password, publish or "mp", subscribe or "_INBOX"))
    servers.user, servers.password = "admin", "all"
    servers:create_stream()
    path = servers.dir .. "/secret_path"
  end

  after_each(function()
    servers:stop()
  end)

  local function credentials(text)
    nats.write(path, text)
    process.run("chmod 600 " .. path)
  end

  local function paused(mp)
    local report = nats.until_done("a report", function()
      return mp:poll()[1]
    end)
    assert.equal("paused", report.outcome)
    assert.equal(401, report.status)
    assert.is_nil(report.message:find(path, 1, true))
    return report.message
  end

  local function client()
    local mp = servers:client { bus = { credentials = path } }
    mp:mark()
    mp:track "E"
    return mp
  end

  local function delivered(mp)
    nats.drain(mp)
    assert.equal(1, mp:stats().delivered)
    assert.equal(1, servers:count())
    mp:close(20)
  end

  it("delivers for a user with the least permissions, and shows no password", function()
    start "pass_word"
    credentials "host\npass_word\n"
    local trace = servers.dir .. "/trace"
    local mp = servers:client { debug = trace, bus = { credentials = path } }
    mp:track "E"
    delivered(mp)
    local message = servers:messages()[1]
    for _, text in ipairs {
      process.slurp(trace),
      tostring(mp),
      message.head,
      require("cjson").encode(nats.records(message)),
    } do
      for _, secret in ipairs { "pass_word", "host", "secret_path" } do
        assert.is_nil(text:find(secret, 1, true), text)
      end
    end
  end)

  it("reports a wrong password once, and goes on when it was mended", function()
    start "pass_word"
    credentials "host\nanother_secret\n"
    local mp = client()
    local message = paused(mp)
    assert.matches("^nats: not connected to 127.0.0.1:%d+: the credentials are wrong", message)
    assert.is_nil(message:find("another_secret", 1, true))
    mp:flush(1) -- is refused again, many times
    assert.same({}, mp:poll())
    assert.equal(1, nats.waiting(mp))
    credentials "host\r\npass_word\r\n"
    delivered(mp)
  end)

  it("does without credentials that others may read, or that are none", function()
    start "pass_word"
    credentials "host\npass_word\n"
    process.run("chmod 640 " .. path)
    local mp = client()
    assert.equal(
      "nats: the file of credentials is open to others than its owner: chmod 600 mends that",
      paused(mp)
    )
    for text, pattern in pairs {
      ["pass_word"] = "holds neither",
      ["host\n\n"] = "holds neither",
      ["host\npass_word\nthird"] = "holds neither",
      ["-----BEGIN NATS USER JWT-----\npass_word"] = "holds neither",
      [("x"):rep(20000)] = "is too large",
    } do
      credentials(text)
      nats.until_done(pattern, function()
        mp:flush(0.2)
        return mp:stats().last_error:find(pattern), mp:stats().last_error
      end)
      assert.is_nil(mp:stats().last_error:find("pass_word", 1, true))
    end
    os.remove(path)
    nats.until_done("a missing file", function()
      mp:flush(0.2)
      return mp:stats().last_error:find "cannot be read: No such file"
    end)
    credentials "host\npass_word\n"
    delivered(mp)
  end)

  it("reports that publishing is not permitted, until it is", function()
    start("pass_word", "another")
    credentials "host\npass_word"
    local mp = client()
    assert.equal(
      "nats: the credentials do not permit to publish on the project's subject",
      paused(mp)
    )
    assert.equal(0, servers:count())
    servers:reconfigure(USERS:format("pass_word", "mp", "_INBOX"))
    delivered(mp)
  end)

  it("reports that no answer can be had", function()
    start("pass_word", "mp", "another")
    credentials "host\npass_word"
    local mp = client()
    assert.matches("do not permit to subscribe to _INBOX", paused(mp))
    servers:reconfigure(USERS:format("pass_word", "mp", "_INBOX"))
    delivered(mp)
  end)

  -- Without a stream, which only who may connect gets to hear.
  it("takes the credentials of NATS, and not those with another's key", function()
    local dir = process.read("mktemp -d " .. os.getenv "NATS_DIR" .. "/XXXXXX")
    local operator, system = keys.new(dir, "operator"), keys.new(dir, "account")
    local account, user = keys.new(dir, "account"), keys.new(dir, "user")
    local limits = { subs = -1, data = -1, payload = -1, conn = -1, leaf = -1 }
    limits.imports, limits.exports, limits.wildcards = -1, -1, true
    servers = nats.start(
      1,
      ("operator: %s\nsystem_account: %s\n"):format(keys.vouch(operator, operator, {}), system.id)
        .. ("resolver: MEMORY\nresolver_preload: { %s: %s, %s: %s }"):format(
          system.id,
          keys.vouch(operator, system, { limits = limits }),
          account.id,
          keys.vouch(operator, account, { limits = limits })
        )
    )
    path = servers.dir .. "/secret_path"
    local jwt = keys.vouch(account, user, { subs = -1, data = -1, payload = -1 })
    credentials(keys.credentials(jwt, keys.new(dir, "user").seed))
    local mp = client()
    assert.matches("the credentials are wrong", paused(mp))
    credentials(keys.credentials(jwt, user.seed))
    nats.until_done("another error", function()
      mp:flush(0.2)
      return mp:stats().last_error:find "^nats: no stream", mp:stats().last_error
    end)
    mp:close(0)
    process.run("rm -r " .. dir)
  end)

  it("takes no user in a URL", function()
    start "pass_word"
    local ok, why = pcall(function()
      local mp = servers:client {
        bus = { servers = { "nats://host:pass_word@127.0.0.1:" .. servers.nodes[1].port } },
      }
      mp:track "E"
      nats.until_done("an error", function()
        return mp:stats().last_error
      end)
      error(mp:stats().last_error)
    end)
    assert.is_false(ok)
    assert.is_nil(tostring(why):find("pass_word", 1, true))
  end)
end)
