-- Messages of a bus, as a program that forwards them hands them to mp:ingest.
-- luacheck: std max+busted
local posts = require "spec.support.posts"
local process = require "spec.support.process"

local NOW = posts.NOW
local DAY = posts.DAY
local arrived = posts.arrived

local function gzip(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  local zipped = process.read("gzip -c " .. path)
  os.remove(path)
  return zipped
end

local function event(name, time)
  local properties = '{"token":"projecttoken","time":%d,"$insert_id":"%s","ip":0,"distinct_id":"u"}'
  return ('{"event":"%s","properties":' .. properties .. "}"):format(name, time or NOW * 1000, name)
end

local function update(operation, id)
  return ('{"$token":"projecttoken","$distinct_id":"%s",%s}'):format(id or "u", operation)
end

describe("a message", function()
  local mp

  before_each(function()
    mp = posts.client()
  end)

  after_each(function()
    mp:close(0)
  end)

  -- ---- gzip ----

  it("is read compressed, and tells the text of what it refuses", function()
    local bad = '{"event":"","properties":{"token":"projecttoken"}}'
    local foreign = '{"event":"B", "properties":{"token":"other"}}'
    local body = gzip("[" .. table.concat({ event "A", bad, event "C", foreign }, ",\n") .. "]")
    local result = assert(mp:ingest("track", body, { content_encoding = "gzip" }))
    assert.same({ 2, 2 }, { result.taken, result.refused })
    assert.equal(bad, result.refusals[1].json)
    assert.equal("event", result.refusals[1].field)
    assert.equal(foreign, result.refusals[2].json)
    assert.equal("the token of another project", result.refusals[2].message)
    assert.equal(event "C", arrived(mp)[2].json)
    local plain = assert(mp:ingest("track", bad))
    assert.is_nil(plain.refusals[1].json) -- the caller has it
    local lines = gzip(event "D" .. "\n" .. bad .. "\n")
    local options = { content_encoding = "gzip", items = "lines", last = true }
    assert.equal(bad, mp:ingest("track", lines, options).refusals[1].json)
    assert.equal(1, #arrived(mp))
  end)

  it("that is damaged, cut or a bomb is refused", function()
    local whole = gzip("[" .. event "A" .. "]")
    local function fails(text, code, message)
      local result, why, got = mp:ingest("track", text, { content_encoding = "gzip" })
      assert.is_nil(result)
      assert.equal(code, got)
      assert.equal(message, why)
    end
    fails("", "invalid", "json: the gzip is damaged")
    fails(event "A", "invalid", "json: the gzip is damaged")
    for cut = 1, #whole - 1 do
      fails(whole:sub(1, cut), "invalid", "json: the gzip is damaged")
    end
    fails(whole:sub(1, 20) .. "x" .. whole:sub(22), "invalid", "json: the gzip is damaged")
    local most = 64 * 1024 * 1024
    local large = process.read(("head -c %d /dev/zero | gzip -c"):format(most + 1))
    local message = "json: it holds more than is taken at once"
    fails(large, "too_large", message)
    fails(large:sub(1, -5) .. "\16\0\0\0", "too_large", message)
    fails(gzip "{", "invalid", "json: expected a string, at byte 2 of the JSON")
    local blank = process.read(
      ("(head -c %d /dev/zero | tr '\\0' ' '; printf '[]') | gzip -c"):format(most - 2)
    )
    assert.equal(0, mp:ingest("track", blank, { content_encoding = "gzip" }).taken)
    assert.equal(0, mp:stats().accepted)
  end)

  -- ---- options ----

  it("has options that are checked", function()
    local function raises(options, message, endpoint)
      local ok, why = pcall(mp.ingest, mp, endpoint or "track", "[]", options)
      assert.is_false(ok)
      assert.truthy(why:find(message, 1, true), why)
    end
    raises({ content_encoding = "br" }, 'option \'content_encoding\': got "br", expected "gzip"')
    raises({ content_encoding = 1 }, "option 'content_encoding': got 1, expected \"gzip\"")
    raises({ colected = true }, 'unknown option "colected": expected collected, complete, ')
    raises({ [1] = true }, "unknown option 1: expected")
    raises({ items = "list" }, 'option \'items\': got "list", expected "text"')
    for _, endpoint in ipairs { "import", "engage", "groups" } do
      raises(
        { collected = true },
        ('option \'collected\': endpoint "%s" takes none, expected "track"'):format(endpoint),
        endpoint
      )
    end
  end)

  -- ---- rights ----

  it("of collected events gains no rights", function()
    mp:close(0)
    mp = posts.client {
      events_via = "import",
      geolocate = true,
      service_account = { username = "u", secret = "s", project_id = 1 },
    }
    local old = event("Old", (NOW - 6 * DAY) * 1000)
    local merge = '{"event":"$merge","properties":{"token":"projecttoken","time":1700000000000,'
      .. '"$insert_id":"i","$distinct_ids":["a","b"]}}'
    local identify = event "$identify"
    local text = "[" .. table.concat({ event "A", old, merge, identify }, ",\n") .. "]"
    local result = assert(mp:ingest("track", text, { collected = true }))
    assert.same({ 2, 2, 1 }, { result.taken, result.refused, result.expired })
    assert.equal("the event is too old", result.refusals[1].message)
    assert.equal("$merge is not taken here", result.refusals[2].message)
    for _, arrival in ipairs(arrived(mp)) do
      assert.equal("/track", arrival.path)
      assert.equal("verbose=1&ip=0", arrival.query)
    end
    assert.equal(2, mp:stats().delivered)
    assert.equal(3, mp:ingest("track", "[" .. event "A" .. "," .. old .. "," .. merge .. "]").taken)
    for _, arrival in ipairs(arrived(mp)) do
      assert.equal("/import", arrival.path)
    end
  end)

  it("in doubt gives what may be sent twice", function()
    local doubtful = {
      update '"$add":{"a":1}',
      update '"$append":{"a":1}',
      update '"$append":{"$transactions":{"$amount":1}}',
    }
    local safe = {
      update '"$set":{"a":1}',
      update '"$set_once":{"a":1}',
      update '"$union":{"a":[1]}',
      update '"$remove":{"a":1}',
      update '"$unset":["a"]',
      update '"$delete":""',
    }
    local list = table.concat(safe, ",") .. "," .. table.concat(doubtful, ",")
    local result = assert(mp:ingest("engage", "[" .. list .. "]", { in_doubt = true }))
    assert.same({ #safe, #doubtful }, { result.taken, result.refused })
    for _, refusal in ipairs(result.refusals) do
      assert.equal("may have been applied before the interruption", refusal.message)
    end
    assert.equal(1, mp:ingest("engage", doubtful[1]).taken)
    local lines = { in_doubt = true, items = "lines", last = true, position = 2 ^ 40 }
    assert.equal(1, mp:ingest("engage", doubtful[1], lines).refused)
    assert.equal(1, mp:ingest("track", event "A", { in_doubt = true }).taken)
  end)

  -- ---- marks and reports ----

  it("has a mark that tells when its records have ended", function()
    local before = mp:mark()
    assert.equal(before, mp:ingest("track", "[]").mark)
    local first = assert(mp:ingest("track", "[" .. event "A" .. "," .. event "B" .. "]"))
    assert.equal(before + 2, first.mark)
    local second = assert(mp:ingest("import", event "C"))
    assert.equal(before + 3, second.mark)
    assert.equal(second.mark, mp:ingest("track", "[]", { content_encoding = nil }).mark)
    assert.equal(second.mark, mp:ingest("track", event "D", { dry = true }).mark)
    assert.is_false(mp:done(first.mark))
    arrived(mp)
    assert.is_true(mp:done(second.mark))
    local collected = assert(mp:collect("track", event "E"))
    assert.equal(before + 4, collected.mark)
    assert.equal(collected.mark, mp:collect("track", "[]").mark)
    assert.is_false(mp:done(collected.mark))
    arrived(mp)
    assert.is_true(mp:done(collected.mark))
  end)

  -- Of reports with this outcome the records, by their mark.
  local function shown(outcome)
    local records, count = {}, 0
    for _, report in ipairs(mp:poll()) do
      if report.outcome == outcome then
        count = count + report.count
        for _, record in ipairs(report.records) do
          records[record.mark] = record.json
        end
      end
    end
    return records, count
  end

  it("is told record by record what was rejected", function()
    mp:set_config { reports = "every" }
    local names, list = {}, {}
    for i = 1, 40 do
      names[i] = "N" .. i
      list[i] = event(names[i])
    end
    local result = assert(mp:ingest("import", "[" .. table.concat(list, ",") .. "]"))
    mp:flush(0)
    local request = assert(mp:next_request())
    local failed = {}
    for i = 0, 39 do
      failed[i + 1] = ('{"index":%d,"field":"event","message":"no"}'):format(i)
    end
    mp:answer(
      request.id,
      400,
      nil,
      ('{"code":400,"error":"some","failed_records":[%s]}'):format(table.concat(failed, ","))
    )
    local records, count = shown "rejected"
    assert.equal(40, count)
    for i = 1, 40 do
      assert.equal(list[i], records[result.mark - 40 + i])
    end
  end)

  it("is told record by record what was dropped", function()
    mp:set_config { reports = "every", max_age = 0.05 }
    local list = { event "A", event "B" }
    local result = assert(mp:ingest("track", "[" .. table.concat(list, ",") .. "]"))
    process.wait_for(function()
      mp:next_request()
      return mp:stats().dropped.expired == 2
    end, "the end of both")
    local records, count = shown "dropped"
    assert.equal(2, count)
    assert.same({ [result.mark - 1] = list[1], [result.mark] = list[2] }, records)
  end)

  it("is told which record is stuck", function()
    mp:set_config { reports = "every", max_retry_delay = 0.01 }
    local result = assert(mp:ingest("track", event "A"))
    mp:flush(0)
    local records
    process.wait_for(function()
      local request = mp:next_request()
      if request then
        mp:answer(request.id, 500, nil, '{"error":"no"}')
      end
      records = shown "stuck"
      return next(records)
    end, "a report")
    assert.same({ [result.mark] = event "A" }, records)
    assert.equal(1, mp:stats().queued)
  end)
end)
