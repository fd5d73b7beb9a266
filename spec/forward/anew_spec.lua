-- A forwarder whose messages are on the bus no more: the stream was deleted and made
-- anew, with numbers from 1, or a message left it that is half way to Mixpanel.
local cjson = require "cjson"
local forwarding = require "spec.support.forwarding"
local nats = require "spec.support.nats"

local MIB = 1024 * 1024
local SAID = "stream MIXPANEL was made anew"

describe("a forwarder", function()
  local here = forwarding()

  -- As one message of 100 kB for each; `merge`: which one is none of the usual.
  local function put_large(first, last, merge)
    local records = {}
    for n = first, last do
      local text = ("x"):rep(100 * 1000)
      local more = { text = text, ["$distinct_ids"] = n == merge and { "a", "b" } or nil }
      records[#records + 1] = here.event(n == merge and "$merge" or "E" .. n, more)
    end
    here.put("events", here.gzip(cjson.encode(records)))
  end

  local function make_anew()
    here.servers:api "STREAM.DELETE.MIXPANEL"
    here.fleet:create()
  end

  -- Waits until the lease says of each lane that it is read from the stream there is now:
  -- a forwarder that stops before leaves word of the one that was there.
  local function until_lanes_follow()
    local created = here.servers:api("STREAM.INFO.MIXPANEL").created
    local lanes = { "events", "import", "collected", "people", "groups" }
    here.fleet:until_told(here.TOKEN, lanes, function(memory)
      return memory.created == created
    end)
  end

  it("forwards a stream that was made anew from its first message on", function()
    local forwarder = here.fleet:start()
    here.put_events(1, 5)
    here.fleet:settle()
    make_anew()
    here.put_events(6, 8)
    here.fleet:until_arrived("/track", 8)
    here.fleet:until_acknowledged("events", 3)
    here.same_names(here.names_of(1, 8))
    until_lanes_follow()
    forwarder:stop()
    assert.equal(1, forwarder:count_said(SAID))
    assert.equal(1, forwarder:metric "mixpanel_forward_gaps_total")

    local again = here.fleet:start()
    here.put_events(9, 9)
    here.fleet:until_arrived("/track", 9)
    again:stop()
    here.same_names(here.names_of(1, 9))
    assert.equal(0, again:count_said(SAID))
    assert.equal(0, again:metric "mixpanel_forward_gaps_total")
  end)

  it("says so, too, when it was away meanwhile", function()
    local forwarder = here.fleet:start()
    here.put_events(1, 5)
    here.fleet:settle()
    forwarder:stop()
    make_anew()
    here.put_events(6, 8)
    forwarder = here.fleet:start()
    forwarder:until_said(SAID)
    here.fleet:until_arrived("/track", 8)
    here.same_names(here.names_of(1, 8))
  end)

  it("takes no message for one of the same number in the stream before", function()
    here.server:script { endpoint = "/track", status = 503, times = 0 }
    local forwarder = here.fleet:start()
    here.put_events(1, 5)
    here.server:wait(1)
    make_anew()
    here.put_events(6, 8)
    forwarder:until_said(SAID)
    assert.equal(0, here.fleet:acknowledged "events")
    here.server:reset()
    here.fleet:until_arrived("/track", 8)
    here.fleet:until_acknowledged("events", 3)
    here.same_names(here.names_of(1, 8))
  end)

  it("keeps what is no batch, though it has no name and its number comes again", function()
    local forwarder = here.fleet:start()
    for n = 1, 2 do
      here.fleet:put(here.subject "events", "garbage " .. n)
      here.fleet:until_dead(n)
      make_anew()
    end
    forwarder:stop()
  end)

  -- `$merge` goes to /import, which splits its message: in a queue of 4 MiB with 1.5 MB
  -- there is room for 5 records of it, and none for the 25 after these.
  it("has the rest of a message that left the stream when a part was queued", function()
    here.fleet:projects { { token = here.TOKEN, max_queue_bytes = 4 * MIB } }
    here.server:script { endpoint = "/track", status = 503, times = 0 }
    local forwarder = here.start_lasting()
    put_large(1, 15)
    put_large(16, 45, 20)
    forwarder:until_metric("mixpanel_records_accepted_total", 20)
    here.servers:purge()
    nats.kill(here.servers.nodes[1])
    nats.revive(here.servers.nodes[1])
    here.server:reset()
    here.put_events(46, 46)
    here.fleet:until_arrived("/track", 45)
    local expected = here.names_of(1, 46)
    table.remove(expected, 20)
    here.same_names(expected)
    forwarder:stop()
    assert.equal(1, forwarder:metric "mixpanel_forward_tenures_total")
    assert.equal(46, forwarder:metric "mixpanel_records_delivered_total")
  end)
end)
