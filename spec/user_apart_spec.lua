-- A hundred users on one client in four Lua states: nothing of one ever shows on
-- another.
local cjson = require "cjson"
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"

local automatic = {
  ["token"] = true,
  ["time"] = true,
  ["$insert_id"] = true,
  ["mp_lib"] = true,
  ["$lib_version"] = true,
  ["ip"] = true,
  ["handle"] = true,
  ["own"] = true,
  ["want"] = true,
  ["timed"] = true,
  ["$duration"] = true,
  ["gone"] = true,
}

describe("users of one client", function()
  local server

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  -- An event is of the user that its own properties say.
  local function check_event(record)
    local p = record.properties
    if record.event == "$identify" then
      return
    end
    local want = cjson.decode(p.want)
    assert.equal(p.own, want.name)
    assert.equal(want.device, p["$device_id"])
    assert.equal(want.id, p["$user_id"])
    assert.equal(want.id or "$device:" .. want.device, p.distinct_id)
    assert.equal(p.timed or nil, p["$duration"] and true)
    for name, value in pairs(p) do
      if not automatic[name] and not name:find "_id$" then
        assert.same(want.super[name], value, name)
      end
    end
    for name in pairs(want.super) do
      assert.is_truthy(p[name], name)
    end
    assert.is_true(p.gone == nil or p.gone == p.own)
  end

  -- Whose all ids and values of a record are; there is one.
  local function owner(record, devices)
    local found
    local function note(name)
      assert.is_true(found == nil or found == name, cjson.encode(record))
      found = name
    end
    local function walk(value)
      if type(value) == "table" then
        for _, inner in pairs(value) do
          walk(inner)
        end
      elseif type(value) == "string" then
        local name = value:match "^v%du%d+%-"
        local device = devices[value:gsub("^%$device:", "")]
        if name or device then
          note(name or device)
        end
      end
    end
    walk(record)
    return assert(found)
  end

  local function check(output)
    local devices, kinds = {}, {}
    for device, name in output:gmatch "device (%S+) (%S+)" do
      devices[device] = name
    end
    for _, endpoint in ipairs { "/track", "/engage", "/groups" } do
      local records = server:records(endpoint)
      kinds[endpoint] = #records
      for _, record in ipairs(records) do
        owner(record, devices)
        if record.event then
          check_event(record)
        end
      end
    end
    return kinds
  end

  it("in four states never show anything of each other", function()
    local printed, status = script.shell(
      ("%s/spec/threads 4 spec/support/users_vm.lua '%s/5.4/?.so' %s 25 2500"):format(
        script.build,
        script.build,
        server.url
      )
    )
    assert.equal(0, status, printed)
    local kinds = check(printed)
    assert.is_true(kinds["/track"] > 10000 and kinds["/engage"] > 500 and kinds["/groups"] > 300)
  end)

  it("in one state neither", function()
    local printed, status = script.shell(
      ("'%s' spec/support/users_vm.lua 1 '%s' %s 100 2500"):format(
        script.interpreter,
        package.cpath,
        server.url
      )
    )
    assert.equal(0, status, printed)
    check(printed)
  end)
end)
