-- What Mixpanel takes never, and what is no batch: where it goes, and back.
local cjson = require "cjson"
local forwarding = require "spec.support.forwarding"
local mixpanel = require "mixpanel"
local nats = require "spec.support.nats"

describe("a dead letter", function()
  local here = forwarding()

  -- The dead letters there are, once there are so many: by reason.
  local function until_dead(count)
    local list = here.fleet:until_dead(count)
    assert.equal(count, #list)
    return list
  end

  local function counts(forwarder)
    local found = {}
    for _, name in ipairs { "records", "refused", "dead", "quarantined", "untold", "settled" } do
      found[name] = forwarder:metric(("mixpanel_forward_%s_total"):format(name))
    end
    found.delivered = forwarder:metric "mixpanel_records_delivered_total"
    return found
  end

  local function project()
    return mixpanel.bus_subject(here.TOKEN):sub(4)
  end

  -- ---- what Mixpanel rejects ----

  it("is an event that /import rejects, with its field", function()
    local number = here.put("import", {
      here.event("Good", { time = 1600000000000 }),
      here.event("Bad", { time = 1600000000000 }),
    }, { ["Nats-Msg-Id"] = "run-import-7" })
    here.server:script {
      endpoint = "/import",
      match = "Bad",
      status = 400,
      ingest = false,
      body = {
        code = 400,
        error = "some data points in the request failed validation",
        failed_records = {
          { index = 1, insert_id = "Bad", field = "properties.time", message = "is too odd" },
        },
        num_records_imported = 1,
        status = "Bad Request",
      },
    }
    local forwarder = here.fleet:start()
    local letter = until_dead(1)[1]
    here.fleet:settle()
    assert.equal(("mp-dead.%s.import"):format(project()), letter.subject)
    assert.equal("is too odd", letter.headers["Mp-Dead-Reason"])
    assert.equal("properties.time", letter.headers["Mp-Dead-Field"])
    assert.equal(("%.0f"):format(number), letter.headers["Mp-Dead-From"])
    assert.matches("^run%-import%-7%-%d+$", letter.headers["Nats-Msg-Id"])
    assert.equal("1", letter.headers["Mp-Format"])
    assert.equal("Bad", cjson.decode(letter.body)[1].event)
    forwarder:stop()
    assert.same({
      records = 2,
      refused = 0,
      dead = 1,
      quarantined = 0,
      untold = 0,
      settled = 1,
      delivered = 1,
    }, counts(forwarder))
  end)

  it("is an update that /engage refuses, found among others", function()
    here.publish(function(mp)
      for n = 1, 8 do
        mp.people:set("u" .. n, { name = n == 5 and "poison" or "fine" })
      end
    end, nil, { flush_interval = 60 }) -- one message
    here.server:script {
      endpoint = "/engage",
      match = "poison",
      times = 0,
      ingest = false,
      body = { status = 0, error = "no such thing" },
    }
    local forwarder = here.fleet:start()
    local letter = until_dead(1)[1]
    here.fleet:settle()
    assert.equal(("mp-dead.%s.people"):format(project()), letter.subject)
    assert.equal("no such thing", letter.headers["Mp-Dead-Reason"])
    assert.equal("u5", cjson.decode(letter.body)[1]["$distinct_id"])
    assert.equal(7, #here.server:records "/engage")
    forwarder:stop()
    assert.same({
      records = 8,
      refused = 0,
      dead = 1,
      quarantined = 0,
      untold = 0,
      settled = 1,
      delivered = 7,
    }, counts(forwarder))
  end)

  it("is a record that stays stuck while others pass", function()
    here.fleet:projects { { token = here.TOKEN, max_stuck = 0.5, max_retry_delay = 0.05 } }
    here.server:script { endpoint = "/track", match = "Stuck", status = 500, times = 0 }
    local forwarder = here.fleet:start()
    here.put("events", { here.event "Stuck" })
    local count = 0
    nats.until_done("the dead letter", function()
      count = count + 1
      here.put("events", { here.event("Other" .. count) })
      return #here.fleet:dead() > 0, count
    end)
    here.fleet:settle()
    local letter = here.fleet:dead()[1]
    assert.equal("Stuck", cjson.decode(letter.body)[1].event)
    assert.equal("scripted", letter.headers["Mp-Dead-Reason"])
    assert.equal(count, #here.server:records "/track")
    forwarder:until_said "stuck: "
  end)

  it("keeps a record of any size", function()
    local large = here.event("Large", { text = ("x"):rep(300 * 1024) })
    here.put("events", here.gzip(cjson.encode { large, here.event "Small" }))
    here.server:script {
      endpoint = "/track",
      match = "Large",
      times = 0,
      ingest = false,
      body = { status = 0, error = "too much" },
    }
    here.fleet:start()
    local letter = until_dead(1)[1]
    assert.equal(large.properties.text, cjson.decode(letter.body)[1].properties.text)
    here.fleet:settle()
    here.same_names { "Small" }
  end)

  it("is nothing but its reason where it is larger than a message may be", function()
    local text = ('[{"event":"","properties":{"token":"%s","text":"%s"}}]'):format(
      here.TOKEN,
      ("x"):rep(1100 * 1024)
    )
    local number = here.put("events", here.gzip(text))
    here.put("events", { here.event "Next" })
    local forwarder = here.fleet:start()
    local letter = until_dead(1)[1]
    assert.equal(0, #letter.body)
    assert.equal(tostring(#text), letter.headers["Mp-Dead-Bytes"])
    assert.equal(("%.0f"):format(number), letter.headers["Mp-Dead-From"])
    here.fleet:settle()
    here.same_names { "Next" }
    forwarder:until_said(("they are in message %d of MIXPANEL"):format(number))
  end)

  -- ---- what has no place in Mixpanel ----

  it("is a record that is refused before it is sent", function()
    local old = here.event("Old", { time = (os.time() - 6 * 86400) * 1000 })
    local foreign = here.event "Foreign"
    foreign.properties.token = "another"
    here.put("events", { here.event "Good", foreign, { properties = {} }, here.event "Fine" })
    here.put("collected", { old, here.event "New" })
    local forwarder = here.fleet:start()
    local list = until_dead(3)
    local reasons = {}
    for i, letter in ipairs(list) do
      reasons[i] = letter.subject:match "%l+$" .. ": " .. letter.headers["Mp-Dead-Reason"]
    end
    table.sort(reasons)
    assert.matches("^collected: the event is too old", reasons[1])
    assert.equal("events: the token of another project", reasons[3])
    here.fleet:settle()
    here.same_names { "Fine", "Good", "New" }
    forwarder:stop()
    assert.same({
      records = 6,
      refused = 3,
      dead = 3,
      quarantined = 0,
      untold = 0,
      settled = 2,
      delivered = 3,
    }, counts(forwarder))
  end)

  it("is a line that is no record, as it came, and its neighbours are delivered", function()
    local bad = {
      { "7", "expected an object" },
      { '"text"', "expected an object" },
      { "null", "expected an object" },
      { '{"event":"E","properties":[]}', "expected an object" },
      { '{"event"', "no JSON: " }, -- what follows may be part of it
    }
    local lines = { "", cjson.encode(here.event "First") }
    for i, line in ipairs(bad) do
      lines[#lines + 1] = line[1]
      lines[#lines + 1] = i < #bad and cjson.encode(here.event("After" .. i)) or nil
    end
    lines[#lines + 1] = "[" .. cjson.encode(here.event "Last")
    local number = here.put("events", table.concat(lines, "\n"))
    here.put("events", { here.event "Next" })
    local forwarder = here.fleet:start()
    local list = until_dead(#bad)
    here.fleet:settle()
    here.same_names { "After1", "After2", "After3", "After4", "First", "Next" }
    local ids = {}
    for i, letter in ipairs(list) do
      local text = i < #bad and bad[i][1] or bad[i][1] .. "\n" .. lines[#lines]
      assert.equal("[" .. text .. "]", letter.body)
      assert.matches(bad[i][2], letter.headers["Mp-Dead-Reason"], 1, true)
      assert.equal(("%.0f"):format(number), letter.headers["Mp-Dead-From"])
      assert.is_nil(ids[letter.headers["Nats-Msg-Id"]])
      ids[letter.headers["Nats-Msg-Id"]] = true
    end
    forwarder:stop()
    local found = counts(forwarder)
    assert.equal(#bad, found.refused)
    assert.equal(2, found.settled)
    assert.equal(6, found.delivered)
  end)

  it("is a message that is no batch, as it came", function()
    local zipped = here.gzip(cjson.encode { here.event "Cut" })
    local bomb = here.gzip(("\0"):rep(65 * 1024 * 1024))
    local bodies =
      { "garbage", zipped:sub(1, -9), bomb, "", "[]", here.gzip "[]", '{"a":', "\31\139" }
    for _, body in ipairs(bodies) do
      here.put("events", body)
    end
    here.put("events", { here.event "Good" })
    local forwarder = here.fleet:start()
    local list = until_dead(#bodies)
    here.fleet:settle()
    here.same_names { "Good" }
    for i, letter in ipairs(list) do
      local body = letter.headers["Mp-Format"] and letter.body:sub(2, -2) or letter.body
      assert.equal(bodies[i], body)
      assert.equal(tostring(i), letter.headers["Mp-Dead-From"])
      assert.is_truthy(letter.headers["Mp-Dead-Reason"])
    end
    forwarder:until_said "message 2 is no batch: json: the gzip is damaged"
    forwarder:stop()
    local found = counts(forwarder)
    assert.equal(#bodies, found.dead)
    assert.equal(#bodies + 1, found.settled)
    assert.equal(1, found.delivered)
  end)

  it("is a message that is larger than the queue, as it came", function()
    here.fleet:projects { { token = here.TOKEN, max_queue_bytes = 4 * 1024 * 1024 } }
    local records = {}
    for n = 1, 50 do
      records[n] = here.event("E" .. n, { text = ("x"):rep(100 * 1000) })
    end
    local body = here.gzip(cjson.encode(records))
    here.put("events", { here.event "Before" })
    here.put("events", body)
    here.put("events", { here.event "After" })
    here.fleet:start()
    local letter = until_dead(1)[1]
    assert.is_true(body == letter.body)
    assert.equal("its records are more than max_queue_bytes", letter.headers["Mp-Dead-Reason"])
    here.fleet:settle()
    here.same_names { "After", "Before" }
  end)

  it("waits for room in its stream, and nothing is lost", function()
    here.servers:api "STREAM.DELETE.MIXPANEL_DEAD"
    here.servers:create_stream {
      name = "MIXPANEL_DEAD",
      subjects = { "mp-dead.>" },
      allow_direct = true,
      max_msgs = 1,
    }
    here.put("events", { { event = "" }, { event = "" }, here.event "Good" })
    here.put(
      "people",
      { { ["$distinct_id"] = "u", ["$token"] = here.TOKEN, ["$set"] = { a = 1 } } }
    )
    local forwarder = here.fleet:start()
    forwarder:until_said "MIXPANEL_DEAD does not take a dead letter: nats: "
    here.fleet:until_arrived("/track", 1)
    here.fleet:until_arrived("/engage", 1)
    local pending = 0
    for _, info in ipairs(here.fleet:consumers()) do
      pending = pending + info.num_ack_pending
    end
    assert.is_true(pending >= 1)
    here.servers:api("STREAM.PURGE.MIXPANEL_DEAD")
    here.fleet:settle()
    assert.equal(1, #here.fleet:dead())
    assert.same({ "Good" }, here.names())
    forwarder:stop()
    assert.equal(2, forwarder:metric "mixpanel_forward_dead_total")
  end)
end)
