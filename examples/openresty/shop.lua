-- Two pages that track what the request alone does not say.
local analytics = require "analytics"

local shop = {}

local function user()
  return ngx.var.cookie_user or "guest"
end

function shop.home()
  ngx.header["Content-Type"] = "text/html"
  ngx.say '<a href="/buy?item=book">Buy a book</a>'
end

function shop.buy()
  local item = ngx.var.arg_item or "nothing"
  analytics.client:track("Purchase", { distinct_id = user(), item = item, amount = 12.5 })
  analytics.client.people:increment(user(), "orders")
  ngx.header["Content-Type"] = "text/plain"
  ngx.say("You bought: ", item)
end

return shop
