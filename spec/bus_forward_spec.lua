-- The way over a bus and the way to Mixpanel give the same records: what clients
-- put on a bus comes out of mp:ingest byte for byte.
local cjson = require "cjson"
local fake = require "spec.support.bus"
local mixpanel = require "mixpanel"
local sandbox = require "spec.support.sandbox"
local values = require "spec.support.values"

local ENDPOINT = {
  events = "track",
  collected = "track",
  import = "import",
  people = "engage",
  groups = "groups",
}

local PATHS = { "/track", "/import", "/engage", "/groups" }

-- ---- records of all kinds ----

local NOW = os.time()

local TIMES = {
  NOW,
  NOW + 0.123,
  NOW - 4 * 86400,
  31536000, -- the first that Mixpanel takes
  31536000.001,
  44668800, -- of 1971: in milliseconds less than many seconds
  99999999.999,
  100000000,
  1500000000,
}

-- Tables of properties, to be used twice: another with the same keys may have them
-- in another order.
local function make_properties(seed)
  local random, list = values.new(seed), {}
  for i = 1, 100 do
    list[i] = random:properties()
  end
  return list
end

local function track_events(mp, random)
  mp:track "Bare"
  for i, time in ipairs(TIMES) do
    local name = ('Event %d \226\130\172 "\\\1'):format(i)
    mp:track(name, { distinct_id = "u" .. i, time = time, ["$insert_id"] = "track-" .. i })
    mp:import(name, time, { ["$device_id"] = "d", ["$insert_id"] = "import-" .. i })
  end
  mp:track("Address", { ip = "203.0.113.7", distinct_id = "" })
  mp:track("No address", { ip = mixpanel.null, ["$user_id"] = 76561198000000 })
  mp:track("No number", { ip = 0 / 0, a = 0 / 0 })
  mp:track("Library", { mp_lib = "mine", ["$lib_version"] = "1" })
  for i, properties in ipairs(random) do
    mp:track("Random " .. i, properties)
    mp:import("Random", 1500000000 + i, properties)
  end
end

local function identify(mp)
  mp:identify("user", "device")
  mp:alias("user", "other")
  mp:merge("a", "b")
  local user = mp:user { distinct_id = "of a user" }
  user:register { plan = "pro", n = 1e-7 }
  user:track("By a user", { a = {} })
end

local function update(mp, random)
  local people, groups = mp.people, mp.groups
  people:set("u", { a = 1, b = "x", c = mixpanel.date(1500000000) })
  people:set("u", { a = 1 }, { ip = "203.0.113.7", time = 1500000000 })
  people:set("u", { a = 1 }, { ignore_time = true })
  people:set_once("\195\169", "a", mixpanel.null)
  people:increment("u", { a = 9007199254740993, b = 0.1, c = -1 })
  people:append("u", "list", "x")
  people:union("u", { list = { 1, "two" } })
  people:remove("u", "list", 1)
  people:unset("u", { "a", "b" })
  people:track_charge("u", 9.5, { ["$time"] = "2026-01-02T03:04:05" })
  people:clear_charges "u"
  people:delete_user "u"
  groups:set("company", "acme", { a = 1 })
  groups:set_once("company", 7, "a", "b")
  groups:union("company", "acme", "list", { 1 })
  groups:remove("company", "acme", "list", 1)
  groups:unset("company", "acme", "a")
  groups:delete("company", "acme")
  for i, properties in ipairs(random) do
    people:set("random", properties)
    groups:set("company", i, properties)
  end
end

local function collect(mp)
  local function post(endpoint, json, query)
    assert.equal(1, mp:collect(endpoint, json, { ip = "198.51.100.9", query = query }).taken)
  end
  local event = '{"event":"%s","properties":{"token":"projecttoken","time":%s,'
    .. '"$insert_id":"c","n":1.50e+07,"big":12345678901234567890%s}}'
  post("track", event:format("Placed", NOW, ""), "ip=1")
  post("track", event:format("Not placed", NOW .. ".25", ""))
  post("track", event:format("Its own", NOW * 1000, ',"ip":"9.9.9.9"'))
  post("track", event:format("$identify", NOW, ',"$identified_id":"a","$anon_id":"b"'))
  local person = '{"$token":"projecttoken","$distinct_id":"u","$set":{"a":1},"$device_id":"d"}'
  post("engage", person)
  post("engage", person, "ip=0")
  post("groups", '{"$token":"projecttoken","$group_key":"k","$group_id":"g","$set":{"a":1}}')
end

local function fill(mp, random)
  track_events(mp, random)
  identify(mp)
  update(mp, random)
  collect(mp)
end

-- ---- the two ways ----

describe("records that go over a bus", function()
  local bus, server, cpath
  local names = 0

  setup(function()
    cpath = package.cpath
    package.cpath = cpath .. ";" .. fake.drivers
    server = sandbox.start()
  end)

  teardown(function()
    package.cpath = cpath
    server:stop()
  end)

  before_each(function()
    server:reset()
    bus = fake.new()
  end)

  after_each(function()
    bus:remove()
  end)

  local function client(options)
    names = names + 1
    options.name = "bus forward " .. names
    return mixpanel.new("projecttoken", options)
  end

  local function put(options, random)
    options.transport = "fake"
    options.bus = { servers = bus.servers }
    local mp = client(options)
    fill(mp, random)
    assert.is_true(mp:close(60))
    return bus:messages()
  end

  -- As a program does that forwards what is there.
  local function forward(messages, options)
    options.api_host = options.api_host or server.url
    local mp = client(options)
    for _, message in ipairs(messages) do
      local lane = message.lane
      local result = assert(mp:ingest(ENDPOINT[lane], message.body, {
        content_encoding = "gzip",
        collected = lane == "collected",
        complete = true,
      }))
      local refusal = result.refusals[1] or {}
      assert.same({}, { refusal.field, refusal.message, refusal.json })
      assert.equal(#message.records, result.taken)
    end
    assert.is_true(mp:close(60))
  end

  local function sorted(list)
    table.sort(list)
    return list
  end

  local function arrived()
    local lines = {}
    for _, path in ipairs(PATHS) do
      for _, line in ipairs(server:lines(path)) do
        lines[#lines + 1] = line
      end
    end
    return sorted(lines)
  end

  it("arrive byte for byte", function()
    for seed = 1, 4 do
      local messages =
        put({ profile_time = seed % 2 == 0 }, make_properties(1000 * seed + NOW % 1000))
      local lines, lanes = {}, {}
      for _, message in ipairs(messages) do
        lanes[message.lane] = true
        for _, record in ipairs(message.records) do
          lines[#lines + 1] = record
        end
      end
      for lane in pairs(ENDPOINT) do
        assert.is_true(lanes[lane], lane)
      end
      forward(messages, { geolocate = seed > 2 })
      local got = arrived()
      assert.equal(#lines, #got)
      for i, line in ipairs(sorted(lines)) do
        assert.equal(line, got[i])
      end
      server:reset()
      bus:remove()
      bus = fake.new()
    end
  end)

  -- Without what differs from call to call.
  local function alike(lines)
    local list = {}
    for i, line in ipairs(lines) do
      line = line:gsub('"%$insert_id":"%x+"', '"$insert_id":""')
      list[i] = line:gsub('"(%$?time)":' .. tostring(NOW):sub(1, 5) .. "%d+", '"%1":')
    end
    return sorted(list)
  end

  -- Where each went, and with which rights.
  local function ways()
    local list = {}
    for _, request in ipairs(server:requests()) do
      for _, record in ipairs(cjson.decode(request.body)) do
        local what = record.event or record["$distinct_id"] or record["$group_id"]
        local query = request.query
        list[#list + 1] = ("%s %s ip=%s strict=%s %s"):format(
          what,
          request.path,
          tostring(query.ip),
          tostring(query.strict),
          tostring(request.headers.authorization)
        )
      end
    end
    return sorted(list)
  end

  it("arrive as those that go to Mixpanel at once", function()
    local random = make_properties(NOW)
    local messages = put({}, random)
    local account = { username = "u", secret = "s", project_id = 1 }
    local function options(via)
      return {
        api_host = server.tls_url,
        ca_file = server.ca_file,
        events_via = via,
        service_account = account,
      }
    end
    for _, via in ipairs { "track", "import" } do
      server:reset()
      server:config { accounts = { account } }
      local direct = client(options(via))
      fill(direct, random)
      assert.is_true(direct:close(60))
      local expected, expected_ways = alike(arrived()), ways()
      server:reset()
      server:config { accounts = { account } }
      forward(messages, options(via))
      local got = alike(arrived())
      assert.equal(#expected, #got)
      for i, line in ipairs(expected) do
        assert.equal(line, got[i])
      end
      assert.same(expected_ways, ways())
    end
  end)
end)
