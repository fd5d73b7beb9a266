-- The command line of forwarders: what it makes, what it refuses, and how it says so.
local cli = require "spec.support.cli"
local forwarding = require "spec.support.forwarding"
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local socket = require "socket"
local unpack = table.unpack or unpack -- luacheck: ignore

describe("mixpanel forward", function()
  local here = forwarding()

  -- One that must end by itself: what it complained of, and its status.
  local function fails(arguments, options)
    options = options or {}
    local words = { "forward", "--bus", options.bus or here.servers.urls[1] }
    for _, argument in ipairs(arguments) do
      words[#words + 1] = argument
    end
    local printed, complaints, status = cli.run(words, options.environment)
    assert.equal("", printed)
    return complaints, status
  end

  local function with_projects(...)
    return { "--projects", here.fleet.projects_path, ... }
  end

  -- ---- streams ----

  it("makes the streams, and says so; twice is harmless", function()
    here.fleet:delete_streams()
    assert.equal(
      "MIXPANEL made, on 1 of the servers\nMIXPANEL_DEAD made, on 1 of the servers\n"
        .. "KV_mixpanel_lease made, on 1 of the servers\n",
      here.fleet:create()
    )
    here.put("events", { here.event "E" })
    assert.equal(
      "MIXPANEL is there, and stays as it is\nMIXPANEL_DEAD is there, and stays as it is\n"
        .. "KV_mixpanel_lease is there, and stays as it is\n",
      here.fleet:create()
    )
    assert.equal(1, here.servers:count())
    local config = here.servers:api("STREAM.INFO.MIXPANEL").config
    assert.equal(3 * 86400 * 1e9, config.max_age)
    assert.equal(1e8, config.max_bytes)
  end)

  it("says what keeps streams from being made", function()
    here.fleet:delete_streams()
    local complaints, status = fails { "--create", "--max-gigabytes", "0.1" }
    assert.equal(6, status)
    assert.truthy(complaints:find("(10074): --replicas says how many servers", 1, true), complaints)
    complaints, status = fails { "--create", "--replicas", "1", "--max-gigabytes", "1000" }
    assert.equal(6, status)
    assert.truthy(complaints:find("(10047): --max-gigabytes says how much", 1, true), complaints)
  end)

  it("refuses streams that are missing or would lose records", function()
    local function refused(message, expected)
      local complaints, status = fails(with_projects())
      assert.equal("mixpanel: " .. message .. "\n", complaints)
      assert.equal(expected or 2, status)
    end
    here.fleet:delete_streams()
    refused("there is no stream MIXPANEL: `mixpanel forward --create` makes it", 6)
    here.servers:create_stream { retention = "interest" }
    refused "stream MIXPANEL: its retention is interest: expected limits"
    here.servers:api "STREAM.DELETE.MIXPANEL"
    here.servers:create_stream { discard = "old" }
    refused(
      "stream MIXPANEL: it discards old messages when it is full, unread ones too:"
        .. " expected discard new"
    )
    here.servers:api "STREAM.DELETE.MIXPANEL"
    here.servers:create_stream { storage = "memory" }
    local memory = "stream MIXPANEL: it is kept in memory, and gone when its servers end:"
      .. " expected storage file"
    refused(memory)
    assert.same({ "mixpanel: " .. memory .. "\n", 2 }, { fails { "--create", "--replicas", "1" } })
    here.servers:api "STREAM.DELETE.MIXPANEL"
    here.servers:create_stream { max_msgs_per_subject = 7 }
    refused(
      "stream MIXPANEL: it keeps 7 messages of a subject and discards older ones, unread ones"
        .. " too: expected no max_msgs_per_subject"
    )
    here.servers:api "STREAM.DELETE.MIXPANEL"
    here.fleet:create()
    here.servers:api "STREAM.DELETE.KV_mixpanel_lease"
    here.servers:create_stream {
      name = "KV_mixpanel_lease",
      subjects = { "$KV.mixpanel_lease.>" },
      max_age = 60 * 1e9,
      max_msgs_per_subject = 1,
      duplicate_window = 60 * 1e9,
      allow_direct = true,
    }
    refused "stream KV_mixpanel_lease: its keys live 60 seconds: expected for ever"
  end)

  it("waits for a bus that is not there, and says so", function()
    nats.kill(here.servers.nodes[1])
    local forwarder = here.fleet:start { unready = true }
    forwarder:until_said "waits for the bus: nats: not connected to 127.0.0.1"
    nats.revive(here.servers.nodes[1])
    forwarder:until_said "forwards"
    here.put("events", { here.event "E" })
    here.fleet:settle()
    here.same_names { "E" }
    assert.equal(1, forwarder:count_said "waits for the bus: nats: not connected")
  end)

  -- ---- what is in its way ----

  it("says that Mixpanel cannot be reached, once, and what it leaves in the stream", function()
    local dead = process.dead_port()
    local host = "127.0.0.1:" .. dead.port
    here.fleet:projects {
      { token = here.TOKEN, api_host = "http://" .. host, max_retry_delay = 0.05 },
    }
    local forwarder = here.fleet:start { arguments = { "--exit-timeout", "0.1" } }
    here.put_events(1, 10)
    forwarder:until_said(
      ": nothing is delivered: Failed to connect to " .. host:gsub(":", " port ")
    )
    socket.sleep(2.5) -- it looks twice, and some forty retries fail
    assert.equal(1, forwarder:count_said "nothing is delivered")
    forwarder:stop()
    local left = ": 10 records have no outcome, and stay in the stream for who has the project next"
    assert.equal(1, forwarder:count_said(left))
    dead.close()
    here.fleet:projects { { token = here.TOKEN } }
    forwarder = here.fleet:start()
    here.fleet:settle()
    here.same_names(here.names_of(1, 10))
    forwarder:stop()
    assert.equal(0, forwarder:count_said "no outcome")
  end)

  -- --ca-file is for the bus.
  it("says which option of a project mends what its client complains of", function()
    here.fleet:projects { { token = here.TOKEN, api_host = here.server.tls_url } }
    local forwarder = here.fleet:start { arguments = { "--exit-timeout", "0.1" } }
    here.put_events(1, 1)
    forwarder:until_said(
      "set option 'ca_file' of the project in " .. here.fleet.projects_path .. " to the authority"
    )
    assert.equal(0, forwarder:count_said "--ca-file")
    here.fleet:projects {
      { token = here.TOKEN, api_host = here.server.tls_url, ca_file = here.server.ca_file },
    }
    forwarder:stop()
    here.fleet:start()
    here.fleet:settle()
    here.same_names { "E1" }
  end)

  -- ---- where the bus is ----

  it("says which argument is missing or wrong", function()
    local function usage(arguments, message)
      local _, complaints, status = cli.run(arguments)
      assert.equal(2, status)
      assert.truthy(complaints:find(message, 1, true), complaints)
    end
    usage({ "forward" }, "which projects? --projects <file>, or --create")
    usage({ "forward", "--create" }, "where is the bus? --bus tls://host:4222")
    usage({ "forward", unpack(with_projects()) }, "where is the bus? --bus tls://host:4222")
    usage({ "dead", "list" }, "where is the bus? --bus tls://host:4222")
    usage({ "dead" }, "a command is required")
    local url = here.servers.urls[1]
    for _, case in ipairs {
      { "--replicas", "6", "--replicas: got '6', expected a whole number from 1 to 5" },
      { "--max-age", "0", "--max-age: got '0', expected days from 0.01 to 36500" },
      { "--max-age", "1e-9", "--max-age: got '1e-9', expected days from 0.01 to 36500" },
      { "--max-age", "1e8", "--max-age: got '1e8', expected days from 0.01 to 36500" },
      { "--max-gigabytes", "x", "got 'x', expected gigabytes from 0.001 to 1000000" },
      { "--max-gigabytes", "1e-9", "got '1e-9', expected gigabytes from 0.001 to 1000000" },
      { "--exit-timeout", "0", "--exit-timeout: got '0', expected seconds, more than 0" },
      { "--credentials", "", "--credentials: expected the path of a file" },
      { "--ca-file", "", "--ca-file: expected the path of a PEM file" },
      { "--bus", ",", '--bus: expected a list of URLs such as "tls://n1:4222"' },
    } do
      usage({ "forward", "--create", "--bus", url, case[1], case[2] }, case[3])
    end
    for urls, message in pairs {
      ["nats://u:p@127.0.0.1:1"] = "--bus: URL 1 has an @: who may connect is what the file of "
        .. "--credentials says",
      ["foo"] = '--bus: URL 1, "foo", begins with neither tls:// nor nats://: expected one such as',
      ["http://n1:1"] = '--bus: URL 1, "http://n1:1", begins with neither tls:// nor nats://',
      ["tls://n1, tls://n2"] = '--bus: URL 2, " tls://n2", begins with neither',
    } do
      usage({ "forward", "--create", "--bus", urls }, message)
    end
    local _, complaints = cli.run { "forward", "--create", "--bus", "nats://u:pw@127.0.0.1:1" }
    assert.is_nil(complaints:find("pw", 1, true))
  end)

  it("says which package is missing", function()
    local complaints, status = fails({ "--create" }, {
      environment = {
        LUA_INIT = [[package.preload["mixpanel.nats"] = function()
          error("error loading module 'mixpanel.nats' from file 'nats.so':\n\t"
            .. "libnats.so.3.4: cannot open shared object file", 0)
        end]],
      },
    })
    assert.equal(2, status)
    assert.matches("make install%-nats", complaints)
    assert.matches("Debian: libnats3%.4", complaints)
    assert.matches("cannot open shared object file", complaints)
  end)

  it("explains itself", function()
    local commands = { { "forward" }, { "dead" }, { "dead", "list" }, { "dead", "resend" } }
    for _, words in ipairs(commands) do
      local help, complaints, status = cli.run { "help", unpack(words) }
      assert.same({ "", 0 }, { complaints, status })
      assert.matches("Usage: mixpanel " .. table.concat(words, " "), help)
      for line in help:gmatch "[^\n]+" do
        assert.is_true(#line <= 80, line)
      end
    end
    local help = cli.run { "forward", "--help" }
    for _, option in ipairs {
      "--bus",
      "--credentials",
      "--ca-file",
      "--projects",
      "--create",
      "--replicas",
      "--max-age",
      "--max-gigabytes",
      "--exit-timeout",
      "--metrics",
    } do
      assert.truthy(help:find("   " .. option .. " ", 1, true), option)
    end
  end)

  -- ---- the file of projects ----

  it("says what is wrong in the file of projects", function()
    local function refused(text, message, status)
      local path = here.fleet:projects(text)
      local complaints, got = fails(with_projects())
      assert.equal(status or 2, got, complaints)
      assert.truthy(complaints:find("mixpanel: " .. path .. message, 1, true), complaints)
    end
    refused("return {", ":1: ")
    refused("return { { token = os.getenv 'TOKEN' } }", ":1: attempt to index a nil value")
    refused("return { { token = f() } }", ":1: attempt to call a nil value")
    refused("", ': expected a list of projects, such as return { { token = "…" } }')
    refused("return { token = 't' }", ": expected a list of projects, such as")
    refused("return { { token = 't' }, extra = 1 }", ": [extra]: expected a list of projects")
    refused("return { { token = 't' }, nil, { token = 'u' } }", ": [3]: expected a list of")
    refused("return { {} }", ": project 1: expected a table with its token")
    refused("return { { token = 't' }, 't' }", ": project 2: expected a table with its token")
    refused("return { { token = '' } }", ": project 1: the project token is empty")
    refused("return { { token = 't', tokn = 1 } }", ": project 1: unknown option 'tokn'")
    refused("return { { token = 't', spool = '/tmp' } }", ": project 1: unknown option 'spool'")
    refused(
      "return { { token = 't', max_rate = 'x' } }",
      ": project 1: option 'max_rate': got \"x\", expected records a second"
    )
    refused(
      "return { { token = 't', max_queue_bytes = 1e6 } }",
      ": project 1: option 'max_queue_bytes': got 1000000, expected at least 4194304"
    )
    refused(
      "return { { token = 't' }, { token = 'u' }, { token = 't' } }",
      ": project 3: its token is that of project 1"
    )
    here.fleet.projects_path = here.fleet.dir .. "/missing"
    local complaints, status = fails(with_projects())
    assert.equal(
      ("mixpanel: %s: No such file or directory\n"):format(here.fleet.projects_path),
      complaints
    )
    assert.equal(5, status)
  end)

  it("keeps secrets from others, and out of what it says", function()
    for _, secret in ipairs {
      "service_account = { username = 'u', secret = 's3cret', project_id = 1 }",
      "proxy = 'http://u:s3cret@127.0.0.1:1'",
    } do
      local path = here.fleet:projects(("return { { token = 't', %s } }"):format(secret))
      process.run("chmod 640 " .. path)
      local complaints, status = fails(with_projects())
      assert.equal(
        ("mixpanel: %s: it holds a secret, and others may read it: chmod 600 %s\n"):format(
          path,
          path
        ),
        complaints
      )
      assert.equal(2, status)
    end
    for _, wrong in ipairs {
      "service_account = 's3cret'",
      "service_account = { username = 's3cret' }",
      "service_account = { secret = { 's3cret' } }",
      "proxy = 's3cret bla'",
    } do
      here.fleet:projects(("return { { token = 't', %s } }"):format(wrong))
      local complaints, status = fails(with_projects())
      assert.equal(2, status)
      assert.matches("project 1: option", complaints)
      assert.is_nil(complaints:find("s3cret", 1, true), complaints)
    end
    for wrong, message in pairs {
      ["'s3cret"] = ":1: unfinished string\n",
      ["x s3cret"] = ":1: '}' expected\n",
      ["7s3cret"] = ":1: malformed number\n",
      ["s3cret.bla"] = ":1: attempt to index a nil value\n",
      ["('x'):s3cret()"] = ":1: attempt to call a nil value\n",
    } do
      local path = here.fleet:projects(("return { { secret = %s } }"):format(wrong))
      local complaints, status = fails(with_projects())
      assert.equal(2, status)
      assert.equal("mixpanel: " .. path .. message, complaints)
    end
  end)
end)
