-- A forwarder that is told to stop while the bus says nothing.
local forwarding = require "spec.support.forwarding"
local nats = require "spec.support.nats"
local process = require "spec.support.process"

local TIMEOUT_S = 1
local SLACK_S = 0.25
local TRIES = 3

describe("a forwarder ends in time", function()
  local here = forwarding()

  after_each(function()
    process.signal(here.servers.nodes[1].pid, "CONT")
  end)

  local function start(options)
    options = options or {}
    options.arguments = { "--exit-timeout", tostring(TIMEOUT_S) }
    return here.fleet:start(options)
  end

  -- Of some that `prepare` starts, the first that ends in time; where `text` is given, one
  -- of them says it once, which need not be the same.
  local function in_time(prepare, text)
    local seconds, said = math.huge, not text
    local forwarder
    for _ = 1, TRIES do
      forwarder = prepare()
      process.signal(here.servers.nodes[1].pid, "STOP")
      seconds = math.min(seconds, forwarder:stop())
      process.signal(here.servers.nodes[1].pid, "CONT")
      said = said or forwarder:count_said(text) == 1
      if said and seconds <= TIMEOUT_S + SLACK_S then
        return forwarder
      end
    end
    assert.is_true(seconds <= TIMEOUT_S + SLACK_S, ("%.3f s"):format(seconds))
    assert.is_true(said, forwarder:said())
  end

  it("with nothing under way", function()
    local forwarder = in_time(function()
      here.put_events(1, 1)
      local fresh = start()
      here.fleet:settle()
      return fresh
    end, "not told how far it came: nats: no answer came in time")
    assert.equal(1, forwarder:count_said "not given back, so another goes on only 15 seconds later")
  end)

  it("with records that Mixpanel does not take", function()
    here.server:script { endpoint = "/track", status = 503, times = 0 }
    here.put_events(1, 3)
    local forwarder = in_time(function()
      local fresh, requests = start(), here.requests "/track"
      nats.until_done("a request", function()
        return here.requests "/track" > requests
      end)
      return fresh
    end)
    assert.equal(3, forwarder:metric "mixpanel_forward_let_go_total")
  end)

  it("while another has the project", function()
    local other = start()
    in_time(function()
      return start { unready = true }
    end)
    other:kill()
  end)
end)
