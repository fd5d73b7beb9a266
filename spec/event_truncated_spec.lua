-- Texts that Mixpanel cuts are counted, and sent as they are.
local mixpanel = require "mixpanel"

describe("texts of more than 255 bytes", function()
  local long, most = ("x"):rep(256), ("x"):rep(255)
  local clients
  local projects = 0

  local function new(options)
    options = options or {}
    options.api_host, options.allow_http = "http://127.0.0.1:9", true
    projects = projects + 1
    local mp = mixpanel.new("truncated" .. projects, options)
    clients[#clients + 1] = mp
    return mp
  end

  local function count(properties, options)
    local mp = new(options)
    assert(mp:track("A", properties))
    return mp:stats().truncated
  end

  before_each(function()
    clients = {}
  end)

  after_each(function()
    for _, mp in ipairs(clients) do
      mp:close(0)
    end
  end)

  it("are counted in the properties of events, wherever they lie", function()
    assert.equal(0, count { a = most, [most] = { most } })
    assert.equal(1, count { a = long })
    assert.equal(1, count { [long] = true })
    assert.equal(3, count { a = { long, b = { c = long } }, d = { long } })
    assert.equal(1, count { a = ("\n"):rep(256) })
    assert.equal(0, count { a = ("\n"):rep(255) })
    assert.equal(1, count { a = ("ä"):rep(128) })
  end)

  it("are counted once in a table that turns out to be no list", function()
    assert.equal(2, count { a = { long, long, n = 1 } })
  end)

  it("are counted in the name of the event", function()
    local mp = new()
    assert(mp:track(long))
    assert(mp:track_batch { { event = long, properties = { a = long } } })
    assert.equal(3, mp:stats().truncated)
  end)

  it("are counted in every event that takes them from its client", function()
    local mp = new { properties = { a = long, b = { long, ('"'):rep(256) }, c = ('"'):rep(255) } }
    assert(mp:track("A"))
    assert.equal(3, mp:stats().truncated)
    assert(mp:track("A", { b = 1 }))
    assert.equal(4, mp:stats().truncated)
  end)

  it("are counted in every event that takes them from its user", function()
    local mp = new()
    local me = mp:user()
    assert(me:register { plan = long, list = { long } })
    assert(me:track("A"))
    assert.equal(2, mp:stats().truncated)
    assert(me:track("A", { plan = "free" }))
    assert.equal(3, mp:stats().truncated)
  end)

  it("are counted in events that are read from JSON", function()
    local mp = new()
    local json = '{"event":"A","properties":{"a":"%s","%s":["%s"]}}'
    assert.equal(1, mp:ingest("track", json:format(long, long, ("\\u00e4"):rep(128))).taken)
    assert.equal(3, mp:stats().truncated)
    assert.equal(1, mp:ingest("track", json:format(most, most, ("\\u00e4"):rep(127))).taken)
    assert.equal(3, mp:stats().truncated)
  end)

  it("are not counted in updates of profiles, nor in what is refused", function()
    local mp = new()
    assert(mp.people:set("u", { a = long }))
    assert.equal(0, mp:stats().truncated)
    assert.is_nil(mp:track("A", { a = long, b = print }))
    assert.equal(0, mp:stats().truncated)
  end)
end)
