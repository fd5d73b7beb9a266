-- A program in Lua on a server of NATS: requests, pulling, acknowledging.
local links = require "spec.support.nats_link"
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local socket = require "socket"

local function is_lost(event)
  return event.lost
end

describe("A link to NATS", function()
  local servers, link

  before_each(function()
    servers = nats.start()
    link = links.open(servers)
  end)

  after_each(function()
    link:close(20)
    servers:stop()
  end)

  -- ---- requests ----

  -- Whoever answers here writes the protocol by hand.
  local function answering(subject, head, body)
    local connection = socket.connect("127.0.0.1", servers.nodes[1].port)
    connection:settimeout(nats.patience)
    connection:send(
      'CONNECT {"verbose":false,"headers":true,"lang":"lua","version":"0"}\r\n'
        .. ("SUB %s 1\r\nPING\r\n"):format(subject)
    )
    while connection:receive "*l" ~= "PONG" do
    end
    return function()
      local line = connection:receive "*l"
      local reply, header, total = line:match "^HMSG %S+ 1 (%S+) (%d+) (%d+)"
      local asked = connection:receive(tonumber(total))
      connection:send(
        ("HPUB %s %d %d\r\n%s%s\r\nPING\r\n"):format(reply, #head, #head + #body, head, body)
      )
      connection:receive "*l" -- the end of the message
      connection:receive "*l" -- PONG: the server has it
      connection:close()
      return asked:sub(1, header), asked:sub(header + 1)
    end
  end

  it("carries headers and bodies both ways, whatever is in them", function()
    local body = "\0\r\n\255 ünï"
    local answer = answering(
      "service.x",
      "NATS/1.0\r\nKind: first\r\nKind: last\r\nNats-Time:1\r\n\r\n",
      body:reverse()
    )
    local id = assert(link:request("service.x", body, { Name = "ä: b", Another = "2" }, 60))
    local head, asked = answer()
    assert.equal(body, asked)
    assert.matches("\r\nName: ä: b\r\n", head)
    assert.matches("\r\nAnother: 2\r\n", head)
    assert.same({
      id = id,
      status = 200,
      headers = { Kind = "last", ["Nats-Time"] = "1" },
      body = body:reverse(),
    }, links.answer(link, id))
  end)

  it("says that headers cannot be read, and gives the rest", function()
    local answer = answering("service.x", "damaged\r\nA: 1\r\n\r\n", "body")
    local id = assert(link:request("service.x", "", { A = "1" }, 60))
    answer()
    assert.same(
      { id = id, status = 200, headers = {}, body = "body", damaged = true },
      links.answer(link, id)
    )
  end)

  it("tells requests apart, and gives each its one event", function()
    links.create(link)
    local asked = {}
    for i = 1, 50 do
      local id =
        assert(link:request("mp.x.events", tostring(i), { ["Nats-Msg-Id"] = "m" .. i }, 60))
      assert.is_nil(asked[id])
      asked[id] = i
    end
    nats.until_done("all answers", function()
      for _, event in ipairs(link:wait(0.02)) do
        assert.equal(200, event.status)
        assert.equal(asked[event.id], tonumber(event.body:match '"seq": ?(%d+)'))
        asked[event.id] = nil
      end
      return next(asked) == nil
    end)
    assert.same({}, link:wait(0.1))
  end)

  it("says that nobody answers, and that no answer came in time", function()
    local id = assert(link:request("nobody.here", "", nil, 60))
    assert.same(
      { id = id, status = 503, sent = false, text = "nats: nobody answers on the subject" },
      links.answer(link, id)
    )
    local listener = socket.connect("127.0.0.1", servers.nodes[1].port)
    listener:send 'CONNECT {"verbose":false}\r\nSUB mute 1\r\nPING\r\n'
    while listener:receive "*l" ~= "PONG" do
    end
    id = assert(link:request("mute", "", nil, 2)) -- it has left before that
    assert.same(
      { id = id, status = 0, sent = true, text = "nats: no answer came in time" },
      links.answer(link, id)
    )
    listener:close()
  end)

  it("says of a request that is too large that it is", function()
    local id = assert(link:request("mp.x", ("x"):rep(2 ^ 21), nil, 60))
    local event = links.answer(link, id)
    assert.equal(413, event.status)
    assert.is_false(event.sent)
    assert.is_true(link:publish("mp.x", ("x"):rep(2 ^ 21)))
    event = links.event(link, function()
      return true
    end)
    assert.same({
      status = 413,
      subject = "mp.x",
      text = "nats: larger than max_payload of the server",
    }, event)
    assert.is_true(link:connected())
  end)

  -- ---- the connection ----

  it("connects with the first request, and says why it has not", function()
    assert.same({ false, "nats: not connected yet" }, { link:connected() })
    for _, method in ipairs { "pull", "publish" } do
      assert.same({ nil, "nats: not connected yet" }, { link[method](link, "a.b", "") })
    end
    links.ask(link, "nobody", "")
    assert.same({ true }, { link:connected() })
    assert.is_true(link:publish("a.b", ""))
  end)

  it("tells of a loss, pulls nothing before that is known, and connects again", function()
    links.create(link)
    assert.is_number(links.pull(link, { batch = 5, expires = 60e9 }))
    links.ask(link, "nobody", "") -- the pull is with the server
    local id = assert(link:request("$JS.API.CONSUMER.MSG.NEXT.MIXPANEL.C", "60000000000", nil, 60))
    nats.kill(servers.nodes[1])
    nats.until_done("a loss", function()
      return not link:connected()
    end)
    nats.revive(servers.nodes[1])
    link:request("nobody", "", nil, 60)
    nats.until_done("another connection", function()
      return link:connected()
    end)
    assert.same(
      { nil, "nats: the connection was lost, which is not taken note of yet" },
      { links.pull(link, { batch = 1 }) }
    )
    local answer, lost
    nats.until_done("both", function()
      for _, event in ipairs(link:wait(0.02)) do
        answer = event.id == id and event or answer
        lost = is_lost(event) and event or lost
      end
      return answer and lost
    end)
    assert.same({ lost = true }, lost)
    assert.equal(0, answer.status)
    assert.is_true(answer.sent)
    assert.is_number(link:pull("nobody", ""))
  end)

  it("gives up a request that finds no server, with the reason", function()
    nats.kill(servers.nodes[1])
    local event = links.ask(link, "a.b", "")
    assert.equal(503, event.status)
    assert.is_false(event.sent)
    assert.matches("^nats: not connected to 127.0.0.1:%d+: ", event.text)
    assert.same({ false, event.text }, { link:connected() })
    nats.revive(servers.nodes[1])
    assert.equal("nats: nobody answers on the subject", links.ask(link, "a.b", "").text)
  end)

  -- ---- pulling ----

  local function store(count)
    for i = 1, count do
      links.ask(link, "mp.x.events", ("%d "):format(i), { Number = "n" .. i })
    end
  end

  it(
    "delivers what was pulled, with subject, headers and body, until it is acknowledged",
    function()
      links.create(link)
      store(3)
      assert.is_number(links.pull(link, { batch = 3, expires = 60e9 }))
      local list = links.deliveries(link, 3)
      for i, delivery in ipairs(list) do
        assert.equal("mp.x.events", delivery.subject)
        assert.equal(i .. " ", delivery.body)
        assert.same({ Number = "n" .. i }, delivery.headers)
        assert.matches("^%$JS%.ACK%.MIXPANEL%.C%.1%." .. i .. "%.", delivery.reply)
      end
      assert.equal(3, (links.pending(link)))
      assert.is_true(link:publish(list[1].reply, "+ACK"))
      nats.until_done("an acknowledgement", function()
        return links.pending(link) == 2
      end)
      local answer = links.ask(link, list[2].reply, "+ACK")
      assert.equal(200, answer.status)
      assert.equal(1, (links.pending(link)))
      assert.is_true(link:publish(list[3].reply, "-NAK"))
      assert.is_number(links.pull(link, { batch = 1, expires = 60e9 }))
      assert.equal("3 ", links.deliveries(link, 1)[1].body)
    end
  )

  it("says how a pull ended", function()
    links.create(link)
    local function ended(request, meanwhile)
      local pull = assert(links.pull(link, request))
      if meanwhile then
        link:request("$JS.API." .. meanwhile, "", nil, 60)
      end
      local event = links.event(link, function(event)
        return event.status and not event.id
      end)
      assert.equal(pull, event.pull)
      assert.is_nil(event.body)
      return event.status .. " " .. event.text
    end
    assert.equal("404 No Messages", ended { batch = 1, no_wait = true })
    assert.equal("408 Request Timeout", ended { batch = 1, expires = 100e6 })
    assert.equal(
      "409 Consumer Deleted",
      ended({ batch = 1, expires = 60e9 }, "CONSUMER.DELETE.MIXPANEL.C")
    )
  end)

  it("loses nothing of a large pull while nobody takes it", function()
    links.create(link, { max_ack_pending = -1 })
    for i = 1, 100 do -- below the 64 MB that a server holds for a connection
      links.ask(link, "mp.x.events", ("%d "):format(i) .. ("x"):rep(300000))
    end
    assert.is_number(links.pull(link, { batch = 100, expires = 60e9 }))
    nats.until_done("the end of the pull", function()
      return servers:api("CONSUMER.INFO.MIXPANEL.C").num_ack_pending == 100
    end)
    for i, delivery in ipairs(links.deliveries(link, 100)) do
      assert.equal(i, tonumber(delivery.body:match "^%d+"))
      assert.is_true(#delivery.body > 300000)
    end
  end)

  it("leaves a server that is stopped, when it closes, in its own time", function()
    links.ask(link, "nobody", "")
    local best = math.huge
    for _ = 1, 3 do
      local stopped = links.open(servers)
      links.ask(stopped, "nobody", "")
      process.signal(servers.nodes[1].pid, "STOP")
      stopped:request("a.b", ("x"):rep(1000000), nil, 60)
      for _ = 1, 20 do -- more than the socket takes
        stopped:publish("a.b", ("x"):rep(1000000))
      end
      local start = socket.gettime()
      local closed, why = stopped:close(0.3)
      best = math.min(best, socket.gettime() - start)
      assert.is_true(closed or why == "nats: what hangs in the link ends later")
      process.signal(servers.nodes[1].pid, "CONT")
    end
    assert.is_true(best <= 0.3 + 0.25, best)
  end)
end)
