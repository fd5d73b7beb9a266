-- The userdata of the module: nobody changes what they are, and nothing else is
-- taken for one.
local mixpanel = require "mixpanel"
local script = require "spec.support.script"
local users = require "spec.support.users"

describe("userdata", function()
  local all

  before_each(function()
    local mp = users.client()
    local me = mp:user()
    all = {
      client = mp,
      people = mp.people,
      groups = mp.groups,
      user = me,
      people_of_user = me.people,
      group_of_user = me:get_group("company", "acme"),
      array = mixpanel.array { 1 },
      object = mixpanel.object {},
    }
  end)

  it("have metatables that are closed", function()
    for name, value in pairs(all) do
      assert.equal("userdata", type(value), name)
      assert.equal(false, getmetatable(value), name)
      assert.is_table(debug.getmetatable(value), name)
      assert.is_false(pcall(setmetatable, value, {}), name)
    end
  end)

  it("are not believed when they are copies", function()
    local printed, status = script.run [[
      local posix = require "spec_posix"
      local mp = require("mixpanel").new("t", { transport = "manual" })
      local me = mp:user()
      local calls = {
        [mp] = { "client", mp.track, "E" },
        [mp.people] = { "people", mp.people.set, "u", "a", 1 },
        [mp.groups] = { "groups", mp.groups.set, "company", "acme", "a", 1 },
        [me] = { "user", me.track, "E" },
        [me.people] = { "user.people", me.people.set, "a", 1 },
      }
      for value, call in pairs(calls) do
        local message = "mixpanel." .. call[1] .. " expected, got userdata"
        assert(call[2](value, (table.unpack or unpack)(call, 3)), call[1])
        for _, other in ipairs { posix.copy(value), io.stdout } do
          local ok, got = pcall(call[2], other, (table.unpack or unpack)(call, 3))
          assert(not ok, call[1] .. ": believed")
          assert(got:find(message, 1, true), got)
        end
      end
    ]]
    assert.equal("", printed)
    assert.equal(0, status)
  end)

  it("of one type are not taken for another", function()
    local mp, me = all.client, all.user
    for _, call in ipairs {
      { mp.track, me, "E" },
      { me.track, mp, "E" },
      { mp.people.set, mp.groups, "u", "a", 1 },
      { me.people.set, mp.people, "a", 1 },
      { all.group_of_user.set, me.people, "a", 1 },
    } do
      users.fails("expected, got userdata", (table.unpack or unpack)(call)) -- luacheck: ignore
    end
  end)
end)
