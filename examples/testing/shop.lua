-- Code that tracks: what examples/testing/shop_spec.lua tests.
local mixpanel = require "mixpanel"

local shop = {}

function shop.open(options)
  return setmetatable({ mp = mixpanel.new("projecttoken", options) }, { __index = shop })
end

function shop:sell(customer, items)
  local amount = 0
  for _, item in ipairs(items) do
    amount = amount + item.price
  end
  local ok, message = self.mp:track("Purchase", {
    distinct_id = customer,
    amount = amount,
    items = #items,
  })
  if ok then
    self.mp.people:track_charge(customer, amount)
  end
  return ok, message
end

-- What Mixpanel refused, for the log.
function shop:list_losses()
  local lines = {}
  for _, report in ipairs(self.mp:poll()) do
    lines[#lines + 1] = ("%d %s: %s"):format(report.count, report.outcome, report.message)
  end
  return lines
end

return shop
