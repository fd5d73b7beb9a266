-- Events that join the ids of a person.
local refused = require "spec.support.refused"
local sandboxed = require "spec.support.sandboxed"

describe("events", function()
  local here = sandboxed "event identity"
  local new, arrived = here.new, here.arrived
  local mp

  before_each(function()
    mp = here.mp
  end)

  describe("of identity", function()
    local anonymous = "5be8f0a6-7b6a-4d5e-9c53-0d2f4c6d4a11"

    -- Those of the record, without what every event carries.
    local function own(record)
      local p = record.properties
      assert.equal("projecttoken", p.token)
      for _, name in ipairs { "token", "time", "$insert_id", "mp_lib", "$lib_version", "ip" } do
        p[name] = nil
      end
      return p
    end

    it("identify", function()
      assert(mp:identify("u1", anonymous))
      local records, paths = arrived()
      assert.same({ "/track" }, paths)
      assert.equal("$identify", records[1].event)
      assert.same(
        { ["$identified_id"] = "u1", ["$anon_id"] = anonymous, distinct_id = "u1" },
        own(records[1])
      )
    end)

    it("alias", function()
      assert(mp:alias("nick", 1234))
      local records, paths = arrived()
      assert.same({ "/track" }, paths)
      assert.equal("$create_alias", records[1].event)
      assert.same({ alias = "nick", distinct_id = "1234" }, own(records[1]))
    end)

    it("merge", function()
      assert(mp:merge("a", "b"))
      local records, paths = arrived()
      assert.same({ "/import" }, paths)
      assert.equal("$merge", records[1].event)
      assert.same({ ["$distinct_ids"] = { "a", "b" } }, own(records[1]))
    end)

    it("go where they belong also by name, and by a client that imports", function()
      local importer = new { events_via = "import", properties = { plan = "pro" } }
      assert(importer:identify("u1", anonymous))
      assert(importer:track("$create_alias", { alias = "n", distinct_id = "u1" }))
      assert(importer:track "Event")
      assert(importer:flush(10))
      assert(importer:merge("a", "b"))
      local records, paths = arrived(importer)
      local found = {}
      for i, record in ipairs(records) do
        found[record.event] = paths[i]
        -- A merge takes nothing but its ids.
        assert.equal(record.event ~= "$merge" and "pro" or nil, record.properties.plan)
      end
      assert.same({
        ["$identify"] = "/track",
        ["$create_alias"] = "/track",
        Event = "/import",
        ["$merge"] = "/import",
      }, found)
      importer:close()
    end)

    it("win over the client's properties", function()
      local client = new {
        properties = { distinct_id = "d", alias = "other", ["$anon_id"] = "other" },
      }
      assert(client:identify("u1", anonymous))
      assert(client:alias("nick", "u2"))
      local records = arrived(client)
      assert.equal("u1", records[1].properties.distinct_id)
      assert.equal(anonymous, records[1].properties["$anon_id"])
      assert.equal("nick", records[2].properties.alias)
      assert.equal("u2", records[2].properties.distinct_id)
      client:close()
    end)

    it("refuse ids that name nobody, or the same twice", function()
      refused("user_id: an empty id names nobody", mp:identify("", anonymous))
      refused("anon_id: an empty id names nobody", mp:identify("u", ""))
      refused('alias: Mixpanel refuses "null" as an id', mp:alias("null", "u"))
      refused('id2: Mixpanel refuses "0" as an id', mp:merge("u", 0))
      refused("distinct_id: the same id as alias", mp:alias("u", "u"))
      refused("anon_id: the same id as user_id", mp:identify(7, "7"))
      assert.equal(0, mp:stats().accepted)
    end)

    it("identify nobody but a device or a UUID of version 4", function()
      for _, id in ipairs {
        "b",
        "5be8f0a6-7b6a-1d5e-9c53-0d2f4c6d4a11", -- of version 1
        "5be8f0a6-7b6a-4d5e-7c53-0d2f4c6d4a11", -- of another variant
        "5be8f0a6-7b6a-4d5e-9c53-0d2f4c6d4a1",
        "5be8f0a6-7b6a-4d5e-9c53-0d2f4c6d4a1\0",
        "5be8f0a6 7b6a-4d5e-9c53-0d2f4c6d4a11",
      } do
        local ok, message, code = mp:identify("u", id)
        assert.is_nil(ok)
        assert.matches("^anon_id: Mixpanel merges no .*expected a UUID of version 4", message)
        assert.equal("invalid", code)
      end
      assert.equal(0, mp:stats().accepted)
      assert(mp:identify("u", "$device:anything"))
      assert(mp:identify("u", "5BE8F0A6-7B6A-4D5E-BC53-0D2F4C6D4A11"))
    end)
  end)
end)
