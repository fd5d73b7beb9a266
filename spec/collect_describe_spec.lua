-- The option `describe` of mp:collect: changes records, or drops them.
local mixpanel = require "mixpanel"
local posts = require "spec.support.posts"

local arrived = posts.arrived
local event = posts.event

describe("collect with a description", function()
  local mp

  before_each(function()
    mp = posts.client { exclude_properties = { "secret" } }
  end)

  after_each(function()
    mp:close(0)
  end)

  local function collect(body, hook, options)
    options = options or {}
    options.describe = hook
    return assert(mp:collect("track", body, options))
  end

  -- What arrives of a body of one record.
  local function taken(body, hook, options)
    local result = collect(body, hook, options)
    assert.same({ 1, 0, 0 }, { result.taken, result.refused, result.left_out })
    return arrived(mp)[1]
  end

  local function refusal(body, hook)
    local result = collect(body, hook)
    assert.same({ 0, 1, 1 }, { result.taken, result.refused, #result.refusals })
    assert.same({}, arrived(mp))
    return result.refusals[1]
  end

  it("gives each record that would be taken, complete", function()
    local seen = {}
    local body = "["
      .. table.concat({
        event '"a":[1,null,{"b":true}],"secret":1,"t":"\\u00e9\\n"',
        "17",
        event(nil):gsub("Click", "$merge"),
        event '"n":2.5,"e":[],"f":{}',
      }, ",")
      .. "]"
    local result = collect(body, function(record)
      seen[#seen + 1] = record
    end, { query = "ip=1", ip = "203.0.113.7" })
    assert.same({ 2, 2 }, { result.taken, result.refused })
    assert.equal(2, #seen)
    local first = seen[1].properties
    assert.equal("Click", seen[1].event)
    assert.same({ 1, mixpanel.null, { b = true } }, first.a)
    assert.same({ nil, "\195\169\n" }, { first.secret, first.t })
    assert.equal("203.0.113.7", first.ip)
    assert.equal(posts.NOW, first.time)
    assert.matches("^%x+$", first["$insert_id"])
    assert.same(
      { 2.5, {}, {} },
      { seen[2].properties.n, seen[2].properties.e, seen[2].properties.f }
    )
  end)

  it("leaves what it does not touch as it was written", function()
    local properties = {
      '"n":12345678901234567890',
      '"x":1.50e-7',
      '"z":-0.0',
      '"l":[1.0,[2,3.10],{"a":1e2}]',
      '"o":{"k":1.10,"big":98765432109876543210,"p":{"q":1E3}}',
      '"e":[]',
      '"f":{}',
      '"u":null',
      '"s":"\195\169\\n\\u0001"',
    }
    local body = event(table.concat(properties, ","))
    local record = taken(body, function(record)
      record.event = "Other"
      record.properties.new = { 1, "two", { three = mixpanel.null } }
    end)
    for _, text in ipairs(properties) do
      assert.is_truthy(record.json:find(text, 1, true), text)
    end
    assert.equal("Other", record.record.event)
    assert.is_truthy(record.json:find('"new":[1,"two",{"three":null}]', 1, true))
    -- Also beside what it does touch.
    record = taken(body, function(changed)
      changed.properties.l[3].b = 7
      changed.properties.l[4] = "x"
      changed.properties.o.k = nil
      changed.properties.e[1] = true
    end)
    assert.is_truthy(record.json:find('"l":[1.0,[2,3.10],{"a":1e2,"b":7},"x"]', 1, true))
    assert.is_truthy(record.json:find('"o":{"big":98765432109876543210,"p":{"q":1E3}}', 1, true))
    assert.is_truthy(record.json:find('"e":[true]', 1, true))
  end)

  it("changes the form of a value, and takes values away", function()
    local record = taken(event '"l":[1,2],"o":{"a":1},"n":1,"gone":1', function(record)
      local properties = record.properties
      properties.l, properties.o = { a = 1 }, { 1, 2, 3 }
      properties.n, properties.gone = mixpanel.array {}, nil
    end).record
    assert.same({ a = 1 }, record.properties.l)
    assert.same({ 1, 2, 3 }, record.properties.o)
    assert.same({}, record.properties.n)
    assert.is_nil(record.properties.gone)
    record = taken(event '"l":[1,2],"n":1', function(changed)
      changed.properties.l[2] = nil
      changed.properties.n = changed.properties.l
    end).record
    assert.same({ 1 }, record.properties.l)
    assert.same({ 1 }, record.properties.n)
  end)

  it("drops records, and says how many", function()
    local result = collect("[" .. event '"i":1' .. "," .. event '"i":2' .. "]", function(record)
      return record.properties.i == 2
    end)
    assert.same({ 1, 0, 1 }, { result.taken, result.refused, result.left_out })
    assert.equal(2, arrived(mp)[1].record.properties.i)
    result = collect(event(), function()
      return false
    end)
    assert.same({ 0, 1 }, { result.taken, result.left_out })
  end)

  it("works on updates of people and groups", function()
    local result = assert(mp:collect("engage", posts.update '"$set":{"a":1,"b":2.50}', {
      describe = function(record)
        record["$set"].a = nil
      end,
    }))
    assert.equal(1, result.taken)
    assert.is_truthy(arrived(mp)[1].json:find('"$set":{"b":2.50}', 1, true))
  end)

  it("gives no rights, and adds what is excluded no more than a browser does", function()
    local refusals = {
      ["properties.token: the token of another project"] = function(record)
        record.properties.token = "other"
      end,
      ["event: $merge is not taken here"] = function(record)
        record.event = "$merge"
      end,
      [": the event is too old"] = function(record)
        record.properties.time = posts.NOW - 5 * posts.DAY
      end,
      ["properties.f: function has no JSON form"] = function(record)
        record.properties.f = print
      end,
      ["properties.o.o.o.o: objects lie deeper than 3 levels in a property"] = function(record)
        local o = {}
        o.o = o
        record.properties.o = o
      end,
      [": the event has no name"] = function(record)
        record.event, record.properties = nil, nil
      end,
    }
    for expected, hook in pairs(refusals) do
      local seen = refusal(event '"secret":1', hook)
      assert.equal(expected, (seen.field or "") .. ": " .. seen.message)
      assert.same({ 1, 0, 0 }, { seen.index, seen.first, seen.last })
    end
    local record = taken(event(), function(changed)
      changed.properties.secret, changed.properties.ip = 1, nil
    end)
    assert.is_nil(record.record.properties.secret)
    assert.equal(0, record.record.properties.ip)
  end)

  it("refuses a record for which it fails, and goes on with the others", function()
    local result = collect("[1," .. event '"i":1' .. "," .. event '"i":2' .. "]", function(record)
      if record.properties.i == 1 then
        error("no\r\n\27[31m" .. ("x"):rep(1000), 0)
      end
    end)
    assert.same({ 1, 2 }, { result.taken, result.refused })
    local seen = result.refusals[2]
    assert.equal(2, seen.index)
    assert.matches("^describe failed: no%?%?%?%[31mxxx", seen.message)
    assert.is_nil(seen.message:find "[^ -~]")
    assert.equal(2, arrived(mp)[1].record.properties.i)
    seen = refusal(event(), function()
      error {}
    end)
    assert.equal("describe failed: a table", seen.message)
    seen = refusal(event(), function()
      coroutine.yield()
    end)
    assert.matches("^describe failed: .*attempt to yield", seen.message)
  end)

  it("may use the client, and cannot pull the options from under the call", function()
    local options =
      { query = "ip=1&verbose=1", ip = "203.0.113.7", tokens = { web = "projecttoken" } }
    local result = collect(event '"a":"b"', function(record)
      for name in pairs(options) do
        options[name] = nil
      end
      mp:set_config { exclude_properties = { "a" } }
      assert.equal(1, mp:collect("track", event '"a":1,"inner":1').taken)
      assert.equal(1, collect(event '"inner":2', function() end).taken)
      for _ = 1, 100 do
        mp:track("Tracked", { a = ("x"):rep(100) })
      end
      collectgarbage()
      record.properties.b = 1
    end, options)
    assert.same({ 1, true }, { result.taken, result.verbose })
    local records = arrived(mp)
    assert.equal(103, #records)
    for _, item in ipairs(records) do
      assert.is_nil(item.record.properties.a)
    end
  end)

  it("says so if it closed the client", function()
    local result, _, code = mp:collect("track", event(), {
      describe = function()
        mp:close(0)
      end,
    })
    assert.same({ "closed" }, { code, result })
  end)

  it("must be a function", function()
    local ok, message = pcall(function()
      mp:collect("track", event(), { describe = true })
    end)
    assert.is_false(ok)
    assert.matches("bad argument #3 .*option 'describe': function expected, got boolean", message)
  end)
end)
