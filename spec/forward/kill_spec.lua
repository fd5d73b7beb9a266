-- A forwarder that dies at any moment: what another makes of it.
local Ledger = require "spec.support.forward_ledger"
local forwarding = require "spec.support.forwarding"
local mixpanel = require "mixpanel"
local nats = require "spec.support.nats"

local TTL_S = 8 -- no stall below a third of it has a lease lapse
local MESSAGES = 12
local STORM = os.getenv "NATS_STORM"

describe("a forwarder that is killed", function()
  local here = forwarding()
  local server, fleet, ledger

  before_each(function()
    server, fleet = here.server, here.fleet
    fleet:projects { { token = "projecttoken", on_ambiguous = "report", max_batch_size = 20 } }
    ledger = Ledger.new(fleet)
  end)

  after_each(function()
    ledger:close()
  end)

  local function start(place, call, more)
    local options = more or {}
    options.environment = {
      LUA_INIT = "@spec/support/forward_faults.lua",
      FORWARD_TTL = TTL_S,
      FORWARD_KILL = place,
      FORWARD_CALL = call,
    }
    return fleet:start(options)
  end

  -- The first makes consumers and stops, so that the next has some to replace.
  local function before()
    local first = start()
    ledger:publish(2)
    fleet:settle()
    first:stop()
    ledger:publish(MESSAGES)
  end

  local function garbage(count)
    for i = 1, count do
      fleet:put(mixpanel.bus_subject "projecttoken" .. ".events", "\31\139 " .. i)
    end
  end

  local function after()
    start()
    fleet:settle()
    ledger:publish(2)
    fleet:settle()
    return ledger:check()
  end

  local function dies(place, call)
    before()
    start(place, call, { unready = true }):until_gone()
    return after()
  end

  it("having pulled messages that it has not queued", function()
    local repeats = dies("pulled", 1)
    assert.equal(0, repeats)
  end)

  it("with requests under way", function()
    before()
    server:script { times = 0, delay_ms = 30000 }
    local events, updates = here.requests "/track", here.requests "/engage"
    local victim = start()
    nats.until_done("a request of either kind", function()
      return here.requests "/track" > events and here.requests "/engage" > updates
    end)
    victim:kill()
    server:rescript { times = 0 }
    local repeats, dead = after()
    assert.is_true(repeats > 0)
    assert.is_true(dead > 0)
  end)

  it("with answers, before it acknowledged", function()
    assert.is_true(dies("answered", 1) > 0)
  end)

  for call = 1, STORM and 5 or 1 do
    it("having made a consumer, and not removed the one before: " .. call, function()
      assert.equal(0, (dies("new consumer", call)))
    end)
  end

  it("having removed the consumer before", function()
    assert.equal(0, (dies("old consumer", 1)))
  end)

  -- Waits until the lease tells of all that is acknowledged: it is once the bus has
  -- settled, in however many messages the host sent a round.
  local function until_renewed()
    fleet:until_told("projecttoken", { "events", "people" }, function(memory, lane)
      return memory.floor == fleet:acknowledged(lane)
    end)
  end

  -- As a server says that has just become the leader and has not learnt of them.
  it("and whose consumers are not to be found", function()
    local first = start()
    ledger:publish(6)
    fleet:settle()
    ledger:publish(6)
    fleet:settle()
    until_renewed()
    first:kill()
    for _, consumer in ipairs(fleet:consumers()) do
      here.servers:api("CONSUMER.DELETE.MIXPANEL." .. consumer.name)
    end
    ledger:publish(6)
    local repeats, dead = after()
    assert.equal(0, repeats)
    assert.equal(6, dead) -- nobody knows that they were not sent
  end)

  it("after it renewed its lease", function()
    dies("renewed", 2)
  end)

  for _, place in ipairs(STORM and { "acknowledged", "renewal" } or {}) do
    it("at " .. place, function()
      dies(place, 1)
    end)
  end

  for _, place in ipairs { "stored dead letter", STORM and "dead letter" } do
    it("at " .. place, function()
      before()
      garbage(3)
      start(place, 2, { unready = true }):until_gone()
      after()
      local found = {}
      for _, letter in ipairs(fleet:dead()) do
        found[letter.body] = (found[letter.body] or 0) + 1
      end
      for i = 1, 3 do
        assert.equal(1, found["\31\139 " .. i])
      end
    end)
  end
end)
