-- What a forwarder says of errors that no report tells, and when it says it again.
local Tenure = require "mixpanel.forward.tenure"

describe("the tenure of a project", function()
  local now, stats, reports, notes, tenure

  before_each(function()
    now, reports, notes = 0, {}, {}
    stats = { delivered = 0, rejected = 0, dropped = { expired = 0 }, queued = 0, in_flight = 0 }
    local tasks = {
      clock = function()
        return now
      end,
    }
    local project = { token = "projecttoken", options = {}, subject = "mp.p", counts = {} }
    function project.note(_, text)
      notes[#notes + 1] = text
    end
    tenure = Tenure.new(project, {}, tasks, {})
    tenure.client:close(0)
    tenure.readers = {}
    tenure.client = {
      stats = function()
        return stats
      end,
      poll = function()
        local list = reports
        reports = {}
        return list
      end,
    }
  end)

  -- As often as the loop does; returns what it noted.
  local function look(seconds)
    notes = {}
    for _ = 1, seconds * 10 do
      now = now + 0.1
      if stats.last_error then
        stats.last_error_age = stats.last_error_age + 0.1
      end
      tenure:look()
    end
    return notes
  end

  local function fail(message)
    stats.last_error, stats.last_error_age = message, 0
  end

  it("says why nothing is delivered, at once and then once a minute", function()
    stats.queued = 10
    assert.same({}, look(5))
    fail "Failed to connect after 1 ms"
    assert.same({ "nothing is delivered: Failed to connect after 1 ms" }, look(2))
    for ms = 2, 50 do
      fail(("Failed to connect after %d ms"):format(ms))
      assert.same({}, look(1))
    end
    fail "Failed to connect after 51 ms"
    assert.same({ "nothing is delivered: Failed to connect after 51 ms" }, look(15))
    fail "Could not resolve host"
    assert.same({ "nothing is delivered: Could not resolve host" }, look(2))
  end)

  it("says nothing of an error that is over, or that nothing waits for", function()
    fail "Failed to connect"
    assert.same({}, look(5)) -- nothing waits
    for outcome, count in pairs { delivered = 1, rejected = 1 } do
      stats.queued = 1
      fail "Failed to connect"
      look(2)
      stats[outcome] = stats[outcome] + count
      assert.same({}, look(200))
    end
    fail "Failed to connect"
    look(2)
    stats.dropped.expired = 1
    assert.same({}, look(200))
    fail "Failed to connect"
    assert.same({ "nothing is delivered: Failed to connect" }, look(2))
  end)

  it("does not say once more what a report just said", function()
    stats.queued = 1
    fail "the answer 503 of 12"
    reports = { { outcome = "ambiguous", message = stats.last_error, records = {} } }
    assert.same({ "ambiguous: the answer 503 of 12" }, look(50))
    fail "the answer 503 of 13"
    assert.same({ "nothing is delivered: the answer 503 of 13" }, look(15))
  end)
end)
