-- What forwarders send of one project stays below max_rate, also where one takes the
-- place of another.
local Ledger = require "spec.support.forward_ledger"
local forwarding = require "spec.support.forwarding"
local nats = require "spec.support.nats"

-- As src/core/project/budget.h has it: in any time at most so many records at once, and
-- so many more a second; and a second's worth, as requests may be on their way for
-- long on a busy machine.
local RATE = 50
local AT_ONCE = (1 + 60 / 20) * RATE
local RISE = RATE * (60 - 1 - 60 / 20) / 60
local TOLERANCE = RATE

describe("the rate of a project", function()
  local here = forwarding()
  local server, fleet, ledger

  before_each(function()
    server, fleet = here.server, here.fleet
    fleet:projects { { token = "projecttoken", max_rate = RATE } }
    ledger = Ledger.new(fleet)
  end)

  after_each(function()
    ledger:close()
  end)

  local function sent()
    local requests, count = server:requests(), 0
    for _, request in ipairs(requests) do
      count = count + request.records
    end
    return requests, count
  end

  local function until_sent(count)
    nats.until_done("records", function()
      return select(2, sent()) >= count
    end)
  end

  -- In every window that begins with a request and ends with one.
  local function keeps()
    local requests = sent()
    for i = 1, #requests do
      local count = 0
      for j = i, #requests do
        count = count + requests[j].records
        local seconds = (requests[j].time_ms - requests[i].time_ms) / 1000
        assert.is_true(
          count <= AT_ONCE + RISE * seconds + TOLERANCE,
          ("%d records in %.1f s, requests %d to %d"):format(count, seconds, i, j)
        )
      end
    end
  end

  it("is kept when the project changes hands at once, with much to send", function()
    local first = fleet:start { arguments = { "--exit-timeout", 0.1 } }
    local second = fleet:start { unready = true }
    ledger:publish(60)
    until_sent(AT_ONCE)
    first:stop()
    second:until_said "forwards"
    until_sent(3 * AT_ONCE)
    keeps()
  end)
end)
