-- Feature flags in nginx: decided in its workers, of which one asks for the
-- definitions, and by Mixpanel, while other requests go on.
local cjson = require "cjson"
local definitions = require "spec.support.definitions"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local socket = require "socket"

local flag = definitions.flag
local DEFINITIONS, VARIANTS = "/flags/definitions", "/flags"

local FLAGS = [[
  return require("mixpanel").new("projecttoken", {
    api_host = "%s",
    spool = "@OUT@/spool",
    flags = { mode = "both", poll_interval = 0.2, exposure = "never", ttl = 86400 },
  })
]]

local HTTP = [[
  init_worker_by_lua_block { require("client").local_flags:start_polling_for_definitions() }
  exit_worker_by_lua_block { require("mixpanel.resty").exit_worker(require "client") }
]]

local SERVER = [[
  location = /local {
    content_by_lua_block {
      local mp = require "client"
      ngx.say(require("cjson").encode {
        a = mp.local_flags:is_enabled("a", { distinct_id = "u" }),
        b = mp.local_flags:is_enabled("b", { distinct_id = "u" }),
        polls = mp:stats().flags.polls,
        pid = ngx.worker.pid(),
      })
    }
  }
  location = /remote {
    content_by_lua_block {
      local flags = require("mixpanel.resty").remote_flags(require "client")
      local ticks, over = 0, false
      ngx.thread.spawn(function()
        while not over do
          ngx.sleep(0.005)
          ticks = ticks + 1
        end
      end)
      local user = { distinct_id = ngx.var.arg_user }
      local variant = flags:get_variant("a", nil, user, true, tonumber(ngx.var.arg_timeout))
      over = true
      local all = flags:get_all_variants(user, 0)
      ngx.say(require("cjson").encode {
        variant = variant,
        ticks = ticks,
        enabled = flags:is_enabled("a", user, false, 0),
        value = flags:get_variant_value("a", "fallback", user, false, 0),
        all = all and all.a and all.a.variant_key,
      })
    }
  }
  location = /unyielding {
    content_by_lua_block { ngx.say "page" }
    header_filter_by_lua_block {
      local flags = require("mixpanel.resty").remote_flags(require "client")
      local user = { distinct_id = ngx.var.arg_user }
      local variant = flags:get_variant("a", nil, user)
      ngx.header.source = variant.variant_source
      ngx.header.message = variant.fallback_message
    }
    log_by_lua_block {
      local flags = require("mixpanel.resty").remote_flags(require "client")
      ngx.log(ngx.WARN, "the log phase has ",
        tostring(flags:get_variant_value("a", "a fallback", { distinct_id = "logged" })))
    }
  }
]]

describe("nginx", function()
  local server, web

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
    server:flags { flags = { flag "a" } }
  end)

  after_each(function()
    if web then
      web:remove()
      web = nil
    end
  end)

  local function start(workers)
    web = nginx.start {
      lua = { client = FLAGS:format(server.url) },
      http = HTTP,
      server = SERVER,
      workers = workers,
    }
  end

  local function get(path)
    return cjson.decode((assert(web:get(path))))
  end

  -- What each of the workers says of its flags, by its pid, once `n` have said
  -- something and all as `done` wants it.
  local function ask_workers(n, done)
    local answers
    process.wait_for(function()
      answers = {}
      local count = 0
      for _ = 1, 200 do
        local answer = get "/local"
        count = count + (answers[answer.pid] and 0 or 1)
        answers[answer.pid] = answer
        if count == n then
          break
        end
      end
      local ready = count == n
      for _, answer in pairs(answers) do
        ready = ready and done(answer)
      end
      return ready
    end, "flags in all workers")
    return answers
  end

  it("asks for definitions in one worker of four, for all of them", function()
    start(4)
    ask_workers(4, function(answer)
      return answer.a and not answer.b
    end)
    server:flags { flags = { flag "b" } }
    local pollers = 0
    local answers = ask_workers(4, function(answer)
      return answer.b and not answer.a
    end)
    for _, answer in pairs(answers) do
      pollers = pollers + (answer.polls > 0 and 1 or 0)
    end
    assert.equal(1, pollers)
  end)

  it("has them at once after a reload, and when nobody answers", function()
    start(2)
    ask_workers(2, function(answer)
      return answer.a
    end)
    server:script { endpoint = DEFINITIONS, delay_ms = 60000, times = -1 }
    web:reload()
    for _ = 1, 50 do
      assert.is_true(get("/local").a)
    end
  end)

  it("lets other requests go on while one asks Mixpanel", function()
    start(1)
    server:script { endpoint = VARIANTS, delay_ms = 500 }
    local answer = get "/remote?user=u1"
    assert.is_true(answer.ticks > 10, answer.ticks)
    assert.equal("remote", answer.variant.variant_source)
    assert.is_true(answer.enabled and answer.value)
    assert.equal("on", answer.all)
    assert.is_true(get("/remote?user=u1").ticks <= 1) -- nothing to wait for
  end)

  it("waits no longer than it is told to", function()
    start(1)
    server:script { endpoint = VARIANTS, delay_ms = 60000, times = -1 }
    local best = math.huge
    for i = 1, 3 do
      local began = socket.gettime()
      local answer = get("/remote?timeout=0.2&user=" .. i)
      best = math.min(best, socket.gettime() - began)
      assert.equal("NOT_READY", answer.variant.fallback_reason)
      assert.equal("fallback", answer.value)
      assert.is_false(answer.enabled)
    end
    assert.is_true(best > 0.19 and best < 0.45, best)
  end)

  it("gives what there is in phases in which nothing may wait", function()
    local http = require "socket.http"
    start(1)
    for _ = 1, 3 do
      local _, status, headers = http.request(web.url .. "/unyielding?user=" .. math.random())
      assert.equal(200, status)
      assert.equal("fallback", headers.source)
      assert.equal("nothing may wait in the phase header_filter", headers.message)
    end
    assert.equal("remote", get("/remote?user=u1").variant.variant_source)
    local _, _, headers = http.request(web.url .. "/unyielding?user=u1")
    assert.equal("remote", headers.source)
    assert.is_nil(headers.message)
    process.wait_for(function()
      http.request(web.url .. "/unyielding?user=u1")
      return web:read("error.log"):find("the log phase has true", 1, true)
    end, "an answer that a log phase asked for")
    local log = web:read "error.log"
    assert.is_truthy(log:find("the log phase has a fallback", 1, true))
    for _, phase in ipairs { "header_filter", "log" } do
      local _, count = log:gsub("nothing may wait in the phase " .. phase .. ":", "")
      assert.equal(1, count)
    end
  end)
end)
