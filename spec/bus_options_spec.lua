-- What mixpanel.new takes for a message bus, and where its driver is found.
local fake = require "spec.support.bus"
local mixpanel = require "mixpanel"
local raises = require "spec.support.raises"

describe("a bus's", function()
  local bus, cpath

  setup(function()
    cpath = package.cpath
    package.cpath = cpath .. ";" .. fake.drivers
  end)

  teardown(function()
    package.cpath = cpath
  end)

  before_each(function()
    bus = fake.new()
  end)

  after_each(function()
    bus:remove()
  end)

  local function client()
    return mixpanel.new("projecttoken", { transport = "fake", bus = { servers = bus.servers } })
  end

  describe("driver", function()
    local function fails(name, message)
      raises(("bad argument #2 to 'new' (option 'transport': %s)"):format(message), function()
        mixpanel.new("t", { transport = name, bus = { servers = { "fake:/nowhere" } } })
      end)
    end

    local function path(name)
      return (fake.drivers:gsub("%?", "mixpanel_" .. name))
    end

    it("is looked for along package.cpath", function()
      local before = package.cpath
      local for_all = path "fake" -- which is there, and names no driver
      package.cpath = "/nowhere/?.so;" .. for_all .. ";;./?/of.so"
      local ok, err =
        pcall(mixpanel.new, "t", { transport = "nats", bus = { servers = { "fake:a" } } })
      package.cpath = before
      assert.is_false(ok)
      assert.equal(
        'option \'transport\': "nats" is neither "curl" nor "manual", and no driver of that '
          .. "name is there:\n\tno file '/nowhere/mixpanel_nats.so'\n"
          .. "\tno file './mixpanel_nats/of.so'",
        err:match "%((.*)%)$"
      )
    end)

    it("must be made for this version of the interface", function()
      for name, version in pairs { old = 0, new = 3 } do
        local made = ("driver '%s' is made for version %d of the drivers' interface, "):format(
          path(name),
          version
        )
        fails(name, made .. "and this module for version 2: build both of one release")
      end
    end)

    it("must be one", function()
      fails(
        "empty",
        ("driver '%s' is no driver of that name: it does not export mp_bus_driver_empty"):format(
          path "empty"
        )
      )
    end)

    it("must find its libraries", function()
      local ok, err =
        pcall(mixpanel.new, "t", { transport = "broken", bus = { servers = { "fake:/nowhere" } } })
      assert.is_false(ok)
      assert.truthy(err:find("driver '" .. path "broken" .. "' cannot be loaded: ", 1, true), err)
      assert.truthy(err:find("no_library_has_this", 1, true), err)
    end)

    it("is not opened before the first record", function()
      local mp = client()
      assert.equal("mixpanel.client (projecttoken, fake, 0 queued)", tostring(mp))
      assert.same({}, bus:log "open")
      assert.is_true(mp:track "E")
      assert.is_true(mp:flush(20))
      assert.equal(1, #bus:log "open")
    end)
  end)

  describe("options", function()
    local function fails(options, message)
      raises(("bad argument #2 to 'new' (%s)"):format(message), function()
        mixpanel.new("t", options)
      end)
    end

    it("need each other", function()
      local needs = "option 'transport': \"fake\" needs option 'bus.servers', a list of URLs "
        .. 'such as "tls://n1:4222"'
      fails({ transport = "fake" }, needs)
      fails({ transport = "fake", bus = {} }, needs)
      for _, transport in ipairs { false, "curl", "manual" } do
        fails(
          { transport = transport or nil, bus = { servers = { "fake:a" } } },
          "option 'bus' needs option 'transport' with the name of its driver"
        )
      end
    end)

    it("have names", function()
      for _, name in ipairs { "NATS", "", "n-1", "../x", "1a", ("n"):rep(33), "a\0b", 5 } do
        local ok, err =
          pcall(mixpanel.new, "t", { transport = name, bus = { servers = { "fake:a" } } })
        assert.is_false(ok)
        assert.truthy(
          err:find('expected "curl", "manual" or the name of a bus\'s driver)', 1, true),
          err
        )
      end
    end)

    it("are checked, and never shown", function()
      local servers = "option 'bus.servers': expected a list of URLs such as \"tls://n1:4222\""
      local path = "option 'bus.credentials': expected the path of a file"
      local at = "option 'bus.servers': URL 2 has an @: who may connect is what the file of "
        .. "bus.credentials says"
      local blank = "option 'bus.servers': URL 1 has white space or another character no URL has"
      local cases = {
        { "secret", "option 'bus': expected { servers =, credentials =, ca_file =, stream = }" },
        { { servers = "secret" }, servers },
        { { servers = {} }, servers },
        { { servers = { "fake:a", secret = "secret" } }, servers },
        { { servers = { "fake:a", 5 } }, servers },
        { { servers = { "fake:a", "" } }, servers },
        { { servers = { "fake:a", "secret\0" } }, servers },
        { { servers = { "fake:a", "tls://user:secret@n1" } }, at },
        { { servers = { "sec ret" } }, blank },
        { { servers = { "fake:a" }, credentials = true }, path },
        { { servers = { "fake:a" }, credentials = "" }, path },
        { { servers = { "fake:a" }, credentials = "secret\0" }, path },
        {
          { servers = { "fake:a" }, ca_file = 5 },
          "option 'bus.ca_file': expected the path of a PEM file",
        },
        {
          { servers = { "fake:a" }, stream = {} },
          "option 'bus.stream': expected the name of a stream",
        },
        {
          { servers = { "fake:a" }, password = "secret" },
          "option 'bus': \"password\" is none of servers, credentials, ca_file and stream",
        },
        {
          { "secret" },
          "option 'bus': 1 is none of servers, credentials, ca_file and stream",
        },
      }
      for _, case in ipairs(cases) do
        fails({ transport = "fake", bus = case[1] }, case[2])
      end
    end)

    local function server(url, fault)
      fails({ transport = "fake", bus = { servers = { "fake:a", url } } }, fault)
    end

    it("name servers that can be, whatever the bus", function()
      local faults = {
        ['has no scheme: expected one such as "tls://n1:4222"'] = {
          "foo",
          "n1:4222",
          "127.0.0.1:4222",
          "[::1]:4222",
          "//n1",
          "://n1",
          "nats:",
        },
        ['names no host: expected one such as "tls://n1:4222" or "tls://[::1]:4222"'] = {
          "tls://",
          "tls://:4222",
          "tls:///path",
          "tls://[::1",
          "tls://[]:1",
          "tls://[::1]4222",
        },
        ['has no port from 1 to 65535 behind its host: expected one such as "tls://n1:4222"'] = {
          "tls://n1:",
          "tls://n1:0",
          "tls://n1:65536",
          "tls://n1:99999",
          "tls://n1:000001",
          "tls://n1:x",
          "tls://n1:-1",
          "tls://n1:1x",
          "tls://[::1]:0",
        },
      }
      for fault, urls in pairs(faults) do
        for _, url in ipairs(urls) do
          server(url, ("option 'bus.servers': URL 2, \"%s\", %s"):format(url, fault))
        end
      end
      local scheme = 'has no scheme: expected one such as "tls://n1:4222"'
      server(
        ("x"):rep(300),
        ("option 'bus.servers': URL 2, \"%s\"..., %s"):format(("x"):rep(40), scheme)
      )
      for _, url in ipairs {
        "fake:/tmp/dir",
        "FAKE://n1",
        "fake+tls://n1.example:65535/path?query",
        "fake://[::1]",
        "fake://[::1]:1",
      } do
        local options = { transport = "fake", bus = { servers = { url } } }
        assert.truthy(mixpanel.new("projecttoken", options))
      end
    end)

    it("name a stream without white space", function()
      for name, shown in pairs {
        ["a b"] = '"a b"',
        ["a\n"] = '"a\\n"',
        [("x "):rep(200)] = '"' .. ("x "):rep(20) .. '"...',
      } do
        fails(
          { transport = "fake", bus = { servers = { "fake:a" }, stream = name } },
          ("option 'bus.stream': got %s, expected the name of a stream, "):format(shown)
            .. "which has no white space"
        )
      end
      local options = { transport = "fake", bus = { servers = { "fake:a" }, stream = "a.b/c" } }
      assert.truthy(mixpanel.new("projecttoken", options))
    end)

    it("that say how Mixpanel is reached belong elsewhere", function()
      local message = "option '%s' says how Mixpanel is reached; with transport = \"fake\" "
        .. "records go to a bus, and that belongs to who forwards them from there"
      local others = {
        residency = "eu",
        api_host = "https://host",
        allow_http = true,
        service_account = { username = "u", secret = "secret", project_id = 1 },
        events_via = "import",
        geolocate = false,
        max_rate = 5,
        max_byte_rate = 1e6,
        proxy = "http://u:secret@proxy:1",
        ca_file = "/etc/ssl/certs/ca-certificates.crt",
        ca_path = "/etc/ssl/certs",
        flags = "local",
      }
      for name, value in pairs(others) do
        local options = { transport = "fake", bus = { servers = { "fake:a" } }, [name] = value }
        fails(options, message:format(name))
      end
      local mp = client()
      for _, name in ipairs { "geolocate", "max_rate", "proxy", "ca_file", "ca_path" } do
        local ok, err = pcall(mp.set_config, mp, { [name] = others[name] })
        assert.is_false(ok)
        assert.truthy(err:find(message:format(name), 1, true), err)
      end
      assert.is_true(mp:set_config { flush_interval = 1 })
    end)

    it("cannot be changed, and some methods have no use", function()
      local mp = client()
      local ok, err = pcall(mp.set_config, mp, { bus = { servers = { "fake:b" } } })
      assert.is_false(ok)
      assert.truthy(err:find("option 'bus' decides where records go", 1, true))
      ok, err = pcall(mp.permit, mp, 1)
      assert.is_false(ok)
      assert.truthy(err:find('permit: with transport = "fake" records go to a bus', 1, true))
      assert.is_false(pcall(mp.next_request, mp))
    end)
  end)
end)
