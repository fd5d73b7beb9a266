-- The secret of a service account goes into one header, over TLS, and is seen
-- nowhere else: not in a message, a report, a counter, a name or the trace.
local cjson = require "cjson"
local mime = require "mime"
local mixpanel = require "mixpanel"
local outcome = require "spec.support.outcome"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local ACCOUNT = {
  username = "bot.1a2b3c.mp-service-account",
  secret = "Zq7vTr0ub4dor-and-3",
  project_id = 4242,
}

-- The secret itself and every way base64 may write it, at any alignment.
local forms = { ACCOUNT.secret, ACCOUNT.secret:sub(2, 12) }
for shift = 0, 2 do
  local text = mime.b64(("x"):rep(shift) .. ACCOUNT.secret)
  forms[#forms + 1] = text:sub(shift == 0 and 1 or 5, -5)
end
forms[#forms + 1] = mime.b64(ACCOUNT.username .. ":" .. ACCOUNT.secret)

local function assert_secret_free(text, where)
  for _, form in ipairs(forms) do
    assert.is_nil(text:find(form, 1, true), where)
  end
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

describe("the secret of a service account", function()
  local server, trace

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
    server:config { accounts = { ACCOUNT } }
    trace = os.tmpname()
  end)

  after_each(function()
    os.remove(trace)
  end)

  local function client(options)
    local all = {
      api_host = server.tls_url,
      ca_file = server.ca_file,
      service_account = ACCOUNT,
      debug = trace,
      reports = "all",
      max_retry_delay = 0.1,
      request_timeout = 2,
    }
    for name, value in pairs(options or {}) do
      all[name] = value
    end
    return mixpanel.new("projecttoken", all)
  end

  local function import(mp, n)
    for i = 1, n do
      assert(mp:import("A", os.time() - i, { distinct_id = "u", n = i }))
    end
  end

  it("is in no trace, report, counter or message, whatever happens", function()
    local mp = client { name = "secret" }
    server:script {
      { endpoint = "/import", status = 401, body = { error = "Invalid credentials" } },
      { endpoint = "/import", status = 500, body = "<html>oops</html>" },
      { endpoint = "/import", close = "after" },
      { endpoint = "/import", close = "mid" },
      { endpoint = "/import", status = 302, headers = { Location = "https://example.com/" } },
      { endpoint = "/import", status = 204, body = "" },
      { endpoint = "/import", delay_ms = 4000 },
      { endpoint = "/import", status = 400, body = { failed_records = { "no" } }, times = 3 },
    }
    local said = { tostring(mp), tostring(mp.people) }
    import(mp, 10)
    mp:track("B", { distinct_id = "u" })
    mp.people:set("u", { a = 1 })
    assert(mp:flush(20))
    assert.is_true(mp:check(5))
    server:script { endpoint = "/import", status = 401 }
    local _, message = mp:check(5)
    said[#said + 1] = message
    said[#said + 1] = cjson.encode(outcome.check(mp, {
      delivered = mp:stats().delivered,
      rejected = mp:stats().rejected,
      ambiguous = mp:stats().ambiguous,
    }))
    said[#said + 1] = cjson.encode(mp:poll())
    mp:close()
    said[#said + 1] = tostring(mp)
    for _, text in ipairs(said) do
      assert_secret_free(text, text)
    end

    -- It did travel, and the trace did see that request.
    local travelled = 0
    for _, request in ipairs(server:requests()) do
      if request.auth then
        assert.equal(ACCOUNT.secret, request.auth.password)
        assert.is_true(request.tls)
        travelled = travelled + 1
      end
    end
    assert.is_true(travelled >= 10)
    local text = read(trace)
    assert.is_truthy(text:find("POST " .. server.tls_url .. "/import", 1, true))
    assert.is_truthy(text:find("Authorization: (left out)", 1, true))
    assert.is_truthy(text:find("HTTP 401", 1, true))
    assert.is_truthy(text:find("no reply: ", 1, true))
    assert.is_truthy(text:find('"event":"A"', 1, true))
    assert_secret_free(text, "the trace")
  end)

  it("is in no message of a wrong option", function()
    local wrong = {
      { api_host = server.url },
      { service_account = { secret = ACCOUNT.secret } },
      { service_account = { username = ACCOUNT.secret, secret = ACCOUNT.secret } },
      { service_account = { username = "a:b", secret = ACCOUNT.secret, project_id = 1 } },
      {
        service_account = { username = "a", secret = ACCOUNT.secret, project_id = ACCOUNT.secret },
      },
      { service_account = { username = "a", secret = ACCOUNT.secret, project_id = -1 } },
      { service_account = { username = "a", secret = { ACCOUNT.secret }, project_id = 1 } },
      { service_account = { username = "a", secret = ACCOUNT.secret .. "\0", project_id = 1 } },
      { service_account = { a = "a", secret = ACCOUNT.secret, project_id = 1, [1] = 2 } },
      { service_account = ACCOUNT.secret },
      { proxy = "http://user:" .. ACCOUNT.secret .. "@proxy with blanks" },
      { api_host = "https://user:" .. ACCOUNT.secret .. "@example.com" },
      { api_host = "http://user:" .. ACCOUNT.secret .. "@example.com" },
    }
    for i, options in ipairs(wrong) do
      local all = { service_account = ACCOUNT }
      for name, value in pairs(options) do
        all[name] = value
      end
      local ok, message = pcall(mixpanel.new, "projecttoken", all)
      assert.is_false(ok, "wrong options " .. i)
      assert_secret_free(message, message)
    end
  end)

  it("of a proxy is no more talkative", function()
    local mp = mixpanel.new("projecttoken", {
      name = "proxy",
      proxy = "http://user:" .. ACCOUNT.secret .. "@127.0.0.1:9",
      debug = trace,
      max_retry_delay = 0.1,
    })
    mp:track("A", { distinct_id = "u" })
    assert.is_nil(mp:flush(0.5))
    process.wait_for(function()
      return mp:stats().last_error
    end, "a failure")
    local text = cjson.encode(mp:stats()) .. cjson.encode(mp:poll()) .. tostring(mp) .. read(trace)
    assert.is_truthy(text:find("no reply: ", 1, true))
    assert_secret_free(text, text)
    mp:close(0)
  end)
end)
