-- Requests by way of a proxy: how it is asked, what it may refuse, and that
-- its password is seen by nobody else.
local cjson = require "cjson"
local mime = require "mime"
local mixpanel = require "mixpanel"
local peer = require "spec.support.peer"
local process = require "spec.support.process"
local project = require "spec.support.project"
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"

local PASSWORD = "Zq7vTr0ub4dor"

local function read(path)
  return assert(process.slurp(path))
end

describe("a proxy", function()
  local proxy

  before_each(function()
    proxy = peer.open()
  end)

  after_each(function()
    proxy:close()
  end)

  local function url(credentials)
    return ("http://%s127.0.0.1:%d"):format(credentials or "", proxy.port)
  end

  local function track(mp)
    assert(mp:track("A", { distinct_id = "u" }))
    mp:flush(0)
  end

  it("gets its user and password in a header of its own", function()
    local mp = project("http://127.0.0.1:9", { proxy = url("user:p%40ss%2F1@") })
    track(mp)
    local connection = proxy:accept()
    local head = peer.read(connection)
    peer.reply(connection, "1")
    assert(mp:flush(10))
    assert.matches("^POST http://127.0.0.1:9/track", head)
    assert.is_truthy(head:find("Proxy-Authorization: Basic " .. mime.b64 "user:p@ss/1", 1, true))
    mp:close()
  end)

  -- One event, sent by a process with this environment.
  local function run(environment, host, option)
    local path = script.write(([[
      local mp = require("mixpanel").new("projecttoken", {
        api_host = %q, proxy = %s, request_timeout = 5, max_retry_delay = 0.1 })
      assert(mp:track("A", { distinct_id = "u" }))
      mp:flush(5)
      print(require("cjson").encode(mp:stats()))
      mp:close(0)
    ]]):format(host, option and ("%q"):format(option) or "nil"))
    local command = ("env %s timeout 60 %s %s"):format(environment, script.interpreter, path)
    return assert(io.popen(command)), path
  end

  it("is used whatever NO_PROXY says", function()
    local pipe, path = run("NO_PROXY='*' no_proxy=127.0.0.1", "http://127.0.0.1:9", url())
    local connection = proxy:accept()
    peer.read(connection)
    peer.reply(connection, "1")
    assert.equal(1, cjson.decode(pipe:read "*a").delivered)
    pipe:close()
    os.remove(path)
  end)

  it("of the environment is not used, nor are curl's own files", function()
    local server = sandbox.start()
    local home = process.read "mktemp -d"
    for name, text in pairs {
      [".netrc"] = "machine 127.0.0.1 login user password " .. PASSWORD,
      [".curlrc"] = "proxy = " .. url(),
    } do
      local file = assert(io.open(home .. "/" .. name, "w"))
      file:write(text, "\n")
      file:close()
    end
    local environment = ("HOME=%s CURL_HOME=%s NETRC=%s/.netrc"):format(home, home, home)
    for name in ("http_proxy HTTPS_PROXY https_proxy ALL_PROXY all_proxy"):gmatch "%S+" do
      environment = ("%s %s=%s"):format(environment, name, url())
    end
    local pipe, path = run(environment, server.url)
    assert.equal(1, cjson.decode(pipe:read "*a").delivered)
    pipe:close()
    assert.is_nil(cjson.encode(server:requests()):find("uthorization", 1, true))
    os.remove(path)
    process.run("rm -r " .. home)
    server:stop()
  end)

  -- Sends by way of `proxy_url` until something failed, and returns everything
  -- that the client says of it.
  local function fail(proxy_url)
    local trace = os.tmpname()
    local mp = project("https://api.mixpanel.invalid", {
      proxy = proxy_url,
      debug = trace,
      reports = "all",
      request_timeout = 2,
    })
    track(mp)
    return mp,
      function()
        local last = process.wait_for(function()
          return mp:stats().last_error
        end, "a failure")
        local text = cjson.encode { mp:stats(), mp:poll(), tostring(mp), read(trace) }
        mp:close(0)
        os.remove(trace)
        return text, last
      end
  end

  local function answer_connect(head)
    local connection = proxy:accept()
    local line = assert(connection:receive "*l")
    repeat
      local header = assert(connection:receive "*l")
    until header == ""
    connection:send(head .. "\r\nContent-Length: 0\r\n\r\n")
    connection:close()
    return line
  end

  it("that wants other credentials says so", function()
    local _, outcome = fail(url("user:" .. PASSWORD .. "@"))
    local line = answer_connect 'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="x"'
    assert.equal("CONNECT api.mixpanel.invalid:443 HTTP/1.1", line)
    local text, last = outcome()
    assert.matches("the proxy answered 407: it wants a user and a password", last, 1, true)
    assert.is_nil(text:find(PASSWORD, 1, true))
  end)

  it("that wants other credentials pauses, and is not asked again at once", function()
    local mp = project("https://api.mixpanel.invalid", { proxy = url(), max_retry_delay = 60 })
    track(mp)
    answer_connect 'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="x"'
    local report = process.wait_for(function()
      return mp:poll()[1]
    end, "a report")
    assert.equal("paused", report.outcome)
    assert.equal("/track", report.endpoint)
    assert.matches("a user and a password in option 'proxy'", report.message, 1, true)
    assert.equal(1, mp:stats().queued)
    mp:track("B", { distinct_id = "u" })
    mp:flush(0)
    proxy.listener:settimeout(3) -- a failure of the network is tried again after 2
    assert.is_nil((proxy.listener:accept()))
    assert.same({}, mp:poll())
    assert.equal(2, mp:stats().queued)
    mp:close(0)
  end)

  it("that passes nothing on says so", function()
    local _, outcome = fail(url())
    answer_connect "HTTP/1.1 403 No"
    local _, last = outcome()
    assert.matches("the proxy answered 403 to CONNECT", last, 1, true)
  end)

  it("whose URL has a typo shows no password", function()
    local wrong = {
      "user:" .. PASSWORD .. "@proxy:3128",
      "htp://user:" .. PASSWORD .. "@proxy:3128",
      "http//user:" .. PASSWORD .. "@proxy:3128",
      "http:/user:" .. PASSWORD .. "@proxy:3128",
      "http:///user:" .. PASSWORD .. "@proxy:3128",
      "http://user:" .. PASSWORD,
      "http://user:" .. PASSWORD .. "@",
      "http://user:" .. PASSWORD .. ":proxy:3128",
      "http://user:" .. PASSWORD .. "proxy:3128",
      "http://user:" .. PASSWORD .. "@proxy:port",
      "http://user:" .. PASSWORD .. "@proxy:99999",
      "http://user:" .. PASSWORD .. "@proxy:0",
      "http://user:" .. PASSWORD .. "@proxy:3128/path",
      "http://user:" .. PASSWORD .. "@proxy:3128?",
      "http://user:" .. PASSWORD .. "@proxy,3128",
      "http://user:" .. PASSWORD .. "%00@proxy:3128",
      "http://user:a@" .. PASSWORD .. "@proxy:3128",
      "http://user:12/" .. PASSWORD .. "@proxy:3128",
      "http://user:12#" .. PASSWORD .. "@proxy:3128",
      "http://user:12?" .. PASSWORD .. "@proxy:3128",
      "http://user:" .. PASSWORD .. "\t@proxy:3128",
      "ftp://user:" .. PASSWORD .. "@proxy:3128",
    }
    local mp = mixpanel.new("projecttoken", { name = "proxy typo" })
    for _, typo in ipairs(wrong) do
      for _, call in ipairs {
        function()
          mixpanel.new("projecttoken", { proxy = typo })
        end,
        function()
          mp:set_config { proxy = typo }
        end,
      } do
        local ok, message = pcall(call)
        assert.is_false(ok, typo)
        assert.matches("option 'proxy'", message, 1, true)
        assert.is_nil(message:find(PASSWORD, 1, true), message)
      end
    end
    mp:close(0)
  end)

  it("that half a password was taken for is not named", function()
    local _, outcome = fail "http://user.Zq7vTr0ub4dor.invalid:3128" -- "." for ":"
    local text, last = outcome()
    assert.matches("option 'proxy'", last, 1, true)
    assert.is_nil(text:find(PASSWORD, 1, true))
    local dead = process.dead_port()
    _, outcome = fail("http://127.0.0.1:" .. dead.port) -- a password that is a port
    text, last = outcome()
    dead.close()
    assert.matches("option 'proxy'", last, 1, true)
    assert.is_nil(text:find(tostring(dead.port), 1, true))
  end)
end)
