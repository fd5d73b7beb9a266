-- Reload, quit, stop and kill -9 of nginx's workers: what was tracked arrives,
-- and a dead server holds nobody up.
local cjson = require "cjson"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local socket = require "socket"

local EXIT_TIMEOUT = 0.5 -- seconds, when nobody answers
local ENOUGH = 10 -- when all is to arrive
local GRACE = 0.25

local ANALYTICS = [[
  return require("mixpanel").new("projecttoken", {
    api_host = "%s",
    exit_timeout = %g,
    flush_interval = %g,
  })
]]

-- exit_worker leaves what it knows in a file of its own.
local HTTP = [[
  init_by_lua_block { require "analytics" }
  exit_worker_by_lua_block {
    local mp = require "analytics"
    ngx.update_time()
    local began = ngx.now()
    require("mixpanel.resty").exit_worker(mp)
    local stats = mp:stats()
    stats.began = began
    local file = assert(io.open("@OUT@/" .. ngx.worker.pid(), "w"))
    file:write(require("cjson").encode(stats))
    file:close()
  }
]]

local SERVER = [[
  location = /track {
    content_by_lua_block {
      local n = tonumber(ngx.var.arg_n)
      assert(require("analytics"):track("Hit", { distinct_id = "u", n = n }))
      ngx.say(ngx.worker.pid())
    }
  }
]]

describe("nginx's workers", function()
  local server, web, hits

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
    hits = 0
  end)

  after_each(function()
    if web then
      web:remove()
      web = nil
    end
  end)

  local function settings(api_host, exit_timeout, flush_interval)
    return {
      lua = { analytics = ANALYTICS:format(api_host, exit_timeout, flush_interval or 0.1) },
      http = HTTP,
      server = SERVER,
    }
  end

  -- Tracks the next n numbers; returns the pids that took them.
  local function hit(n)
    local pids = {}
    for _ = 1, n do
      hits = hits + 1
      local pid = assert(web:get("/track?n=" .. hits))
      pids[tonumber(pid)] = true
    end
    return pids
  end

  -- Tracks until both workers had a share.
  local function hit_both()
    local pids = hit(1)
    process.wait_for(function()
      for pid in pairs(hit(1)) do
        pids[pid] = true
      end
      local workers = web:workers()
      return pids[workers[1]] and pids[workers[2]]
    end, "both workers")
  end

  -- How often each number arrived, and how many are the others.
  local function arrived()
    local counts, total = {}, 0
    for _, record in ipairs(server:records "/track") do
      local n = record.properties.n
      counts[n] = (counts[n] or 0) + 1
      total = total + 1
    end
    return counts, total
  end

  local function wait_for_arrival(total)
    process.wait_for(function()
      local _, n = arrived()
      return n >= total
    end, "the records")
  end

  local function assert_all_arrived_once()
    local counts, total = arrived()
    for n = 1, hits do
      assert.equal(1, counts[n], "number " .. n)
    end
    assert.equal(hits, total)
  end

  local function exit_stats(pid)
    return cjson.decode((assert(web:read("out/" .. pid))))
  end

  local function assert_no_alert()
    local log = web:read "error.log"
    for line in log:gmatch "[^\n]+" do
      assert.is_nil(line:find "%[alert%]" or line:find "%[emerg%]" or line:find "%[crit%]", line)
    end
  end

  -- As root, they run as www-data; else nginx cannot change who they are.
  it("use the client that the master made", function()
    web = nginx.start(settings(server.url, ENOUGH))
    hit_both()
    for _, pid in ipairs(web:workers()) do
      assert.is_true(process.status(pid, "Uid") > 0)
    end
    wait_for_arrival(hits)
    assert_all_arrived_once()
  end)

  it("send exactly what was tracked, over reloads, quit and stop", function()
    for _, signal in ipairs { "QUIT", "TERM" } do
      server:reset()
      hits = 0
      web = nginx.start(settings(server.url, ENOUGH))
      hit_both()
      web:signal "HUP"
      hit(100)
      web:reload()
      hit(100)
      web:configure(settings(server.url, ENOUGH, 3)) -- with another option
      web:signal "HUP"
      hit(100)
      web:reload()
      hit_both()
      web:finish(signal)
      assert_all_arrived_once()
      assert_no_alert()
      web:remove()
      web = nil
    end
  end)

  it("count exactly what a dead server made them lose", function()
    web = nginx.start(settings(server.url, EXIT_TIMEOUT))
    hit_both()
    wait_for_arrival(hits)
    local delivered = hits
    server:script { endpoint = "/track", times = 0, delay_ms = 60000, ingest = false }
    hit_both()
    hit(20)
    local workers = web:workers()
    web:finish "QUIT"
    local accepted, lost = 0, 0
    for _, pid in ipairs(workers) do
      local stats = exit_stats(pid)
      accepted = accepted + stats.accepted
      lost = lost + stats.queued + stats.in_flight
    end
    assert.equal(hits, accepted)
    assert.equal(hits - delivered, lost)
    local counts, total = arrived()
    assert.equal(delivered, total)
    for n = 1, delivered do
      assert.equal(1, counts[n])
    end
    assert.truthy(web:read("error.log"):find "mixpanel: the worker exits: timeout: %d+ record")
  end)

  -- Seconds from `began`, of the clock, to the end of these workers; by
  -- default from the moment at which each began to exit: on a reload that is
  -- when the master gets to it.
  local function time_exit(workers, began)
    local longest = 0
    for _, pid in ipairs(workers) do
      process.wait_gone { pid }
      local now = socket.gettime()
      longest = math.max(longest, now - (began or exit_stats(pid).began))
    end
    return longest
  end

  for _, signal in ipairs { "QUIT", "TERM", "HUP" } do
    it(("exit in time on %s when nobody answers"):format(signal), function()
      local hole = assert(socket.bind("127.0.0.1", 0)) -- it never accepts
      local _, port = hole:getsockname()
      web = nginx.start(settings("http://127.0.0.1:" .. port, EXIT_TIMEOUT))
      local best = math.huge
      for _ = 1, 3 do
        hit_both()
        local workers = web:workers()
        local signalled = socket.gettime()
        web:signal(signal)
        best = math.min(best, time_exit(workers, signal ~= "HUP" and signalled or nil))
        local lost = 0
        for _, pid in ipairs(workers) do
          local stats = exit_stats(pid)
          assert.equal(0, stats.delivered)
          lost = lost + stats.queued + stats.in_flight
        end
        assert.equal(hits, lost)
        if best <= EXIT_TIMEOUT + GRACE then
          break
        end
        hits = 0
        if signal ~= "HUP" then
          web:remove()
          web = nginx.start(settings("http://127.0.0.1:" .. port, EXIT_TIMEOUT))
        end
      end
      assert.is_true(best >= EXIT_TIMEOUT, best .. " s: nobody waited")
      assert.is_true(best <= EXIT_TIMEOUT + GRACE, best .. " s")
      assert_no_alert()
      hole:close()
    end)
  end

  it("do not suffer from the kill -9 of another", function()
    web = nginx.start(settings(server.url, ENOUGH))
    hit_both()
    wait_for_arrival(hits)
    local before = web:workers()
    process.signal(before[1], "KILL")
    process.wait_gone { before[1] }
    process.wait_for(function()
      return #web:workers() == 2
    end, "a new worker")
    hit_both()
    hit(50)
    assert.is_true(process.alive(before[2]))
    web:finish "QUIT"
    assert_all_arrived_once()
    assert.equal(0, exit_stats(before[2]).queued + exit_stats(before[2]).in_flight)
  end)
end)
