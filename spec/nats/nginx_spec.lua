-- nginx's workers as clients of NATS: reload, quit, a state per request, a master
-- that used the bus.
local cjson = require "cjson"
local http = require "socket.http"
local nats = require "spec.support.nats"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local script = require "spec.support.script"
local visitors = require "spec.support.visitors"

local STATES = 200 -- requests with a Lua state each, and twice as many more

local ANALYTICS = [[
  return require("mixpanel").new("projecttoken", {
    transport = "nats", bus = { servers = { "%s" } }, max_retry_delay = 0.1, %s
  })
]]

local UNUSED = 'init_by_lua_block { require "analytics" }'

-- A master that has used the bus before it reads the rest, for another project: what
-- it makes in the spool would be its own, and its workers have another user.
local USED = [[
  init_by_lua_block {
    local options = { transport = "nats", bus = { servers = { "%s" } } }
    assert(require("mixpanel").new("another", options):check())
    require "analytics"
  }
]]

local HTTP = [[
  exit_worker_by_lua_block { require("mixpanel.resty").exit_worker(require "analytics") }
]]

local SERVER = [[
  location = /track {
    content_by_lua_block {
      assert(require("analytics"):track("Visit", { n = tonumber(ngx.var.arg_n) }))
      ngx.say(ngx.worker.pid())
    }
  }
  location = /stats {
    content_by_lua_block {
      local stats = require("analytics"):stats()
      ngx.say(require("cjson").encode(stats))
    }
  }
]]

describe("nginx over NATS", function()
  local servers, web

  setup(function()
    servers = nats.start()
    servers:create_stream()
  end)

  teardown(function()
    servers:stop()
  end)

  before_each(function()
    servers:purge()
  end)

  after_each(function()
    if web then
      web:remove()
      web = nil
    end
  end)

  local function start(options, more, workers)
    return nginx.start {
      workers = workers or 2,
      libraries = { script.build .. "/mixpanel_nats.so" },
      lua = { analytics = ANALYTICS:format(servers.urls[1], options) },
      http = (more or UNUSED) .. HTTP,
      server = SERVER,
    }
  end

  -- Whoever still has a file of this nginx open, as its workers have its log.
  local function left_over()
    return process.read(("find /proc/[0-9]*/fd -lname '%s/*' 2>/dev/null"):format(web.dir))
  end

  -- Each number that a visitor was told of is in the stream, and nothing is twice.
  local function assert_stored_once(taken)
    local ids, numbers = {}, {}
    for _, record in ipairs(servers:records_once()) do
      local id, n = record.properties["$insert_id"], record.properties.n
      assert.is_nil(ids[id], id)
      assert.is_not_true(numbers[n or "none"], n)
      ids[id] = true
      numbers[n or "none"] = n ~= nil
    end
    for n in pairs(taken) do
      assert.is_true(numbers[n], "number " .. n)
    end
  end

  local function assert_calm()
    local log = web:read("error.log"):gsub("[^\n]*lua_code_cache is off[^\n]*", "")
    for line in log:gmatch "[^\n]+" do
      assert.is_nil(line:find "%[alert%]" or line:find "%[emerg%]" or line:find "%[crit%]", line)
      assert.is_nil(line:find "exited on signal", line)
    end
  end

  -- Ends nginx while visitors come.
  local function quit(crowd)
    local pids = web:workers()
    pids[#pids + 1] = web.pid
    web:signal "QUIT"
    crowd:come(50)
    process.wait_gone(pids, nats.patience)
    web.pid = nil
    assert.equal("", left_over())
  end

  it("loses nothing over reloads and quit under load", function()
    web = start "exit_timeout = 60, flush_interval = 3600" -- sent by their ends alone
    local crowd = visitors.new(web)
    crowd:come(100)
    for _ = 1, 3 do
      web:signal "HUP"
      crowd:come(200)
    end
    quit(crowd)
    assert.is_true(crowd:leave() > 600)
    assert_stored_once(crowd.taken)
    assert_calm()
  end)

  -- A directory in which workers may write, and which outlives their nginx.
  local function with_spool(run)
    local dir = process.read "mktemp -d"
    process.run("chmod 777 " .. dir)
    local ok, why = pcall(run, ("flush_interval = 0.05, spool = %q"):format(dir .. "/spool"))
    process.run("rm -rf " .. dir)
    assert(ok, why)
  end

  local function stats()
    return cjson.decode((assert(web:get "/stats")))
  end

  -- Another nginx sends what the workers of earlier ones left.
  local function adopt(spool)
    web:remove()
    web = start(spool, nil, 1)
    assert(web:get "/track")
    nats.until_done("an empty spool", function()
      local s = stats()
      local waits = s.queued + s.in_flight + s.spooled + s.elsewhere_runs
      return s.spool_looks > 0 and waits == 0, s.last_error
    end)
  end

  it("loses nothing with a spool, though no worker waits and the server was away", function()
    with_spool(function(spool)
      web = start(spool .. ", exit_timeout = 0")
      local crowd = visitors.new(web)
      crowd:come(100)
      web:signal "HUP"
      crowd:come(100)
      process.signal(servers.nodes[1].pid, "STOP")
      crowd:come(50)
      nats.until_done("a message under way", function()
        local text = web:get "/stats" -- which a worker that ends may refuse
        return text and cjson.decode(text).in_flight > 0
      end)
      nats.kill(servers.nodes[1])
      crowd:come(50)
      web:signal "HUP"
      crowd:come(100)
      nats.revive(servers.nodes[1])
      web:signal "HUP"
      crowd:come(200)
      quit(crowd)
      assert.is_true(crowd:leave() > 550)
      assert_calm()
      adopt(spool)
      assert_stored_once(crowd.taken)
    end)
  end)

  -- ---- a Lua state per request ----

  local function connections()
    local port = servers.nodes[1].http_port
    local text = assert(http.request(("http://127.0.0.1:%d/connz"):format(port)))
    return tonumber(text:match '"num_connections": (%d+)')
  end

  -- What its worker holds, once all is delivered.
  local function held(worker)
    nats.until_done("delivery", function()
      local s = stats()
      return s.queued + s.in_flight == 0, s.last_error
    end)
    local files = process.read(("ls /proc/%d/fd | wc -l"):format(worker))
    return {
      kB = process.status(worker, "VmRSS"),
      threads = process.status(worker, "Threads"),
      files = tonumber(files),
      connections = connections(),
    }
  end

  it("shares one connection of a worker among a Lua state per request", function()
    web = start("exit_timeout = 60, flush_interval = 0.05", "lua_code_cache off;" .. UNUSED, 1)
    local worker = web:workers()[1]
    local crowd = visitors.new(web)
    crowd:come(STATES)
    crowd:leave()
    local early = held(worker)
    crowd:come(2 * STATES)
    assert.equal(3 * STATES, crowd:leave())
    local late = held(worker)
    assert.equal(worker, web:workers()[1])
    assert.equal(1, early.connections)
    assert.equal(1, late.connections)
    assert.is_true(late.threads <= early.threads + 2, late.threads)
    assert.is_true(late.files <= early.files + 4, late.files)
    assert.is_true(late.kB < 1.1 * early.kB, ("%d kB, later %d kB"):format(early.kB, late.kB))
    quit(crowd)
    crowd:leave()
    assert_stored_once(crowd.taken)
    assert_calm()
  end)

  -- ---- a master that used the bus ----

  it("keeps what its workers track after a master that used the bus, and says why", function()
    with_spool(function(spool)
      web = start(spool .. ", exit_timeout = 0", USED:format(servers.urls[1]))
      local crowd = visitors.new(web)
      crowd:come(20)
      assert.equal(20, crowd:leave())
      local why = "forked from one that had used the bus"
      local said = nats.until_done("a reason", function()
        return stats().last_error
      end)
      assert.truthy(said:find(why, 1, true), said)
      quit(crowd)
      crowd:leave()
      assert.equal(0, servers:count())
      assert_calm()
      adopt(spool)
      assert_stored_once(crowd.taken)
    end)
  end)
end)
