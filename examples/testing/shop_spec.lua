-- How code that tracks is tested: from the root of the repository,
--
--     make && busted examples/testing
--
-- See docs/testing.md.
package.path = "./examples/testing/?.lua;" .. package.path
local shop = require "shop"
local testing = require "mixpanel.testing"

describe("the shop", function()
  local recorder, open

  before_each(function()
    recorder = testing.install() -- shop.open calls mixpanel.new itself
    open = shop.open { spool = "/var/lib/shop" } -- as in production: nothing is written
  end)

  after_each(testing.uninstall)

  it("tracks a purchase and charges the customer", function()
    assert(open:sell("u1", { { price = 2 }, { price = 3.5 } }))
    assert.tracked(recorder, "Purchase", { distinct_id = "u1", amount = 5.5, items = 2 })
    assert.updated(recorder, "u1", {
      ["$append"] = { ["$transactions"] = { ["$amount"] = 5.5, ["$time"] = match.is_string() } },
    })
  end)

  it("charges nobody for what cannot be tracked", function()
    local ok, message = open:sell("null", { { price = 2 } })
    assert.is_nil(ok)
    assert.equal('properties.distinct_id: Mixpanel refuses "null" as an id', message)
    assert.not_recorded(recorder)
  end)

  it("sells while Mixpanel is away", function()
    recorder:script { error = "no route to host" }
    assert(open:sell("u1", { { price = 2 } }))
    assert.tracked(recorder, "Purchase", nil, 1)
    assert.equal(2, open.mp:stats().delivered) -- the second try
  end)

  it("logs what Mixpanel refuses", function()
    recorder:script { endpoint = "/track", status = 400, body = { error = "no such project" } }
    open:sell("u1", { { price = 2 } })
    open.mp:flush()
    assert.same({ "1 rejected: no such project" }, open:list_losses())
  end)
end)
