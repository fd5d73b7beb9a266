-- Asks a client what became of its records and compares that; the balance
-- holds whatever is expected.
local assert = require "luassert"
local assert_balance = require "spec.support.balance"

local outcome = {}

-- `expected`: fields of stats; what is not named must be 0. `dropped` is
-- a table too.
function outcome.check(mp, expected)
  local stats = assert_balance(mp:stats())
  for _, field in ipairs { "delivered", "rejected", "queued", "in_flight", "ambiguous" } do
    assert.equal(expected[field] or 0, stats[field], field)
  end
  for reason, n in pairs(stats.dropped) do
    assert.equal((expected.dropped or {})[reason] or 0, n, reason)
  end
  return stats
end

-- The reports of one outcome, and how many records they count.
function outcome.reports(mp, name)
  local found, count = {}, 0
  for _, report in ipairs(mp:poll()) do
    if report.outcome == name then
      found[#found + 1] = report
      count = count + report.count
    end
  end
  return found, count
end

return outcome
