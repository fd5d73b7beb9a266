-- Messages of a bus and the records of them that a client takes.
local Message = require "mixpanel.forward.message"
local cjson = require "cjson"
local posts = require "spec.support.posts"

describe("a message that is forwarded", function()
  local mp

  after_each(function()
    mp:close(0)
  end)

  local function fails()
    error "this is not to happen"
  end

  local function event(name, properties)
    return (posts.event(('"$insert_id":"%s",%s'):format(name, properties)):gsub("Click", name))
  end

  local function merge()
    return event("$merge", '"$distinct_ids":["a","b"]')
  end

  -- A lane of its own in the middle has the rest queued by itself: when the queue is
  -- full, a part of the message is in.
  it("tells its records apart while only a part of them is queued", function()
    mp = posts.client { max_queue_bytes = 65536, reports = "every" }
    local text = ('"text":"%s"'):format(("x"):rep(20000))
    local lines =
      { event("A", text), event("B", text), merge(), event("C", text), event("D", text) }
    local body = "[" .. table.concat(lines, ",\n") .. "]"
    local message = Message.new("events", { subject = "mp.x.events", body = body }, 1, false)
    local ok, _, code = message:hand_over(mp, fails, fails)
    assert.is_nil(ok)
    assert.equal("queue_full", code)
    assert.equal(3, message.queued)
    assert.same({ 1, 5 }, { message.first_mark, message.mark })
    mp:flush()
    for request in
      function()
        return (mp:next_request())
      end
    do
      local bad = request.body:find '"A"' and '{"status":0,"error":"bad"}'
      mp:answer(request.id, 200, nil, bad or '{"code":200,"status":1,"num_records_imported":1}')
    end
    local places = {}
    local function poll()
      for _, report in ipairs(mp:poll()) do
        for _, record in ipairs(report.outcome == "rejected" and report.records or {}) do
          local place = message:place_of(record.mark)
          assert.is_true(message.first_mark <= record.mark and record.mark <= message.mark)
          assert.equal(record.json:sub(1, 60), body:sub(place, place + 59))
          places[#places + 1] = place
        end
      end
    end
    poll()
    assert.equal(1, #places)
    assert.is_true(message:hand_over(mp, fails, fails))
    assert.same({ 1, 5, 5 }, { message.first_mark, message.mark, message.taken })
    assert.equal(4, #posts.arrived(mp) + #places + 1)
    assert.is_true(mp:done(message.mark))
  end)

  it("is told from one that waits for room, when it can never have any", function()
    mp = posts.client { max_queue_bytes = 65536 }
    local large = event("A", ('"text":"%s"'):format(("x"):rep(70000)))
    local function new()
      return Message.new("events", { subject = "mp.x.events", body = large }, 1, false)
    end
    local why
    assert.is_true(new():hand_over(mp, fails, function(reason)
      why = reason
    end))
    assert.equal("its records are more than max_queue_bytes", why)
    assert(mp:track "E")
    local ok, _, code = new():hand_over(mp, fails, fails)
    assert.is_nil(ok)
    assert.equal("queue_full", code)
  end)

  it("has the places of records that are refused", function()
    mp = posts.client()
    local foreign = event("B", '"token":"another"')
    local body = ("[%s,\n%s]"):format(event("A", '"a":1'), foreign)
    local refused = {}
    local message = Message.new("events", { subject = "mp.x.events", body = body }, 1, false)
    assert.is_true(message:hand_over(mp, function(json, _, _, place)
      refused[#refused + 1] = json
      assert.equal(json, body:sub(place, place + #json - 1))
    end, fails))
    assert.equal(1, #refused)
    assert.equal("B", cjson.decode(refused[1]).event)
  end)
end)
