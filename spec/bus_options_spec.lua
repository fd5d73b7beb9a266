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
      local ok, err = pcall(mixpanel.new, "t", { transport = "nats", bus = { servers = { "a" } } })
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
          { transport = transport or nil, bus = { servers = { "a" } } },
          "option 'bus' needs option 'transport' with the name of its driver"
        )
      end
    end)

    it("have names", function()
      for _, name in ipairs { "NATS", "", "n-1", "../x", "1a", ("n"):rep(33), "a\0b", 5 } do
        local ok, err = pcall(mixpanel.new, "t", { transport = name, bus = { servers = { "a" } } })
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
        { { servers = { "a", secret = "secret" } }, servers },
        { { servers = { "a", 5 } }, servers },
        { { servers = { "a", "" } }, servers },
        { { servers = { "a", "secret\0" } }, servers },
        { { servers = { "a", "tls://user:secret@n1" } }, at },
        { { servers = { "sec ret" } }, blank },
        { { servers = { "a" }, credentials = true }, path },
        { { servers = { "a" }, credentials = "" }, path },
        { { servers = { "a" }, credentials = "secret\0" }, path },
        {
          { servers = { "a" }, ca_file = 5 },
          "option 'bus.ca_file': expected the path of a PEM file",
        },
        {
          { servers = { "a" }, stream = {} },
          "option 'bus.stream': expected the name of a stream",
        },
        {
          { servers = { "a" }, password = "secret" },
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
        local options = { transport = "fake", bus = { servers = { "a" } }, [name] = value }
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
      local ok, err = pcall(mp.set_config, mp, { bus = { servers = { "b" } } })
      assert.is_false(ok)
      assert.truthy(err:find("option 'bus' decides where records go", 1, true))
      ok, err = pcall(mp.permit, mp, 1)
      assert.is_false(ok)
      assert.truthy(err:find('permit: with transport = "fake" records go to a bus', 1, true))
      assert.is_false(pcall(mp.next_request, mp))
    end)
  end)
end)
