-- What mixpanel.new takes.
local mixpanel = require "mixpanel"
local raises = require "spec.support.raises"

describe("mixpanel.new", function()
  local token_fault = "; it stands in Mixpanel under project settings, access keys)"

  it("raises at the caller's line without a token", function()
    raises("bad argument #1 to 'new' (project token: string expected, got no value)", function()
      mixpanel.new()
    end)
    raises("bad argument #1 to 'new' (project token: string expected, got nil)", function()
      mixpanel.new(nil)
    end)
    raises("bad argument #1 to 'new' (project token: string expected, got number)", function()
      mixpanel.new(12345)
    end)
    raises("bad argument #1 to 'new' (project token: string expected, got table)", function()
      mixpanel.new { token = "t" }
    end)
  end)

  it("raises for a token that is none", function()
    raises("bad argument #1 to 'new' (the project token is empty" .. token_fault, function()
      mixpanel.new ""
    end)
    local bad = { "t\n", " t", "a b", "t\0", "tö", "a:b", 'a"b', "a\\b", "t\r", "\127" }
    for _, token in ipairs(bad) do
      raises(
        "bad argument #1 to 'new' (the project token has white space or another character "
          .. "no token has"
          .. token_fault,
        function()
          mixpanel.new(token)
        end
      )
    end
  end)

  it("raises for options that are no table", function()
    raises("bad argument #2 to 'new' (options: table expected, got string)", function()
      mixpanel.new("t", "eu")
    end)
    raises("bad argument #2 to 'new' (options: table expected, got boolean)", function()
      mixpanel.new("t", true)
    end)
  end)

  -- The message for one option of a wrong value.
  local function option(name, value, message)
    raises(("bad argument #2 to 'new' (%s)"):format(message), function()
      mixpanel.new("t", { [name] = value })
    end)
  end

  it("raises for an option that it does not know", function()
    option("sound", 5, "unknown option 'sound'")
    option("host", "h", "unknown option 'host': do you mean 'api_host'?")
    option("flush_intervall", 5, "unknown option 'flush_intervall': do you mean 'flush_interval'?")
    option("Residency", "eu", "unknown option 'Residency': do you mean 'residency'?")
    option(1, "eu", "unknown option 1: options have names")
    option(true, "eu", "unknown option true: options have names")
  end)

  it("raises for a residency or host that is none", function()
    local residency = 'option \'residency\': got %s, expected "us", "eu" or "in"'
    option("residency", "de", residency:format '"de"')
    option("residency", "EU", residency:format '"EU"' .. ': do you mean "eu"?')
    option("residency", 5, residency:format "5")
    option("residency", true, residency:format "true")
    option(
      "api_host",
      "api.mixpanel.com",
      [[option 'api_host': "api.mixpanel.com" must begin with https://: do you mean ]]
        .. [["https://api.mixpanel.com"?]]
    )
    option("api_host", "https://", [[option 'api_host': "https://" names no host]])
    for _, url in ipairs {
      "https://a b",
      "https://a?x=1",
      "https://a#b",
      "https://a:0",
      "https://a:65536",
      "https://a:99999/path",
      "https://user:pass@host",
    } do
      local ok, err = pcall(mixpanel.new, "t", { api_host = url })
      assert.is_false(ok)
      assert.matches("must be https://host[:port][/path] and nothing else", err, 1, true)
    end
    local ok, err = pcall(mixpanel.new, "t", { api_host = "https://h", residency = "us" })
    assert.is_false(ok)
    assert.matches("options 'residency' and 'api_host' exclude each other", err, 1, true)
  end)

  it("raises for plain http beyond loopback, or with a secret", function()
    local message =
      "would send records in the clear: use https://, or allow_http = true if you must"
    for _, url in ipairs {
      "http://example.com",
      "HTTP://example.com:80",
      "http://127.example.com",
      "http://localhost.example.com",
      "http://10.0.0.1",
      "http://[::2]:80",
    } do
      option("api_host", url, ([[option 'api_host': "%s" %s]]):format(url, message))
    end
    for _, url in ipairs {
      "http://127.0.0.1:1",
      "http://127.1.2.3/path",
      "http://localhost:8080",
      "http://[::1]:1",
      "https://example.invalid",
      "https://example.invalid/base/",
      "https://example.invalid:65535",
    } do
      mixpanel.new("t", { api_host = url }):close(0)
    end
    mixpanel.new("t", { api_host = "http://example.invalid", allow_http = true }):close(0)
    local account = { username = "u", secret = "hush", project_id = 5 }
    for _, options in ipairs {
      { api_host = "http://127.0.0.1:1", service_account = account },
      { api_host = "http://example.invalid", allow_http = true, service_account = account },
    } do
      raises(
        "bad argument #2 to 'new' (option 'service_account': its secret is never sent over "
          .. "plain http; use an https:// api_host)",
        function()
          mixpanel.new("t", options)
        end
      )
    end
  end)

  it("never shows what belongs to a service account", function()
    for _, account in ipairs {
      "hush",
      { username = "hush", secret = "hush" },
      { username = "hush", secret = {}, project_id = "hush" },
      { username = "hush", secret = "hush", project_id = "hush" },
      { username = "hush", secret = "hush", project_id = 1.5 },
      { username = "hush:", secret = "hush", project_id = 1 },
      { username = "hush", secret = "hush", project_id = 1, password = "hush" },
      { username = "hush", secret = "hush\0", project_id = 1 },
      { username = "hush", secret = "", project_id = 1 },
    } do
      local ok, err = pcall(mixpanel.new, "t", { service_account = account })
      assert.is_false(ok)
      assert.matches("option 'service_account'", err, 1, true)
      assert.is_nil(err:find("hush", 1, true))
    end
  end)

  it("says what the number of a service account's project is", function()
    for _, project_id in ipairs { false, -1, 1.5, "hush", {} } do
      local account = { username = "bot", secret = "s", project_id = project_id or nil }
      local ok, err = pcall(mixpanel.new, "t", { service_account = account })
      assert.is_false(ok)
      assert.matches("project_id must be the project's number", err, 1, true)
    end
  end)

  it("says so when a function of the module is called as a method", function()
    for name, argument in pairs { new = "t", array = { 1 }, object = {}, date = 5 } do
      local ok, message = pcall(function()
        mixpanel[name](mixpanel, argument)
      end)
      assert.is_false(ok)
      local expected = ("call mixpanel.%s with a dot, not with a colon"):format(name)
      assert.is_truthy(message:find(expected, 1, true), message)
      assert.matches("client_options_spec.lua:%d+: ", message)
    end
    assert.is_truthy(mixpanel.array(mixpanel))
  end)

  it("raises for numbers out of range, naming what would be right", function()
    for name, case in pairs {
      max_batch_size = { "an integer from 1 to 2000", 0, 2001, 1.5, 0 / 0, "5", {} },
      max_in_flight = { "an integer from 1 to 20", 0, 21, 1 / 0, true },
      max_rate = { "records a second from 0.1 to 1e9, or false", 0, 0.09, 1.1e9, true, "5" },
      max_stuck = { "seconds above 0, up to 1e9, or false", 0, -1, 1.1e9, true, "5" },
      max_byte_rate = { "bytes a second from 65536 to 1e9, or false", 0, 65535, 1 / 0, true },
      max_queue_bytes = { "an integer from 65536 to 1099511627776", 65535, -1, 2 ^ 41 },
      gzip = { "a level from 1 to 12, true or false", 0, 13, 1.5, "1" },
      flush_interval = { "seconds from 0 to 86400", -1, 86401, 0 / 0, "5" },
      connect_timeout = { "seconds above 0, up to 3600", 0, 3601 },
      request_timeout = { "seconds above 0, up to 3600", 0, -1 },
      exit_timeout = { "seconds from 0 to 3600", -1, 3601 },
      max_retry_delay = { "seconds above 0, up to 3600", 0 },
      geolocate = { "true or false", 1, "yes" },
      profile_time = { "true or false", 1, "ms" },
      properties = { "a table", 5, "x" },
      on_invalid = { '"repair" or "reject"', "ignore", 5 },
      events_via = { '"track" or "import"', "engage", true },
    } do
      for i = 2, #case do
        local ok, err = pcall(mixpanel.new, "t", { [name] = case[i] })
        assert.is_false(ok)
        assert.matches(("option '%s': got "):format(name), err, 1, true)
        assert.matches("expected " .. case[1], err, 1, true)
      end
    end
    option(
      "max_batch_size",
      2001,
      "option 'max_batch_size': got 2001, expected an integer from 1 to 2000"
    )
    option(
      "ca_file",
      "/no/such/file",
      [[option 'ca_file': "/no/such/file" cannot be read as a file of PEM certificates]]
    )
  end)

  it("reads options raw, and changes none", function()
    local options = setmetatable({ residency = "eu", properties = { a = 1 } }, {
      __index = function()
        error "called"
      end,
      __newindex = function()
        error "called"
      end,
      __pairs = function()
        error "called"
      end,
    })
    local mp = mixpanel.new("t", options)
    assert.matches("api-eu.mixpanel.com", tostring(mp), 1, true)
    assert.equal("eu", rawget(options, "residency"))
    mp:close(0)
  end)
end)
