-- A message bus in forked processes.
local fake = require "spec.support.bus"

describe("a bus", function()
  local bus

  before_each(function()
    bus = fake.new()
  end)

  after_each(function()
    bus:remove()
  end)

  it("that its parent used is refused to a forked child, and it keeps its records", function()
    local spool = bus.dir .. "/spool"
    local printed, status = bus:run(
      [[
        mp:track("Parent")
        assert(mp:flush(20))
        local child = posix.fork()
        if child == 0 then
          mp:track("Child")
          local s
          for _ = 1, 600 do -- until it was refused
            assert(not mp:flush(0.1))
            s = mp:stats()
            if s.last_error then
              break
            end
          end
          assert(s.last_error:find("was forked from one that used the bus", 1, true))
          assert(s.queued + s.spooled + s.in_flight == 1 and s.delivered == 0)
          posix.quit(0)
        end
        local _, status = posix.wait(child)
        assert(status == 0, status)
        mp:track("Later")
        for _ = 1, 1200 do -- until what the child left was adopted
          if mp:stats().delivered == 3 then
            break
          end
          mp:flush(0.1)
          posix.sleep(0.05)
        end
        assert(mp:stats().delivered == 3)
        assert(mp:stats().adopted == 1)
      ]],
      ("{ spool = %q, max_retry_delay = 0.1, exit_timeout = 1 }"):format(spool)
    )
    assert.equal("", printed)
    assert.equal(0, status)
    assert.equal(1, #bus:log "open")
    assert.equal(1, #bus:log "forget")
    assert.equal(1, #bus:log "close")
    local seen = {}
    for _, record in ipairs(bus:records "-events-") do
      seen[#seen + 1] = record.event
    end
    table.sort(seen)
    assert.same({ "Child", "Later", "Parent" }, seen)
  end)

  it("is a child's own if its parent did not use it", function()
    local printed, status = bus:run [[
      local child = posix.fork()
      mp:track(child == 0 and "Child" or "Parent")
      assert(mp:flush(20))
      if child == 0 then
        os.exit(0, true)
      end
      assert(select(2, posix.wait(child)) == 0)
    ]]
    assert.equal("", printed)
    assert.equal(0, status)
    assert.equal(2, #bus:log "open")
    assert.equal(0, #bus:log "forget")
    assert.equal(2, #bus:records "-events-")
    assert.equal(2, #bus:ids())
  end)
end)
