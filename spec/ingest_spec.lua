-- Records that programs have as JSON: mp:ingest.
-- luacheck: std max+busted
local cjson = require "cjson"
local posts = require "spec.support.posts"

local NOW = posts.NOW
local DAY = posts.DAY
local client = posts.client
local arrived = posts.arrived

describe("ingest", function()
  local mp

  before_each(function()
    mp = client()
  end)

  after_each(function()
    mp:close(0)
  end)

  it("takes an object, a list and lines", function()
    local one = '{"event":"A","properties":{"distinct_id":"u"}}'
    assert.equal(1, mp:ingest("track", one).taken)
    assert.equal(2, mp:ingest("track", "[" .. one .. "," .. one .. "]").taken)
    assert.equal(3, mp:ingest("track", one .. "\n" .. one .. "\n" .. one .. "\n").taken)
    assert.equal(0, mp:ingest("track", "[]").taken)
    local records, ids = arrived(mp), {}
    assert.equal(6, #records)
    for _, arrival in ipairs(records) do
      local properties = arrival.record.properties
      assert.equal("projecttoken", properties.token)
      assert.equal("u", properties.distinct_id)
      assert.is_true(math.abs(properties.time / 1000 - NOW) < 600)
      assert.is_nil(ids[properties["$insert_id"]])
      ids[properties["$insert_id"]] = true
    end
  end)

  it("has the rights of the caller", function()
    local old = ('{"event":"Old","properties":{"time":%d}}'):format(NOW - 400 * DAY)
    local merge = '{"event":"$merge","properties":{"$distinct_ids":["a","b"]}}'
    assert.equal(2, mp:ingest("import", "[" .. old .. "," .. merge .. "]").taken)
    assert.equal(3, mp:ingest("track", "[" .. old .. "," .. merge .. "," .. old .. "]").taken)
    for _, arrival in ipairs(arrived(mp)) do
      assert.equal("/import", arrival.path)
    end
    assert.equal(1, mp:ingest("track", '{"event":"New"}').taken)
    assert.equal("/track", arrived(mp)[1].path)
  end)

  it("takes profiles", function()
    assert.equal(1, mp:ingest("engage", '{"$distinct_id":"u","$add":{"n":1}}').taken)
    assert.equal("projecttoken", arrived(mp)[1].record["$token"])
    local group = '{"$group_key":"c","$group_id":"a","$set":{"n":1}}'
    assert.equal(1, mp:ingest("groups", group).taken)
    assert.equal("/groups", arrived(mp)[1].path)
  end)

  it("says which record it refuses, where it stands, and why", function()
    local good = ('{"event":"A","properties":{"time":%d}}'):format(NOW)
    local bad = '{"event":"A"}'
    local text = good .. "\n" .. bad .. "\n" .. good
    local result = assert(mp:ingest("import", text))
    assert.same({ 2, 1 }, { result.taken, result.refused })
    local refusal = result.refusals[1]
    assert.equal(2, refusal.index)
    assert.equal("properties.time", refusal.field)
    assert.equal("import wants to know when the event happened", refusal.message)
    assert.equal(bad, text:sub(refusal.first, refusal.last))
    assert.equal(50, #mp:ingest("track", ("1 "):rep(0) .. "[" .. ("1,"):rep(49) .. "1]").refusals)
  end)

  it("fails for what is no JSON, and takes nothing of it", function()
    local result, message, code = mp:ingest("track", '{"event":"A"} x')
    assert.is_nil(result)
    assert.matches("^json: .*, at byte 15 of the JSON$", message)
    assert.equal("invalid", code)
    assert.equal(0, mp:stats().accepted)
    assert.has_error(function()
      mp:ingest("decide", "{}")
    end)
    assert.has_error(function()
      mp:ingest("track", nil)
    end)
  end)

  it("refuses what on_invalid = 'reject' refuses", function()
    local json = '{"event":"A","properties":{"a":"\255"}}'
    assert.equal(1, mp:ingest("track", json).taken)
    assert.equal(1, mp:stats().repaired)
    mp:set_config { on_invalid = "reject" }
    assert.equal("properties.a", mp:ingest("track", json).refusals[1].field)
  end)

  it("makes the records that track makes of what cjson reads", function()
    math.randomseed(NOW)
    local function value(depth)
      local kind = math.random(depth > 2 and 5 or 7)
      if kind == 1 then
        return math.random(-1000000, 1000000)
      elseif kind == 2 then
        return math.random() * 10 ^ math.random(-5, 12)
      elseif kind == 3 then
        return math.random() < 0.5
      elseif kind <= 5 then
        return ("%c\195\169%s\240\159\152\128"):format(
          math.random(1, 126),
          ("y"):rep(math.random(0, 9))
        )
      end
      local t = {}
      for i = 1, math.random(4) do
        t[kind == 6 and i or "k" .. i] = value(depth + 1)
      end
      return t
    end
    for _ = 1, 300 do
      local properties = { distinct_id = "u", time = NOW * 1000, ["$insert_id"] = "i" }
      for i = 1, math.random(0, 12) do
        properties["p" .. i] = value(0)
      end
      local json = cjson.encode { event = "E", properties = properties }
      assert.equal(1, mp:ingest("track", json).taken)
      assert(mp:track("E", cjson.decode(json).properties))
      local records = arrived(mp)
      assert.equal(2, #records)
      local read, tracked = records[1].record, records[2].record
      tracked.properties.mp_lib, tracked.properties["$lib_version"] = nil, nil
      assert.same(tracked, read)
    end
  end)
end)
