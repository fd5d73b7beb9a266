-- Many Lua states in one nginx worker: one per request with the code cache
-- off, and those of ngx.run_worker_thread.
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local ANALYTICS = [[
  return require("mixpanel").new("projecttoken", { api_host = "%s", flush_interval = 0.1 })
]]

local IN_THREAD = [[
  return {
    track = function(n)
      return require("analytics"):track("Hit", { distinct_id = "u", n = n })
    end,
  }
]]

local THREADS = [[
  location = /track {
    content_by_lua_block {
      local n = tonumber(ngx.var.arg_n)
      local ok, tracked = ngx.run_worker_thread("pool", "in_thread", "track", n)
      assert(ok and tracked, tracked)
      ngx.say(ngx.worker.pid())
    }
  }
]]

local REQUESTS = [[
  location = /track {
    content_by_lua_block {
      assert(require("analytics"):track("Hit", { distinct_id = "u", n = tonumber(ngx.var.arg_n) }))
      ngx.say(ngx.worker.pid())
    }
    log_by_lua_block {
      assert(require("mixpanel.resty").log(require "analytics", "Page"))
    }
  }
]]

describe("nginx with many Lua states", function()
  local server, web

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  after_each(function()
    if web then
      web:remove()
      web = nil
    end
  end)

  -- Requests from number `first` to `last`.
  local function hit(first, last)
    for n = first, last do
      assert(web:get("/track?n=" .. n))
    end
  end

  -- Each number from 1 to n arrived once as a Hit; returns the other events.
  local function assert_arrived(n)
    local counts, others = {}, 0
    for _, record in ipairs(server:records "/track") do
      if record.event == "Hit" then
        local number = record.properties.n
        counts[number] = (counts[number] or 0) + 1
      else
        others = others + 1
      end
    end
    for number = 1, n do
      assert.equal(1, counts[number], "number " .. number)
    end
    assert.equal(n, #counts)
    return others
  end

  it("runs a state per request for thousands of them, in flat memory", function()
    web = nginx.start {
      workers = 1,
      lua = { analytics = ANALYTICS:format(server.url) },
      http = [[
        lua_code_cache off;
        init_by_lua_block { require "analytics" }
        exit_worker_by_lua_block { require("mixpanel.resty").exit_worker(require "analytics") }
      ]],
      server = REQUESTS,
    }
    local worker = web:workers()[1]
    hit(1, 500)
    local early = process.status(worker, "VmRSS")
    hit(501, 2000)
    local late = process.status(worker, "VmRSS")
    print(("# measured: RSS after 500 states: %d kB, after 2000: %d kB"):format(early, late))
    assert.equal(worker, web:workers()[1])
    assert.is_true(late < early * 1.1, ("%d kB, later %d kB"):format(early, late))
    web:finish "QUIT"
    assert.equal(2000, assert_arrived(2000))
    assert.is_nil(web:read("error.log"):find "exited on signal")
  end)

  it("runs ngx.run_worker_thread", function()
    web = nginx.start {
      workers = 2,
      main = "thread_pool pool threads=4;",
      lua = { analytics = ANALYTICS:format(server.url), in_thread = IN_THREAD },
      http = [[
        init_by_lua_block { require "analytics" }
        exit_worker_by_lua_block { require("mixpanel.resty").exit_worker(require "analytics") }
      ]],
      server = THREADS,
    }
    hit(1, 300)
    web:finish "QUIT"
    assert.equal(0, assert_arrived(300))
    assert.is_nil(web:read("error.log"):find "exited on signal")
  end)
end)
