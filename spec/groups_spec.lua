-- Groups: every operation in every form, and what is refused. What they share
-- with people is in people_spec.lua.
local json = require "spec.support.json"
local mixpanel = require "mixpanel"
local raises = require "spec.support.raises"
local refused = require "spec.support.refused"
local sandbox = require "spec.support.sandbox"

describe("groups", function()
  local server, mp, groups
  local clients = 0

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
    clients = clients + 1 -- of another name each, so that each has its own counters
    mp = mixpanel.new("projecttoken", { api_host = server.url, name = "groups " .. clients })
    groups = mp.groups
  end)

  after_each(function()
    mp:close()
  end)

  -- The text behind the ids of the one update that the call made.
  local function sent(...)
    assert.is_true(...)
    assert(mp:flush(10))
    local requests = server:requests()
    assert.equal(1, #requests)
    assert.equal("/groups", requests[1].path)
    assert.equal(1, requests[1].accepted)
    local line = server:lines("/groups")[1]
    json.read(line)
    server:reset()
    return line:match '^{"%$token":"projecttoken","%$group_key":"k","%$group_id":"g",(.*)}$' or line
  end

  it("take every operation, of one property or a table", function()
    assert.equal('"$set":{"a":1}', sent(groups:set("k", "g", "a", 1)))
    assert.equal('"$set":{"a":1}', sent(groups:set("k", "g", { a = 1 })))
    assert.equal('"$set_once":{"a":1}', sent(groups:set_once("k", "g", "a", 1)))
    assert.equal('"$set_once":{"a":1}', sent(groups:set_once("k", "g", { a = 1 })))
    assert.equal('"$union":{"a":["x"]}', sent(groups:union("k", "g", "a", "x")))
    assert.equal('"$union":{"a":[1,2]}', sent(groups:union("k", "g", { a = { 1, 2 } })))
    assert.equal('"$remove":{"a":"x"}', sent(groups:remove("k", "g", "a", "x")))
    assert.equal('"$unset":["a"]', sent(groups:unset("k", "g", "a")))
    assert.equal('"$unset":["a","b"]', sent(groups:unset("k", "g", { "a", "b" })))
    assert.equal('"$delete":""', sent(groups:delete("k", "g")))
    assert.equal('"$set":{"a":1}', sent(groups:update("k", "g", { ["$set"] = { a = 1 } })))
    assert.equal('"$delete":""', sent(groups:update("k", "g", { ["$delete"] = "" })))
  end)

  it("take modifiers", function()
    assert.equal(
      '"$time":1700000000000,"$set":{"a":1}',
      sent(groups:set("k", "g", "a", 1, { time = 1700000000 }))
    )
    assert.equal(
      '"$ignore_time":true,"$delete":""',
      sent(groups:delete("k", "g", { ignore_time = true }))
    )
  end)

  it("are named by a key and an id, which may be an integer", function()
    assert.equal(
      '{"$token":"projecttoken","$group_key":"company \\"x\\"","$group_id":"7","$set":{"a":1}}',
      sent(groups:set('company "x"', 7, "a", 1))
    )
    refused("group_key: an empty id names nobody", groups:set("", "g", "a", 1))
    refused("group_id: an empty id names nobody", groups:set("k", "", "a", 1))
    refused('group_id: Mixpanel refuses "undefined" as an id', groups:set("k", "undefined", "a", 1))
    raises("bad argument #1 to 'set' (group_key: string expected, got number)", function()
      groups:set(5, "g", "a", 1)
    end)
    raises("bad argument #2 to 'set' (group_id: string or integer expected, got table)", function()
      groups:set("k", { a = 1 })
    end)
    raises(
      "bad argument #3 to 'set' (properties: string or table expected, got no value)",
      function()
        groups:set("k", "g")
      end
    )
  end)

  it("have no numbers to add and no lists to append to", function()
    local others = { "increment", "append", "track_charge", "clear_charges", "delete_user" }
    for _, name in ipairs(others) do
      assert.is_nil(groups[name])
    end
    local message = "bad argument #3 to 'update' (update: unknown operation \"%s\": expected "
      .. "$set, $set_once, $union, $remove, $unset or $delete)"
    for _, operation in ipairs { "$add", "$append" } do
      raises(message:format(operation), function()
        groups:update("k", "g", { [operation] = { a = 1 } })
      end)
    end
  end)

  it("refuse what people refuse", function()
    refused("properties.a: an empty list adds nothing", groups:union("k", "g", "a", {}))
    refused("names: an empty list removes nothing", groups:unset("k", "g", {}))
    refused("properties.a: function has no JSON form", groups:set("k", "g", "a", print))
    raises("bad argument #3 to 'update' (update: no operation)", function()
      groups:update("k", "g", {})
    end)
  end)
end)
