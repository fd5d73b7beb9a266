-- Who may use a link, and its end.
local link_module = require "mixpanel.nats"
local links = require "spec.support.nats_link"
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local script = require "spec.support.script"
local socket = require "socket"

local LEAVES_S = 3 -- a request that is to have no answer has left before it
local USERS = [[
  authorization { users: [
    { user: "admin", password: "all" }
    { user: "host", password: "pass_word", permissions: {
      publish: ["mp.x.>", "$JS.API.INFO"], subscribe: ["%s.>"]
    } }
  ] }
]]

describe("A link to NATS that is not permitted", function()
  local servers, link, path

  local function start(subscribe)
    servers = nats.start(1, USERS:format(subscribe))
    path = servers.dir .. "/secret_path"
  end

  local function open(text)
    nats.write(path, text)
    process.run("chmod 600 " .. path)
    link = links.open(servers, path)
  end

  after_each(function()
    link:close(20)
    servers:stop()
  end)

  it("to connect says so, shows no secret, and connects once that was mended", function()
    start "_INBOX"
    open "host\nanother_secret\n"
    local event = links.ask(link, "mp.x.y", "")
    assert.equal(401, event.status)
    assert.is_false(event.sent)
    assert.matches("the credentials are wrong", event.text)
    assert.same({ false, event.text }, { link:connected() })
    assert.is_nil(event.text:find("secret", 1, true))
    nats.write(path, "host\npass_word\n")
    assert.equal(200, links.ask(link, "$JS.API.INFO", "").status)
  end)

  it("to publish says on which subject, also of what was pulled or published", function()
    start "_INBOX"
    open "host\npass_word\n"
    local text = "nats: the credentials do not permit to publish on "
    local event = links.ask(link, "mp.y", "")
    assert.equal(401, event.status)
    assert.equal(text .. "mp.y", event.text)
    for _, method in ipairs { "pull", "publish" } do
      local subject = "another." .. method
      assert(link[method](link, subject, ""))
      event = links.event(link, function(other)
        return not other.id
      end)
      assert.same({ status = 401, subject = subject, text = text .. subject }, event)
    end
    assert.is_true(link:connected())
  end)

  it("to publish on a subject goes on with others that are part of its name", function()
    start "_INBOX"
    open "host\npass_word\n"
    local listener = socket.connect("127.0.0.1", servers.nodes[1].port)
    listener:send 'CONNECT {"verbose":false,"user":"admin","pass":"all"}\r\n'
    listener:send "SUB mp.x.y 1\r\nPING\r\n"
    while listener:receive "*l" ~= "PONG" do
    end
    local id = assert(link:request("mp.x.y", "", nil, LEAVES_S))
    local other = assert(link:request("amp.x.y", "", nil, nats.patience))
    local answers = links.answers(link, { id, other })
    assert.equal(401, answers[other].status)
    assert.equal("nats: no answer came in time", answers[id].text)
    listener:close()
  end)

  it("to have answers says so", function()
    start "another"
    open "host\npass_word\n"
    local event = links.ask(link, "mp.x.y", "")
    assert.equal(401, event.status)
    assert.matches("do not permit to subscribe to _INBOX", event.text)
  end)
end)

describe("A link to NATS", function()
  local servers

  setup(function()
    servers = nats.start()
  end)

  teardown(function()
    servers:stop()
  end)

  local function run(program, ...)
    return script.run([[
        local nats = require "mixpanel.nats"
        local posix = require "spec_posix"
        local link = assert(nats.open { servers = { arg[1] } })
        local function ask(link)
          local id = assert(link:request("nobody", "", nil, 60))
          for _ = 1, 600 do
            for _, event in ipairs(link:wait(0.1)) do
              if event.id == id then return event.text end
            end
          end
        end
        local gone = "nats: this process was forked from one that had used the bus, " ..
          "which libnats does not survive: open a link after the fork, and none before it"
        local function is_gone(first, text)
          assert(not first and text == gone, text)
        end
      ]] .. program, ...)
  end

  it("that is collected, or not even that, ends with what it holds", function()
    local printed, status = run(
      [[
        local function threads()
          for line in io.lines "/proc/self/status" do
            local count = line:match "Threads:%s*(%d+)"
            if count then return tonumber(count) end
          end
        end
        local function until_threads(count)
          for _ = 1, 1200 do
            if threads() <= count then return end
            posix.sleep(0.05)
          end
          error("threads stay: " .. threads())
        end
        ask(link)
        link = nil
        collectgarbage() collectgarbage()
        posix.sleep(0.2)
        local before = threads()
        for _ = 1, 5 do
          local another = assert(nats.open { servers = { arg[1] } })
          assert(another:request("a.b", "", nil, 60))
          assert(another:wait(60)[1])
          assert(another:request("a.b", "", nil, 60))
          posix.sleep(0.05) -- an event that is never taken
          another = nil
          collectgarbage() collectgarbage()
        end
        until_threads(before)
        link = assert(nats.open { servers = { arg[1] } })
        link:request("a.b", "", nil, 60)
        io.write "end"
      ]],
      servers.urls[1]
    )
    assert.equal("end", printed)
    assert.equal(0, status)
  end)

  it("with a server that says nothing ends in its own time", function()
    local peer = assert(socket.bind("127.0.0.1", 0))
    local _, port = peer:getsockname()
    local best = math.huge
    for _ = 1, 3 do
      local link = assert(link_module.open { servers = { "nats://127.0.0.1:" .. port } })
      link:request("a.b", "", nil, 60)
      local held = peer:accept()
      local start = socket.gettime()
      link:close(0.3)
      best = math.min(best, socket.gettime() - start)
      held:close()
    end
    peer:close()
    assert.is_true(best <= 0.3 + 0.25, best)
  end)

  it("is of no use in a forked child, where nothing hangs, and goes on in the parent", function()
    local printed, status = run(
      [[
        ask(link)
        local child = posix.fork()
        if child == 0 then
          is_gone(link:request("a.b", "", nil, 1))
          is_gone(link:pull("a.b", ""))
          is_gone(link:publish("a.b", ""))
          is_gone(link:wait(60))
          is_gone(link:connected())
          is_gone(nats.open { servers = { arg[1] } })
          if arg[2] == "close" then
            is_gone(link:close(60))
          end
          os.exit(0, true)
        end
        local _, status = posix.wait(child)
        assert(status == 0, status)
        assert(link:connected())
        assert(ask(link) == "nats: nobody answers on the subject")
        assert(link:close(60))
      ]],
      servers.urls[1],
      "close"
    )
    assert.equal("", printed)
    assert.equal(0, status)
    printed, status =
      run("if posix.fork() == 0 then os.exit(0, true) end posix.wait()", servers.urls[1])
    assert.equal("", printed)
    assert.equal(0, status)
  end)

  it("works in one process with the driver", function()
    local printed, status = run(
      [[
        package.cpath = package.cpath .. ";" .. arg[2]
        local mp = require("mixpanel").new("projecttoken", {
          transport = "nats", bus = { servers = { arg[1] } }, flush_interval = 0.02,
          exit_timeout = 0,
        })
        mp:track "E"
        for _ = 1, 1200 do
          if mp:stats().last_error then break end
          posix.sleep(0.05)
        end
        assert(mp:stats().last_error:find "^nats: no stream takes")
        assert(ask(link) == "nats: nobody answers on the subject")
        assert(link:close(60))
        mp:close(0)
      ]],
      servers.urls[1],
      nats.drivers
    )
    assert.equal("", printed)
    assert.equal(0, status)
  end)
end)
