-- In every snapshot each accepted or adopted record is in exactly one place.
local assert = require "luassert"

return function(stats)
  local dropped = 0
  for _, n in pairs(stats.dropped) do
    dropped = dropped + n
  end
  assert.equal(
    stats.accepted + stats.adopted,
    stats.delivered + stats.rejected + dropped + stats.queued + stats.in_flight + stats.spooled
  )
  return stats
end
