-- Asks a client what became of its records and compares that; the balance
-- holds whatever is expected.
local assert = require "luassert"
local assert_balance = require "spec.support.balance"
local socket = require "socket"

local outcome = {}

local fields = { "delivered", "rejected", "queued", "in_flight", "ambiguous" }

local function is_so(stats, expected)
  for _, field in ipairs(fields) do
    if stats[field] ~= (expected[field] or 0) then
      return false
    end
  end
  return true
end

-- `expected`: fields of stats; what is not named must be 0. `dropped` is
-- a table too. Where records are left, the sender is still at work: what is
-- expected has some time to come.
function outcome.check(mp, expected)
  local stats, deadline = mp:stats(), socket.gettime() + 60
  while expected.queued and not is_so(stats, expected) and socket.gettime() < deadline do
    socket.sleep(0.001)
    stats = mp:stats()
  end
  assert_balance(stats)
  for _, field in ipairs(fields) do
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
