-- What a reader of a lane acknowledges, when it got another consumer meanwhile.
local Reader = require "mixpanel.forward.reader"

describe("a reader of a lane", function()
  local reader, done

  before_each(function()
    done = {}
    reader = Reader.new({
      tasks = { answer = function() end },
      js = {},
      subject = "mp.x",
      client = {
        done = function(_, mark)
          return done[mark]
        end,
      },
      reads = function()
        return true
      end,
      hand_over = function(_, message)
        message.mark = message.seq
        return true
      end,
      on_settled = function() end,
    }, "events")
    reader.doubt = 0
  end)

  local function begin(name)
    reader.consumer.name, reader.expected, reader.missing = name, 1, 16
  end

  local function deliver(seq, number)
    local reply = ("$JS.ACK.MIXPANEL.%s.1.%d.%d.1.0"):format(reader.consumer.name, seq, number)
    reader:on_delivery({ subject = "mp.x.events", reply = reply, body = "" }, seq, number)
    return reply
  end

  local function settled()
    reader:look()
    reader:settle()
    return reader.settled and reader.settled.ack
  end

  -- The next but one has the same name, and would take the number for another message's.
  it("acknowledges to no consumer what another delivered", function()
    begin "a"
    deliver(11, 1)
    deliver(12, 2)
    reader:on_lost()
    assert.is_nil(reader.consumer.name)
    done[11] = true
    assert.is_nil(settled())
    begin "b"
    local again = deliver(11, 1)
    assert.equal(again, reader.settled.ack) -- which had its outcome
    reader.settled = nil
    local reply = deliver(12, 2)
    assert.is_nil(settled())
    done[12] = true
    assert.equal(reply, settled())
    assert.is_true(reader:is_empty())
  end)

  it("forgets what it had to acknowledge to one that is gone", function()
    begin "a"
    local reply = deliver(11, 1)
    done[11] = true
    assert.equal(reply, settled())
    reader:on_pull_end(409)
    assert.is_nil(reader.settled)
  end)

  it("goes on with another consumer when a message was lost on its way", function()
    begin "a"
    deliver(11, 1)
    deliver(13, 3)
    assert.is_nil(reader.consumer.name)
    assert.equal(11, reader.taken)
    begin "b"
    deliver(11, 1)
    deliver(12, 2)
    assert.equal(12, reader.taken)
  end)
end)
