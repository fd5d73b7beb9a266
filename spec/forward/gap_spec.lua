-- Messages that a forwarder cannot or must not read: those that are gone, of a newer
-- version, of projects that it does not know.
local forwarding = require "spec.support.forwarding"
local mixpanel = require "mixpanel"
local nats = require "spec.support.nats"
local socket = require "socket"

describe("a forwarder", function()
  local here = forwarding()

  local function put(lane, first, last)
    for n = first, last do
      local record = lane == "people"
          and { ["$token"] = here.TOKEN, ["$distinct_id"] = "u" .. n, ["$set"] = { a = 1 } }
        or here.event("E" .. n)
      here.put(lane, { record })
    end
  end

  -- Removes all messages before this one.
  local function purge_before(number)
    here.servers:api("STREAM.PURGE.MIXPANEL", { seq = number })
  end

  -- One that has forwarded this far, and is gone.
  local function run_once()
    local forwarder = here.fleet:start()
    here.fleet:settle()
    forwarder:stop()
    return forwarder
  end

  -- ---- gone ----

  it("says which messages left the stream before it read them", function()
    put("events", 1, 5)
    run_once()
    put("events", 6, 10)
    purge_before(9)
    local forwarder = here.fleet:start()
    forwarder:until_said "messages 6 to 8 left the stream before they were forwarded"
    here.fleet:settle()
    here.same_names { "E1", "E10", "E2", "E3", "E4", "E5", "E9" }
    forwarder:stop()
    assert.equal(1, forwarder:metric "mixpanel_forward_gaps_total")
    assert.equal(1, forwarder:count_said "left the stream")
  end)

  it("says so, too, when all of them are gone", function()
    put("events", 1, 5)
    run_once()
    put("events", 6, 7)
    local config = here.servers:api("STREAM.INFO.MIXPANEL").config
    config.max_age, config.duplicate_window = 1e9, 1e9
    config.placement, config.sources, config.mirror = nil, nil, nil
    here.servers:api("STREAM.UPDATE.MIXPANEL", config)
    here.fleet:until_empty()
    local forwarder = here.fleet:start()
    forwarder:until_said "messages 6 to 7 left the stream before they were forwarded"
    here.fleet:settle()
    forwarder:stop()
    local again = run_once()
    assert.equal(0, again:metric "mixpanel_forward_gaps_total")
    assert.equal(0, again:count_said "left the stream")
  end)

  local function purge_all()
    here.servers:api("STREAM.PURGE.MIXPANEL", {})
  end

  it("says what a purge took before it began", function()
    put("events", 1, 5)
    run_once()
    put("events", 6, 8)
    purge_all()
    put("events", 9, 9)
    local forwarder = here.fleet:start()
    forwarder:until_said "messages 6 to 8 left the stream before they were forwarded"
    here.fleet:settle()
    here.same_names { "E1", "E2", "E3", "E4", "E5", "E9" }
    forwarder:stop()
    assert.equal(1, forwarder:metric "mixpanel_forward_gaps_total")
    assert.equal(0, run_once():count_said "left the stream")
  end)

  it("says what a purge took that another had read and let go of", function()
    here.server:script { endpoint = "/track", status = 503, times = 0 }
    put("events", 1, 3)
    local forwarder = here.fleet:start()
    nats.until_done("a request", function()
      return here.requests "/track" > 0
    end)
    forwarder:stop()
    assert.equal(3, forwarder:metric "mixpanel_forward_let_go_total")
    purge_all()
    here.server:reset()
    put("events", 4, 4)
    forwarder = here.fleet:start()
    forwarder:until_said "messages 1 to 3 left the stream before they were forwarded"
    here.fleet:settle()
    here.same_names { "E4" }
  end)

  it("says what a purge took while it runs", function()
    put("events", 1, 5)
    local forwarder = here.start_lasting()
    here.fleet:settle()
    forwarder:signal "STOP"
    socket.sleep(6) -- nothing is pulled any more
    put("events", 6, 8)
    purge_all()
    put("events", 9, 9)
    forwarder:signal "CONT"
    here.fleet:until_arrived("/track", 6)
    here.fleet:settle()
    forwarder:stop()
    assert.equal(1, forwarder:count_said "messages 6 to 8 left the stream")
    assert.equal(1, forwarder:metric "mixpanel_forward_gaps_total")
    assert.equal(0, run_once():count_said "left the stream")
  end)

  it("gives no false alarm for a purge of what it has forwarded", function()
    put("people", 1, 1)
    put("events", 2, 5)
    local forwarder = here.fleet:start()
    here.fleet:settle()
    purge_all()
    put("people", 6, 6)
    here.fleet:settle()
    forwarder:stop()
    assert.equal(0, forwarder:count_said "left the stream")
    purge_all()
    put("events", 7, 7)
    assert.equal(0, run_once():count_said "left the stream")
  end)

  it("gives no false alarm for a quiet lane beside a busy one", function()
    put("people", 1, 1)
    put("events", 2, 20)
    run_once()
    put("events", 21, 40)
    run_once()
    purge_before(38) -- they were forwarded
    local forwarder = run_once()
    assert.equal(0, forwarder:count_said "left the stream")
    assert.equal(0, forwarder:metric "mixpanel_forward_gaps_total")
    put("events", 41, 60)
    run_once()
    put("people", 61, 62)
    purge_before(62)
    forwarder = here.fleet:start()
    forwarder:until_said "messages 61 to 61 left the stream before they were forwarded"
    here.fleet:settle()
    assert.equal(2, #here.server:records "/engage")
  end)

  it("gives no false alarm for a lane that waits for Mixpanel beside a busy one", function()
    put("people", 1, 1)
    run_once()
    here.server:script { endpoint = "/engage", status = 401, times = 0 }
    put("events", 2, 30)
    put("people", 31, 31)
    here.fleet:start()
    here.fleet:until_arrived("/track", 29)
    here.fleet:until_told(here.TOKEN, { "events" }, function(memory)
      return memory.floor == 30
    end)
    here.fleet:stop()
    purge_before(31)
    here.server:reset()
    local forwarder = here.fleet:start()
    here.fleet:settle()
    assert.equal(0, forwarder:count_said "left the stream")
    assert.equal(1, #here.server:records "/engage")
  end)

  -- ---- of a newer version ----

  it("leaves a message of a newer format, and its project, to others", function()
    put("events", 1, 2)
    here.put("events", { here.event "Newer" }, { ["Mp-Format"] = "2" })
    put("events", 4, 5)
    local forwarder = here.fleet:start()
    forwarder:until_said "message 3 is of format 2, which this version does not know"
    here.fleet:until_given_back(here.TOKEN)
    here.same_names { "E1", "E2" }
    assert.equal(2, here.fleet:acknowledged "events")
    here.fleet:start():until_said "message 3 is of format 2"
    here.fleet:until_given_back(here.TOKEN)
    forwarder:stop()
    assert.equal(1, forwarder:metric "mixpanel_forward_newer_total")
    assert.equal(1, forwarder:metric "mixpanel_forward_tenures_total")
    here.fleet:stop()
    here.servers:api("STREAM.MSG.DELETE.MIXPANEL", { seq = 3 }) -- a newer one has read it
    here.fleet:start()
    here.fleet:settle()
    here.same_names { "E1", "E2", "E4", "E5" }
  end)

  it("reads a message that says nothing of its format", function()
    here.put("events", { here.event "A" }, { ["Mp-Format"] = "one" })
    here.put("events", { here.event "B" })
    here.fleet:start()
    here.fleet:settle()
    here.same_names { "A", "B" }
  end)

  -- ---- of nobody ----

  it("says once how many messages of which project nobody forwards", function()
    local subject = mixpanel.bus_subject "unknowntoken"
    for n = 1, 3 do
      here.fleet:put(subject .. (n == 3 and ".people" or ".events"), ("[%d]"):format(n))
    end
    local forwarder = here.fleet:start()
    local text = "3 messages of project %s wait, and this forwarder does not know its token"
    forwarder:until_said(text:format(subject:sub(4)))
    forwarder:stop()
    assert.equal(1, forwarder:count_said(subject:sub(4)))
    assert.equal(3, forwarder:metric "mixpanel_forward_unknown_messages")
    assert.is_nil(forwarder:said():find("unknowntoken", 1, true))
  end)

  it("says so of messages of a known project that no lane of it reads", function()
    here.put_events(1, 1)
    here.fleet:put(here.subject "replays", "[]")
    here.fleet:put(here.subject "events.more", "[]")
    local forwarder = here.fleet:start()
    forwarder:until_said(
      ("1 messages on %s wait, which this version does not read"):format(here.subject "replays")
    )
    forwarder:until_said(
      ("1 messages on %s wait, which this version"):format(here.subject "events.more")
    )
    here.fleet:until_arrived("/track", 1)
    forwarder:stop()
    assert.equal(2, forwarder:metric "mixpanel_forward_unknown_messages")
    here.same_names { "E1" }
  end)
end)
