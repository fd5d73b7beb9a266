-- Two pages that track what the request alone does not say.
local analytics = require "analytics"
local resty = require "mixpanel.resty"

local shop = {}

function shop.home()
  ngx.header["Content-Type"] = "text/html"
  ngx.say '<a href="/buy?item=book">Buy a book</a>'
end

function shop.buy()
  local item, user = ngx.var.arg_item or "nothing", ngx.var.cookie_user
  resty.track(analytics.client, "Purchase", { distinct_id = user, item = item, amount = 12.5 })
  if user then
    analytics.client.people:increment(user, "orders")
  end
  ngx.header["Content-Type"] = "text/plain"
  ngx.say("You bought: ", item)
end

return shop
