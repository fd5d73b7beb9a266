-- Numbers of messages, and nanoseconds, as the forwarder reads and writes them.
local Consumer = require "mixpanel.forward.consumer"
local JetStream = require "mixpanel.forward.jetstream"
local Lease = require "mixpanel.forward.lease"
local streams = require "mixpanel.forward.streams"

local LARGEST = 9007199254740991 -- all up to it can be told apart where Lua has no integers

describe("a number on the bus", function()
  local asked

  -- JetStream that has a consumer and a lease that stand there.
  local function answer(subject)
    local fields = ("{%q:%.0f}"):format("stream_seq", LARGEST - 3)
    if subject:find "CONSUMER.NAMES" then
      return '{"consumers":["mp-x-events-a"],"offset":0,"limit":1024,"total":1}'
    elseif subject:find "CONSUMER.INFO" then
      return ('{"ack_floor":%s,"delivered":%s,"config":{"description":"%s"}}'):format(
        fields,
        fields,
        ("delivered before: up to %.0f; none missed up to %.0f"):format(LARGEST - 2, LARGEST - 1)
      )
    elseif subject:find "STREAM.INFO" then
      return '{"created":"then","state":{"last_seq":1}}'
    elseif subject:find "MSG.GET" then
      return ('{"message":{"seq":%.0f}}'):format(LARGEST)
    end
    return ('{"stream":"S","seq":%.0f}'):format(LARGEST)
  end

  local function jetstream()
    asked = {}
    local link = {
      request = function(_, subject, body, headers)
        asked[#asked + 1] = { subject = subject, body = body, headers = headers or {} }
        return #asked
      end,
    }
    local tasks = {
      await = function(_, id)
        return { status = 200, body = answer(asked[id].subject), headers = {} }
      end,
    }
    return JetStream.new(link, tasks)
  end

  local function body_to(pattern)
    for _, request in ipairs(asked) do
      if request.subject:find(pattern) then
        return request.body
      end
    end
  end

  it("is read from where an acknowledgement goes", function()
    local text = ("MIXPANEL.name.1.%.0f.%.0f.1700000000123456789.7"):format(LARGEST, LARGEST - 1)
    for _, reply in ipairs { "$JS.ACK." .. text, "$JS.ACK.domain.account." .. text .. ".x" } do
      local name, seq, number = Consumer.read_reply(reply)
      assert.equal("name", name)
      assert.equal(("%.0f"):format(LARGEST), ("%.0f"):format(seq))
      assert.equal(("%.0f"):format(LARGEST - 1), ("%.0f"):format(number))
    end
    assert.is_nil(Consumer.read_reply "$JS.ACK.short")
  end)

  it("is where the next consumer begins, to the last digit", function()
    local consumer = Consumer.new(jetstream(), "mp.x.events")
    local floor, delivered, clear = consumer:begin(nil)
    assert.equal(LARGEST - 3, floor)
    assert.equal(LARGEST - 2, delivered)
    assert.equal(LARGEST - 1, clear)
    local made = body_to "CONSUMER.DURABLE.CREATE"
    assert.truthy(made:find('"opt_start_seq":9007199254740989', 1, true), made)
    assert.truthy(made:find("up to 9007199254740989; none missed up to 9007199254740990", 1, true))
    assert.equal(LARGEST, consumer:next(LARGEST))
    assert.truthy(body_to("STREAM.MSG.GET"):find('"seq":9007199254740991', 1, true))
  end)

  it("is remembered by the lease, which is written by its number", function()
    local clock = function()
      return 1
    end
    local lease = Lease.new(jetstream(), "x", "me", "setup", clock)
    assert.is_true(lease:take())
    assert.is_true(lease:renew { events = { floor = LARGEST, delivered = -LARGEST } })
    assert.truthy(asked[2].body:find('"floor":9007199254740991', 1, true), asked[2].body)
    assert.truthy(asked[2].body:find('"delivered":-9007199254740991', 1, true))
    assert.equal("9007199254740991", asked[2].headers["Nats-Expected-Last-Subject-Sequence"])
  end)

  it("is a stream's age in nanoseconds", function()
    local js = jetstream()
    local api = js.api
    function js:api(name, request)
      if name:find "STREAM.INFO" then
        return nil, "none", JetStream.NO_STREAM
      end
      return api(self, name, request)
    end
    assert(streams.create(js, { replicas = 3, max_age = 123456, max_bytes = 123456789012345 }))
    assert.truthy(asked[1].body:find('"max_age":123456000000000[,}]'), asked[1].body)
    assert.truthy(asked[1].body:find('"max_bytes":123456789012345[,}]'))
    assert.truthy(asked[1].body:find('"duplicate_window":600000000000[,}]'))
  end)
end)
