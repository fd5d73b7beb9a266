-- What a forwarder counted, by its file of metrics, at any time: each record that it took
-- is in exactly one place.
local assert = require "luassert"

local NAMES = {
  messages = "mixpanel_forward_messages_total",
  records = "mixpanel_forward_records_total",
  redelivered = "mixpanel_forward_redelivered_total",
  refused = "mixpanel_forward_refused_total",
  quarantined = "mixpanel_forward_quarantined_total",
  settled = "mixpanel_forward_settled_total",
  dead = "mixpanel_forward_dead_total",
  let_go = "mixpanel_forward_let_go_total",
  untold = "mixpanel_forward_untold_total",
  gaps = "mixpanel_forward_gaps_total",
  tenures = "mixpanel_forward_tenures_total",
  accepted = "mixpanel_records_accepted_total",
  delivered = "mixpanel_records_delivered_total",
  rejected = "mixpanel_records_rejected_total",
  dropped = "mixpanel_records_dropped_total",
  queued = "mixpanel_records_queued",
  in_flight = "mixpanel_records_in_flight",
}

-- Returns what it counted.
return function(forwarder)
  local counts, values = {}, forwarder:sums() -- of one reading
  for key, name in pairs(NAMES) do
    counts[key] = values[name] or 0
  end
  local c = counts
  local why = (forwarder:metrics_text() or "") .. forwarder:said()
  assert.equal(c.records, c.refused + c.accepted, why)
  local waiting = c.queued + c.in_flight
  assert.equal(c.accepted, c.delivered + c.rejected + c.dropped + c.let_go + waiting, why)
  assert.equal(0, c.gaps, why)
  return counts
end
