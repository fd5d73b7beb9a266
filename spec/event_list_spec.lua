-- Events that are given as a list.
local refused = require "spec.support.refused"
local sandboxed = require "spec.support.sandboxed"

describe("events", function()
  local here = sandboxed "event list"
  local new, arrived = here.new, here.arrived
  local server, mp

  before_each(function()
    server, mp = here.server, here.mp
  end)

  describe("in a list", function()
    it("go all, in order", function()
      local list = {}
      for i = 1, 2500 do
        list[i] = { event = "Step " .. i, properties = { n = i, distinct_id = "u" } }
      end
      local ok, n = mp:track_batch(list)
      assert.is_true(ok)
      assert.equal(2500, n)
      local records = arrived()
      assert.equal(2500, #records)
      local seen = {}
      for _, record in ipairs(records) do
        assert.equal(("Step %d"):format(record.properties.n), record.event)
        seen[record.properties.n] = true
      end
      assert.equal(2500, #seen)
    end)

    it("may have no properties, and be none", function()
      assert.same({ true, 0 }, { mp:track_batch {} })
      assert.same({ true, 1 }, { mp:track_batch { { event = "A" } } })
      assert.equal("A", arrived()[1].event)
    end)

    it("go to /import with a time each", function()
      local t = os.time() - 60
      assert.same({ true, 2 }, {
        mp:import_batch {
          { event = "A", properties = { time = t } },
          { event = "B", properties = { time = t * 1000 + 1 } },
        },
      })
      local records, paths = arrived()
      assert.same({ "/import", "/import" }, paths)
      assert.equal(t * 1000, records[1].properties.time)
      assert.equal(t * 1000 + 1, records[2].properties.time)
    end)

    it("go all or none, with the place of the first that is wrong", function()
      local function refuse(message, place, list, import)
        local ok, why, code, i = mp[import and "import_batch" or "track_batch"](mp, list)
        assert.is_nil(ok)
        assert.equal(message, why)
        assert.equal("invalid", code)
        assert.equal(place, i)
      end
      local good = { event = "Good", properties = { a = 1 } }
      refuse("list[2].properties.x[1]: function has no JSON form", 2, {
        good,
        { event = "Bad", properties = { x = { print } } },
      })
      refuse("list[3]: expected { event =, properties = }, got 5", 3, { good, good, 5 })
      refuse('list[1]: expected { event =, properties = }, got "Event"', 1, { "Event" })
      refuse(
        'list[1]: "name" is no field of an event: expected { event =, properties = }',
        1,
        { { event = "A", name = "B" } }
      )
      refuse(
        "list[1]: 1 is no field of an event: expected { event =, properties = }",
        1,
        { { event = "A", { a = 1 } } }
      )
      refuse("list[2].event: string expected, got nil", 2, { good, { properties = {} } })
      refuse("list[1].event: string expected, got 5", 1, { { event = 5 } })
      refuse("list[1].event: the name of the event is blank", 1, { { event = " " } })
      refuse(
        'list[1].properties: table expected, got "a"',
        1,
        { { event = "A", properties = "a" } }
      )
      refuse("list[2].properties.time: import wants to know when each event happened", 2, {
        { event = "A", properties = { time = os.time() } },
        { event = "B", properties = {} },
      }, true)
      refuse(
        'list[2].event: "$merge" goes to another endpoint than the events before it: '
          .. "send it in a call of its own",
        2,
        { good, { event = "$merge", properties = { ["$distinct_ids"] = { "a", "b" } } } }
      )
      assert.equal(0, mp:stats().accepted)
    end)

    it("lose none: a table that is no list is refused whole", function()
      local message = "list: expected a list of { event =, properties = }, "
        .. "with the keys 1, 2, 3... and no others"
      local good = { event = "Good" }
      refused(message, mp:track_batch(good))
      refused(message, mp:track_batch { [2] = good })
      refused(message, mp:track_batch { good, n = 1 })
      refused(message, mp:track_batch { [1] = good, [2] = good, [4] = good })
      refused(message, mp:track_batch { [1] = good, [1.5] = good })
      assert.equal(0, mp:stats().accepted)
    end)

    it("go all or none when the queue is full", function()
      local small = new { max_queue_bytes = 65536 }
      server:script { status = 503, times = 0 }
      local list = {}
      for i = 1, 100 do
        list[i] = { event = "Large", properties = { text = ("x"):rep(1000) } }
      end
      local ok, message, code, place = small:track_batch(list)
      assert.is_nil(ok)
      assert.equal(
        "the queue is full: max_queue_bytes = 65536 are waiting to be delivered",
        message
      )
      assert.equal("queue_full", code)
      assert.is_nil(place)
      assert.equal(0, small:stats().accepted)
      small:close(0)
    end)
  end)
end)
