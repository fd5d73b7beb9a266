-- What SDKs post: mp:collect.
-- luacheck: std max+busted
local posts = require "spec.support.posts"

local NOW = posts.NOW
local DAY = posts.DAY
local client = posts.client
local arrived = posts.arrived
local escape = posts.escape
local base64 = posts.base64
local event = posts.event
local update = posts.update

describe("collect", function()
  local mp

  before_each(function()
    mp = client()
  end)

  after_each(function()
    mp:close(0)
  end)

  -- What arrives of a body of which one record is taken.
  local function taken(endpoint, body, options)
    local result = assert(mp:collect(endpoint, body, options))
    assert.same({ 1, 0 }, { result.taken, result.refused })
    local records = arrived(mp)
    assert.equal(1, #records)
    return records[1], result
  end

  local function refused(endpoint, body, options)
    local result = assert(mp:collect(endpoint, body, options))
    assert.same({ 0, 1, 1 }, { result.taken, result.refused, #result.refusals })
    assert.same({}, arrived(mp))
    return result.refusals[1], result
  end

  it("takes every form in which SDKs post", function()
    local json = event '"distinct_id":"u","$insert_id":"abc"'
    local forms = {
      json,
      "[" .. json .. "]",
      "\n " .. json,
      "data=" .. escape(json),
      "data=" .. escape(base64(json)),
      "verbose=1&data=" .. escape(base64("[" .. json .. "]")) .. "&ip=0",
      "ip=0&data=" .. json:gsub('"', "%%22"),
    }
    for _, form in ipairs(forms) do
      local arrival = taken("track", form)
      assert.equal("/track", arrival.path)
      assert.equal("verbose=1&ip=0", arrival.query)
      assert.same({
        event = "Click",
        properties = {
          token = "projecttoken",
          time = NOW,
          distinct_id = "u",
          ["$insert_id"] = "abc",
          ip = 0,
        },
      }, arrival.record)
    end
  end)

  it("takes a GET's query, and gzip", function()
    local json = event '"$insert_id":"abc"'
    local query = "verbose=1&_=123&data=" .. escape(base64(json))
    assert.equal("Click", taken("track", nil, { query = query }).record.event)
    assert.equal("Click", taken("track", "", { query = query }).record.event)

    local other = client { gzip = true }
    other:track("Zipped", { distinct_id = "u" })
    other:flush()
    local request = other:next_request()
    local arrival = taken("track", request.body, { content_encoding = "gzip" })
    assert.equal("Zipped", arrival.record.event)
    other:close(0)
  end)

  it("keeps numbers as they are written, and text byte for byte", function()
    local properties =
      '"n":12345678901234567890,"x":1.50e-7,"z":-0.0,"t":"a\195\169\240\159\152\128"'
    local arrival = taken("track", event(properties))
    assert.is_truthy(arrival.json:find(properties, 1, true))
  end)

  it("takes updates of people and groups", function()
    local arrival = taken("engage", "data=" .. escape(update()))
    assert.equal("/engage", arrival.path)
    assert.equal("pro", arrival.record["$set"].plan)
    assert.equal("0", taken("engage", update(), { query = "ip=0", ip = "192.0.2.1" }).record["$ip"])
    local group = '{"$token":"projecttoken","$group_key":"c","$group_id":"a","$set":{"n":1}}'
    assert.equal("/groups", taken("groups", "[" .. group .. "]").path)
  end)

  it("places a visitor by its address when the SDK asks for it", function()
    local json = event '"ip":"198.51.100.1"'
    local function ip(query, body)
      local options = { query = query, ip = "203.0.113.7" }
      return taken("track", body or json, options).record.properties.ip
    end
    assert.equal("203.0.113.7", ip "ip=1&verbose=1")
    assert.equal("203.0.113.7", ip(nil, "ip=1&data=" .. escape(json)))
    assert.equal("198.51.100.1", ip "ip=0")
    assert.equal("198.51.100.1", ip())
    assert.equal(0, ip("ip=0", event()))
    local people = taken("engage", update(), { ip = "2001:db8::7" })
    assert.equal("2001:db8::7", people.record["$ip"])
  end)

  it("gives an event sent again the same $insert_id", function()
    local function id(body)
      return taken("track", body).record.properties["$insert_id"]
    end
    local first = id(event '"a":1')
    assert.matches("^%x+$", first)
    assert.equal(32, #first)
    assert.equal(first, id("data=" .. escape(event '"a":1')))
    assert.not_equal(first, id(event '"a":2'))
    local timeless = '{"event":"E","properties":{"token":"projecttoken"}}'
    assert.not_equal(id(timeless), id(timeless)) -- may as well be two
  end)

  it("takes the good records and says what is wrong with the others", function()
    local result = assert(mp:collect("track", "[" .. table.concat({
      event(),
      '{"event":" ","properties":{"token":"projecttoken"}}',
      event('"a":{"b":1,"b":2}'),
      '{"event":"E","properties":{"token":"another"}}',
      "17",
      event(),
    }, ",") .. "]"))
    assert.equal(2, result.taken)
    assert.equal(4, result.refused)
    assert.equal(0, result.expired)
    local seen = {}
    for i, refusal in ipairs(result.refusals) do
      seen[i] = ("%d %s: %s"):format(refusal.index, refusal.field or "", refusal.message)
    end
    assert.same({
      "2 event: the name of the event is blank",
      "3 properties.a.b: the name occurs twice in the object",
      "4 properties.token: the token of another project",
      "5 : expected an object",
    }, seen)
    assert.equal(2, #arrived(mp))
    assert.equal(2, mp:stats().accepted)
  end)

  it("shows ten refusals at the most", function()
    local result = assert(mp:collect("track", "[" .. ("1,"):rep(30) .. "1]"))
    assert.equal(31, result.refused)
    assert.equal(10, #result.refusals)
  end)

  it("maps tokens, and refuses what has none", function()
    local tokens = { web = "projecttoken", other = "second" }
    local function token(given)
      local json = ('{"event":"E","properties":{"token":"%s"}}'):format(given)
      return taken("track", json, { tokens = tokens }).record.properties.token
    end
    assert.equal("projecttoken", token "web")
    assert.equal("second", token "other")
    assert.equal("projecttoken", token "projecttoken")
    local refusal = refused("track", '{"event":"E","properties":{}}')
    assert.equal("properties.token", refusal.field)
    assert.equal("the token is missing or empty", refusal.message)
    assert.equal("$token", refused("engage", '{"$distinct_id":"u","$set":{"a":1}}').field)
  end)

  it("gives nobody more rights than /track", function()
    assert.equal(
      "$merge is not taken here",
      refused("track", (event():gsub("Click", "$merge"))).message
    )
    local old = '{"event":"E","properties":{"token":"projecttoken","time":%d}}'
    local refusal, result = refused("track", old:format(NOW - 5 * DAY))
    assert.equal("the event is too old", refusal.message)
    assert.equal(1, result.expired)

    -- Also when the client itself sends all its events to /import.
    local rich = client {
      events_via = "import",
      service_account = { username = "a", secret = "s", project_id = 1 },
    }
    assert(rich:collect("track", "[" .. event() .. "," .. old:format(NOW - 4 * DAY) .. "]"))
    assert(rich:collect("track", (event():gsub("Click", "$identify"))))
    rich:flush()
    local request = rich:next_request()
    while request do
      assert.matches("/track%?verbose=1&ip=0$", request.url)
      assert.is_nil(request.headers.Authorization)
      rich:answer(request.id, 200, nil, '{"status":1,"error":null}')
      request = rich:next_request()
    end
    assert.equal(3, rich:stats().delivered)
    rich:close(0)
  end)

  it("leaves out exclude_properties, and adds none of the client's", function()
    mp = client { exclude_properties = { "$referrer", "plan" }, properties = { env = "prod" } }
    local arrival = taken("track", event '"$referrer":"https://x/","a":1')
    assert.is_nil(arrival.record.properties["$referrer"])
    assert.is_nil(arrival.record.properties.env)
    assert.equal(1, arrival.record.properties.a)
    local result = assert(mp:collect("engage", update()))
    assert.same({ 0, 1 }, { result.taken, result.left_out })
  end)

  it("says whether the SDK wants a verbose answer", function()
    local function verbose(body, query)
      return assert(mp:collect("track", body, { query = query })).verbose
    end
    assert.is_false(verbose "[]")
    assert.is_false(verbose("[]", "verbose=0"))
    assert.is_true(verbose("[]", "ip=1&verbose=1"))
    assert.is_true(verbose "data=[]&verbose=1")
    assert.is_true(verbose("data=[]&verbose=0", "verbose=2"))
  end)

  describe("refuses", function()
    local function fails(code, pattern, endpoint, body, options)
      local result, message, seen = mp:collect(endpoint, body, options)
      assert.is_nil(result)
      assert.matches(pattern, message)
      assert.equal(code, seen)
      assert.is_nil(message:find "[%c\127-\255]")
      assert.equal(0, mp:stats().accepted)
    end

    it("no body, and no data", function()
      for _, body in ipairs { "", "a=b", "data=", "data=&verbose=1", "data" } do
        fails("invalid", "^body: data, missing or empty$", "track", body)
      end
      fails("invalid", "^body: data, missing or empty$", "track")
      fails("invalid", "^body: data, missing or empty$", "track", nil, { query = "ip=1" })
    end)

    it("what is no JSON and no base64", function()
      local coded = base64(event())
      fails(
        "invalid",
        "neither JSON nor padded base64",
        "track",
        "data=" .. escape(coded:sub(1, 50))
      )
      fails("invalid", "neither JSON nor padded base64", "track", "data=\255\r\n<script>")
      fails("invalid", "at byte %d+ of the JSON$", "track", "data=" .. escape(event():sub(1, 60)))
      fails("invalid", "at byte 4 of the JSON$", "track", "[\r\n\27]x")
      assert.equal(1, mp:collect("track", "data=" .. coded:gsub("%+", " ")).taken)
    end)

    it("more than Mixpanel takes at once", function()
      local many = "[" .. (event() .. ","):rep(2000) .. event() .. "]"
      fails("too_large", "^body: more than 2000 records", "track", many)
      fails("too_large", "^body: 52428800 bytes", "track", ("a"):rep(50 * 1024 * 1024))
      assert.equal(
        2000,
        mp:collect("track", "[" .. (event() .. ","):rep(1999) .. event() .. "]").taken
      )
    end)

    it("a gzip that is damaged, and encodings that nobody reads", function()
      fails("invalid", "gzip is damaged", "track", event(), { content_encoding = "gzip" })
      fails("invalid", 'encoding is "br\\r\\n"', "track", event(), { content_encoding = "br\r\n" })
    end)

    it("JSON nested too deep, in no time", function()
      local deep = event('"a":' .. ("["):rep(1000) .. ("]"):rep(1000))
      assert.equal(1, mp:collect("track", deep).refused)
      fails("invalid", "deep", "track", event('"a":' .. ("["):rep(10000) .. ("]"):rep(10000)))
    end)

    it("everything, once the queue is full", function()
      mp = client { max_queue_bytes = 65536 }
      local body = "["
        .. (event(('"a":"%s"'):format(("x"):rep(200))) .. ","):rep(99)
        .. event()
        .. "]"
      assert.equal(100, mp:collect("track", body).taken)
      local result, message, code = mp:collect("track", body)
      assert.is_nil(result)
      assert.matches("^the queue is full", message)
      assert.equal("queue_full", code)
      assert.equal(100, mp:stats().accepted) -- all of a body or nothing
    end)

    it("a closed client", function()
      mp:close(0)
      local result, _, code = mp:collect("track", event())
      assert.is_nil(result)
      assert.equal("closed", code)
    end)

    it("arguments that are none, at the caller's line", function()
      local rows = {
        {
          '#1 .*endpoint: got "import", expected "track", "engage" or "groups"',
          "import",
          "",
        },
        { "#1 .*endpoint: got nil" },
        { "#2 .*body: string expected, got table", "track", {} },
        { "#3 .*options: table expected, got string", "track", "", "gzip" },
        { '#3 .*unknown option "cookies"', "track", "", { cookies = "a" } },
        { "#3 .*unknown option 1", "track", "", { "gzip" } },
        { '#3 .*option \'ip\': got "a\\"b"', "track", "", { ip = 'a"b' } },
        { "#3 .*option 'ip': string expected, got number", "track", "", { ip = 17 } },
        { "#3 .*option 'query': string expected", "track", "", { query = true } },
        { "#3 .*option 'tokens': table expected", "track", "", { tokens = "a" } },
        { "#3 .*option 'tokens': expected tokens", "track", "", { tokens = { "a" } } },
        { "#3 .*option 'tokens': expected tokens", "track", "", { tokens = { a = 'b"' } } },
      }
      for _, row in ipairs(rows) do
        local ok, message = pcall(function()
          mp:collect(row[2], row[3], row[4])
        end)
        assert.is_false(ok)
        assert.matches("^spec/collect_spec.lua:%d+: bad argument " .. row[1], message)
      end
    end)
  end)

  it("is not disturbed by a finaliser that collects too", function()
    for _ = 1, 50 do
      local body = "[" .. ("1,"):rep(9) .. event() .. "]"
      local ran = false
      local function finalise()
        ran = true
        mp:collect("track", event '"from":"a finaliser"')
      end
      if newproxy then -- luacheck: ignore
        getmetatable(newproxy(true)).__gc = finalise -- luacheck: ignore
      else
        setmetatable({}, { __gc = finalise })
      end
      local result
      repeat
        result = assert(mp:collect("track", body))
        assert.equal(1, result.taken)
        assert.equal(9, #result.refusals)
      until ran
    end
    assert.equal(mp:stats().accepted, #arrived(mp))
  end)
end)
