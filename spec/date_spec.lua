-- mixpanel.date: the time as profiles take it.
local mixpanel = require "mixpanel"
local raises = require "spec.support.raises"

describe("mixpanel.date", function()
  it("writes UTC as Mixpanel's profiles take it", function()
    assert.equal("1970-01-01T00:00:00", mixpanel.date(0))
    assert.equal("2023-11-14T22:13:20", mixpanel.date(1700000000))
    assert.equal("2023-11-14T22:13:20", mixpanel.date(1700000000.999))
    assert.equal("1969-12-31T23:59:59", mixpanel.date(-0.5))
    assert.equal("0001-01-01T00:00:00", mixpanel.date(-62135596800))
    assert.equal("9999-12-31T23:59:59", mixpanel.date(253402300799))
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d$", mixpanel.date())
  end)

  it("raises for what is no time", function()
    for shown, seconds in pairs {
      nan = 0 / 0,
      inf = 1 / 0,
      ["-inf"] = -1 / 0,
      ["253402300800"] = 253402300800,
      ["-62135596801"] = -62135596801,
      ["1e300"] = 1e300,
    } do
      raises(
        ("bad argument #1 to 'date' (seconds: got %s, expected seconds since the epoch, "):format(
          shown
        ) .. "of a time in the years 1 to 9999)",
        function()
          mixpanel.date(seconds)
        end
      )
    end
    raises("bad argument #1 to 'date' (seconds: number expected, got string)", function()
      mixpanel.date "now"
    end)
  end)
end)
