-- The lease of a project, where the bus does not answer as one would like.
local Lease = require "mixpanel.forward.lease"
local cjson = require "cjson"

describe("a lease", function()
  local now, key, js, lease

  before_each(function()
    now, key = 0, 7
    js = {}
    function js.message()
      return { seq = key, body = cjson.encode { owner = "another", setup = "" } }
    end
    function js.publish()
      return nil, "nats: JetStream says: wrong last sequence: 5 (10071)", 10071
    end
    lease = Lease.new(js, "0123456789abcdef", "me", "", function()
      return now
    end)
  end)

  local function try()
    if lease:is_free() then
      return lease:take()
    end
    return "not free"
  end

  it("says that its key is refused for ever, though nobody writes it", function()
    assert.equal("not free", try())
    now = now + Lease.TTL_S
    for _ = 1, 3 do
      assert.is_false(try())
    end
    local ok, why = try()
    assert.is_nil(ok)
    assert.matches("key is 7: .*wrong last sequence: 5", why)
  end)

  it("says nothing where others are faster", function()
    for _ = 1, 8 do
      key = key + 1
      assert.equal("not free", try())
      now = now + Lease.TTL_S
      assert.is_false(try())
    end
  end)
end)
