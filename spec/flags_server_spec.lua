-- Where the definitions of flags come from: a server that answers well, badly
-- or not at all, and files.
local definitions = require "spec.support.definitions"
local mixpanel = require "mixpanel"
local peer = require "spec.support.peer"
local sandbox = require "spec.support.sandbox"
local socket = require "socket"

local flag = definitions.flag
local user = { distinct_id = "u1" }
local PATH = "/flags/definitions"

describe("definitions", function()
  local server, home
  local names, open = 0, {}

  setup(function()
    server = sandbox.start()
    home = os.tmpname()
    os.remove(home)
    assert(os.execute("mkdir -m 700 " .. home))
  end)

  teardown(function()
    server:stop()
    os.execute("rm -rf " .. home)
  end)

  before_each(function()
    server:reset()
    server:flags { flags = { flag "a" } }
  end)

  after_each(function()
    for _, mp in ipairs(open) do
      mp:close(0)
    end
    open = {}
  end)

  -- A client whose project nobody else has, unless it has a name.
  local function client(options)
    options = options or {}
    names = names + 1
    options.name = options.name or "flags " .. names
    options.api_host = options.api_host or server.url
    options.flags = options.flags or { mode = "local", exposure = "never" }
    local mp = mixpanel.new("projecttoken", options)
    open[#open + 1] = mp
    return mp, mp.local_flags
  end

  -- Waits until the statistics of its flags are as `done` wants them.
  local function wait(mp, done)
    local deadline = socket.gettime() + 20
    while not done(mp:stats().flags) do
      assert(socket.gettime() < deadline, "waited in vain")
      socket.sleep(0.005)
    end
    return mp:stats().flags
  end

  local function fetches()
    local list = {}
    for _, request in ipairs(server:requests()) do
      if request.path == PATH then
        list[#list + 1] = request
      end
    end
    return list
  end

  it("are asked for by the first call, as Mixpanel's SDKs do", function()
    server:script { endpoint = PATH, delay_ms = 1000 }
    local mp, f = client()
    assert.equal(0, mp:stats().flags.polls)
    assert.is_false(f:are_flags_ready())
    assert.equal("fallback", f:get_variant_value("a", "fallback", user))
    assert.is_true(f:wait(10))
    assert.is_true(f:are_flags_ready())
    assert.is_true(f:is_enabled("a", user))
    local request = fetches()[1]
    assert.equal("GET", request.method)
    assert.same(
      { token = "projecttoken", mp_lib = "lua", lib_version = mixpanel._VERSION },
      request.query
    )
    assert.same({ kind = "basic", username = "projecttoken", password = "" }, request.auth)
    local stats = mp:stats()
    assert.equal(1, stats.flags.definitions)
    assert.equal(1, stats.flags.fallbacks.NOT_READY)
    assert.equal(0, stats.requests) -- of records
  end)

  it("are asked for with a service account, if there is one", function()
    local account = { username = "user", secret = "secret", project_id = 4711 }
    server:config { accounts = { account } }
    local _, f = client {
      service_account = account,
      api_host = server.tls_url,
      ca_file = server.ca_file,
    }
    assert.is_true(f:wait(10))
    local request = fetches()[1]
    assert.equal("4711", request.query.project_id)
    assert.same({ kind = "basic", username = "user", password = "secret" }, request.auth)
  end)

  it("are kept up to date, and not sent twice", function()
    local mp, f = client { flags = { mode = "local", poll_interval = 0.1 } }
    assert.is_true(f:wait(10))
    wait(mp, function(s)
      return s.polls >= 3
    end)
    local list = fetches()
    assert.equal(200, list[1].status)
    assert.equal(304, list[2].status)
    server:flags { flags = { flag "b" } }
    wait(mp, function()
      return f:is_enabled("b", user, false)
    end)
    assert.is_false(f:is_enabled("a", user))
    assert.equal(0, mp:stats().flags.failures)
  end)

  it("are asked for no more once that is stopped", function()
    local mp, f = client { flags = { mode = "local", poll_interval = 0.1 } }
    assert.is_true(f:wait(10))
    assert.is_true(f:stop_polling_for_definitions())
    wait(mp, function(s)
      return s.polls == #fetches()
    end)
    local polls = mp:stats().flags.polls
    socket.sleep(0.3)
    assert.is_true(f:is_enabled("a", user, false))
    assert.equal(polls, mp:stats().flags.polls)
    assert.is_true(f:refresh(10))
    assert.equal(polls + 1, mp:stats().flags.polls)
    assert.is_true(f:start_polling_for_definitions())
    wait(mp, function(s)
      return s.polls > polls + 2
    end)
  end)

  local bad = {
    { "garbage", { body = "<html>" }, "" },
    { "no object", { body = "[]" }, "they are no object" },
    { "nothing", { body = "" }, "" },
    { "another object", { body = { code = 200 } }, "flags" },
    { "500", { status = 500 }, "status 500: scripted" },
    {
      "401",
      { status = 401, body = { error = "Invalid credentials" } },
      "status 401: Invalid credentials",
    },
    { "half a body", { close = "mid" }, "" },
    { "a connection that breaks", { close = "before" }, "" },
  }
  for _, case in ipairs(bad) do
    local name, reply, message = case[1], case[2], case[3]
    it("stay when the server answers " .. name, function()
      local mp, f = client()
      assert.is_true(f:wait(10))
      reply.endpoint, reply.times = PATH, 0
      server:script(reply)
      local ok, why, code = f:refresh(10)
      assert.is_nil(ok)
      assert.equal("network", code)
      assert.matches(message, why, 1, true)
      assert.is_true(f:is_enabled("a", user))
      local stats = mp:stats().flags
      assert.equal(1, stats.failures)
      assert.equal(why, stats.last_error)
      server:reset()
      server:flags { flags = { flag "a" } }
      assert.is_true(f:refresh(10))
      assert.is_true(f:is_enabled("a", user))
    end)
  end

  it("stay when the server answers more than 16 MB", function()
    local mp, f = client()
    assert.is_true(f:wait(10))
    server:script { endpoint = PATH, body = '{"flags":["' .. ("x"):rep(17 * 1024 * 1024) .. '"]}' }
    local ok, why = f:refresh(30)
    assert.is_nil(ok)
    assert.matches("16777216", why)
    assert.is_true(f:is_enabled("a", user))
    assert.equal(1, mp:stats().flags.failures)
  end)

  it("of a server that says nothing are not waited for", function()
    server:script { endpoint = PATH, delay_ms = 60000 }
    local _, f = client { request_timeout = 0.5 }
    local start = socket.gettime()
    assert.equal("no", f:get_variant_value("a", "no", user))
    assert.is_true(socket.gettime() - start < 0.4)
    local ok, why, code = f:wait(0.05)
    assert.is_nil(ok)
    assert.equal("timeout", code)
    assert.matches("no definitions of flags have come yet", why)
    assert.is_true(f:wait(20)) -- the next attempt
  end)

  it("are asked for again when Retry-After says so, not before", function()
    server:script { endpoint = PATH, status = 429, headers = { ["Retry-After"] = "2" } }
    local mp, f = client { flags = { mode = "local", poll_interval = 0.1 } }
    local start = socket.gettime()
    f:are_flags_ready()
    wait(mp, function(s)
      return s.failures == 1
    end)
    assert.is_true(f:wait(20))
    assert.is_true(socket.gettime() - start >= 1.9)
    assert.matches("status 429", mp:stats().flags.last_error)
  end)

  describe("in a file", function()
    it("serve before the server answers", function()
      local file = home .. "/kept"
      local options = { mode = "local", file = file }
      local mp, f = client { flags = options }
      assert.is_true(f:refresh(10))
      mp:close()
      server:script { endpoint = PATH, close = "before", times = 0 }
      mp, f = client { flags = options }
      assert.is_true(f:is_enabled("a", user))
      assert.is_true(mp:stats().flags.age < 60)
      assert.is_nil((f:refresh(10)))
      assert.is_true(f:is_enabled("a", user))
    end)

    it("are no use to another project, or when damaged", function()
      local file = home .. "/damaged"
      local mp, f = client { flags = { mode = "local", file = file } }
      assert.is_true(f:refresh(10))
      mp:close()
      -- Nobody asks for others, whose failure would be the last error.
      local other = mixpanel.new("another", {
        transport = "manual",
        flags = { mode = "local", file = file },
      })
      assert.is_false(other.local_flags:are_flags_ready())
      assert.matches("it belongs to another project", other:stats().flags.last_error)
      other:close(0)
      local handle = assert(io.open(file, "r+b"))
      handle:seek("end", -3)
      handle:write "x"
      handle:close()
      mp, f = client { transport = "manual", flags = { mode = "local", file = file } }
      assert.is_false(f:are_flags_ready())
      assert.matches("damaged", mp:stats().flags.last_error)
    end)

    local function write(file, text)
      local handle = assert(io.open(file, "wb"))
      handle:write(text)
      handle:close()
    end

    local function read(file)
      local handle = assert(io.open(file, "rb"))
      local text = handle:read "*a"
      handle:close()
      return text
    end

    it("do not replace what is none of theirs", function()
      local file, other = home .. "/foreign", home .. "/others"
      local mp, f = client { flags = { mode = "local", file = other } }
      assert.is_true(f:refresh(10))
      local kept = read(other):gsub('"token":"%x', '"token":"-') -- of another project
      mp:close()
      for _, text in ipairs { "return { my = 'notes' }\n", "{}\n", "no line", kept } do
        write(file, text)
        mp, f = client { flags = { mode = "local", file = file } }
        assert.is_true(f:refresh(10))
        assert.is_true(f:is_enabled("a", user))
        assert.equal(text, read(file))
        assert.equal(
          "cannot keep the definitions in " .. file .. ": it holds something else, which stays",
          mp:stats().flags.last_error
        )
      end
      os.remove(file) -- there is room now
      server:flags { flags = { flag "b" } }
      assert.is_true(f:refresh(10))
      assert.matches('"b"', read(file))
    end)

    it("replace those that are damaged", function()
      local file = home .. "/mended"
      local mp, f = client { flags = { mode = "local", file = file } }
      assert.is_true(f:refresh(10))
      mp:close()
      local whole = read(file):gsub('"time":%d+', ""):gsub('"checksum":"%x+"', "")
      for _, text in ipairs { "", (read(file):sub(1, -3)) } do
        write(file, text)
        _, f = client { flags = { mode = "local", file = file } }
        assert.is_true(f:refresh(10))
        assert.equal(whole, (read(file):gsub('"time":%d+', ""):gsub('"checksum":"%x+"', "")))
      end
    end)

    it("that cannot be written are in force", function()
      local mp, f = client { flags = { mode = "local", file = home .. "/no/such/file" } }
      assert.is_true(f:wait(10))
      wait(mp, function(s)
        return s.last_error ~= nil
      end)
      assert.matches(
        "cannot keep the definitions in " .. home .. "/no/such/file",
        mp:stats().flags.last_error,
        1,
        true
      )
      assert.is_true(f:is_enabled("a", user))
    end)

    it("that is none, such as a device, stays what it is", function()
      local fifo = home .. "/fifo"
      assert(os.execute("mkfifo " .. fifo))
      local mp, f = client { flags = { mode = "local", file = fifo } }
      assert.is_true(f:refresh(10))
      assert.matches("in " .. fifo .. ": it is no file", mp:stats().flags.last_error, 1, true)
      assert(os.execute("test -p " .. fifo))
    end)
  end)

  it("in a spool serve whoever comes next", function()
    local spool = home .. "/spool"
    local mp, f = client { spool = spool, name = "in a spool" }
    assert.is_true(f:refresh(10))
    mp:close()
    server:script { endpoint = PATH, close = "before", times = 0 }
    local _, g = client { spool = spool, name = "in a spool" }
    assert.is_true(g:is_enabled("a", user))
  end)

  it("are asked for while records wait, and apart from them", function()
    local mp, f = client { flush_interval = 0 }
    for i = 1, 20 do
      mp:track("A", { i = i })
      f:is_enabled("a", user)
    end
    assert.is_true(mp:flush(10))
    assert.is_true(f:wait(10))
    assert.equal(20, mp:stats().delivered)
  end)

  it("of one who speaks slowly are waited for by nobody", function()
    local slow = peer.open()
    local _, f = client { api_host = slow.url }
    f:are_flags_ready()
    local connection = slow:accept()
    connection:send "HTTP/1.1 200 OK\r\nContent-Le"
    local start = socket.gettime()
    for _ = 1, 1000 do
      f:is_enabled("a", user)
    end
    assert.is_true(socket.gettime() - start < 0.5)
    connection:close()
    slow:close()
  end)
end)
