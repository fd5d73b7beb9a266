-- Where a forwarder stands on the bus: after it is done, after it ended, and when it
-- lost its connection.
local forwarding = require "spec.support.forwarding"
local nats = require "spec.support.nats"

local EXIT_S, SLACK_S, TRIES = 1, 0.25, 3

describe("the position of a forwarder", function()
  local here = forwarding()

  it("is behind what was delivered, and a restart sends nothing again", function()
    local first = here.fleet:start()
    here.put_events(1, 40)
    here.publish(function(mp)
      mp.people:set("u", { a = 1 })
    end)
    here.fleet:settle()
    assert.equal(40, here.fleet:acknowledged "events")
    first:stop()
    local requests = #here.server:requests()
    here.put_events(41, 42) -- before it reads, so that it sends them together
    local second = here.fleet:start()
    here.fleet:settle()
    assert.equal(requests + 1, #here.server:requests())
    here.same_names(here.names_of(1, 42))
    second:stop()
    assert.equal(2, second:metric "mixpanel_forward_messages_total")
    assert.equal(0, second:metric "mixpanel_forward_redelivered_total")
    assert.equal(0, second:metric "mixpanel_forward_gaps_total")
  end)

  it("stays before what a slow Mixpanel has not answered when it must end", function()
    local best = math.huge
    here.put_events(1, 20)
    for try = 1, TRIES do
      here.server:script { endpoint = "/track", delay_ms = 10000, times = 0, ingest = true }
      local forwarder = here.fleet:start { arguments = { "--exit-timeout", EXIT_S } }
      here.server:wait(try)
      best = math.min(best, forwarder:stop() - EXIT_S)
      assert.equal(0, here.fleet:acknowledged "events")
      if best <= SLACK_S then
        break
      end
    end
    assert.is_true(best <= SLACK_S, best)
    here.server:reset()
    local forwarder = here.fleet:start()
    here.fleet:settle()
    here.same_names(here.names_of(1, 20))
    forwarder:stop()
    assert.equal(20, forwarder:metric "mixpanel_forward_redelivered_total")
  end)

  it("comes to the end of what is under way when that ends in time", function()
    here.server:script { endpoint = "/track", delay_ms = 1000, times = 0, ingest = true }
    local forwarder = here.fleet:start()
    here.put_events(1, 20)
    here.fleet:until_arrived("/track", 20) -- they count before they are answered
    forwarder:stop()
    here.same_names(here.names_of(1, 20))
    assert.equal(20, here.fleet:acknowledged "events")
  end)

  -- ---- its connection ----

  -- Has messages that Mixpanel has not answered yet, those behind them not even pulled.
  local function begin_slowly()
    here.server:script { endpoint = "/track", delay_ms = 4000, times = 1, ingest = true }
    local forwarder = here.start_lasting()
    here.put_events(1, 20)
    here.server:wait(1)
    return forwarder
  end

  local function ends_well(forwarder, last)
    here.fleet:until_arrived("/track", last)
    here.fleet:settle()
    here.same_names(here.names_of(1, last)) -- each once
    forwarder:stop()
    assert.equal(last, forwarder:metric "mixpanel_forward_messages_total")
    assert.equal(1, forwarder:metric "mixpanel_forward_tenures_total")
    assert.equal(0, forwarder:metric "mixpanel_forward_owned")
  end

  it("is kept when the server dies and comes back: each event is sent once", function()
    local forwarder = begin_slowly()
    nats.kill(here.servers.nodes[1])
    nats.revive(here.servers.nodes[1])
    here.put_events(21, 30)
    ends_well(forwarder, 30)
  end)

  it("is kept when its connections are cut", function()
    local forwarder = begin_slowly()
    here.servers:reconfigure [[authorization { users: [ { user: "u", password: "p" } ] }]]
    nats.until_done("the end of connections", function()
      return not here.servers:node_of_driver()
    end)
    here.servers:reconfigure ""
    here.put_events(21, 30)
    ends_well(forwarder, 30)
  end)

  -- What was acknowledged without an answer is not there any more for the next
  -- consumer, and must not be waited for.
  it("is found again when the answer to an acknowledgement is lost", function()
    local forwarder = here.start_lasting()
    for n = 1, 5 do
      here.put_events(n, n)
      here.fleet:until_arrived("/track", n)
      nats.kill(here.servers.nodes[1])
      nats.revive(here.servers.nodes[1])
    end
    ends_well(forwarder, 5)
  end)
end)
