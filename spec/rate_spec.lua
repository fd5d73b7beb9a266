-- max_rate and max_byte_rate: what arrives in a minute.
local balance = require "spec.support.balance"
local mixpanel = require "mixpanel"
local sandbox = require "spec.support.sandbox"
local socket = require "socket"

local RATE, EVENTS = 4, 1500

describe("a client with a rate", function()
  local server, mp

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
    mp:set_config { max_rate = false }
    mp:close(60) -- nothing of it arrives during the next
  end)

  local function fill(options)
    options.api_host, options.flush_interval = server.url, 0.01
    mp = mixpanel.new("projecttoken", options)
    for i = 1, EVENTS do
      assert(mp:track("E", { distinct_id = "u", n = i }))
    end
    for i = 1, 3 do
      assert(mp.people:set("u", { n = i }))
      assert(mp.groups:set("company", "c" .. i, { n = i }))
    end
  end

  -- How many records the server was sent, by path; each line is one.
  local function arrived()
    local of, all = {}, 0
    for _, request in ipairs(server:requests()) do
      local _, breaks = request.body:gsub("\n", "")
      of[request.path] = (of[request.path] or 0) + breaks + 1
      all = all + breaks + 1
    end
    return of, all
  end

  it("sends no more in a minute, whatever is answered", function()
    server:script { times = 2, endpoint = "/track", status = 503 }
    local start = socket.gettime()
    fill { name = "rate", max_rate = RATE, max_retry_delay = 0.1 }
    server:wait(6, 120)
    local of, all = arrived()
    local minutes = math.ceil((socket.gettime() - start) / 60)
    assert.is_true(all <= 60 * RATE * minutes, all)
    assert.is_true(of["/engage"] == 3 and of["/groups"] == 3, "a lane starves")
    assert.is_true(of["/track"] > 3)
    balance(mp:stats())
    local ok, message, code = mp:flush(0.1)
    assert.is_nil(ok)
    assert.matches("^timeout: %d+ records undelivered", message)
    assert.equal("timeout", code)
  end)

  it("sends the rest at once when it has none any more", function()
    fill { name = "no rate", max_rate = 0.1, max_byte_rate = 65536 }
    assert.is_nil(mp:flush(0.1))
    assert.equal(0, #server:requests())
    assert.is_true(mp:check(60)) -- which does not count
    assert(mp:set_config { max_rate = false, max_byte_rate = false })
    assert.is_true(mp:flush(60))
    assert.equal(EVENTS, #server:records "/track")
    assert.equal(EVENTS + 6, balance(mp:stats()).delivered)
  end)

  it("tells a host that carries the requests when there is room", function()
    mp = mixpanel.new("projecttoken", { name = "by hand", transport = "manual", max_rate = 1 })
    assert(mp:track("E", { distinct_id = "u" }))
    mp:flush()
    local request, wait = mp:next_request()
    assert.is_nil(request)
    assert.is_true(wait > 0 and wait <= 60, wait)
    mp:set_config { max_rate = false }
    assert.is_table(mp:next_request())
  end)
end)
