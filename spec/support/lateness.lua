-- By how much the end of a process outlasts its `exit_timeout`: on a loaded machine the
-- best of a few counts.
local assert = require "luassert"

local TRIES = 3

local lateness = { SLACK_S = 0.25 }

-- Seconds, with that time-out. `run` has a process end whose last line is the time at
-- which it began to; it returns what was printed, the status, and when the process had
-- ended. Nil, as then here: it cannot be tried.
function lateness.of(exit_timeout, run)
  local best = math.huge
  for _ = 1, TRIES do
    local printed, status, ended = run()
    if not printed then
      return nil
    end
    assert.equal(0, status, printed)
    best = math.min(best, ended - tonumber(printed:match "([%d.]+)\n$") - exit_timeout)
    if best <= lateness.SLACK_S then
      break
    end
  end
  return best
end

return lateness
