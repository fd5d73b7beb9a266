-- client:permit: until when requests may be under way.
local balance = require "spec.support.balance"
local mixpanel = require "mixpanel"
local process = require "spec.support.process"
local raises = require "spec.support.raises"
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"
local socket = require "socket"

local EVENTS = 30
local PERMIT = 3 -- seconds of a process, in which it is to be stopped

describe("a permit", function()
  local server, mp
  local names = 0

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
    names = names + 1
    mp = mixpanel.new("projecttoken", {
      name = "permit " .. names,
      api_host = server.url,
      flush_interval = 0.01,
      max_retry_delay = 0.1,
    })
  end)

  after_each(function()
    mp:close(0)
  end)

  local function track(n)
    for i = 1, n do
      assert(mp:track("E", { distinct_id = "u", n = i }))
    end
  end

  local function wait_for(condition, what)
    return process.wait_for(function()
      return condition(balance(mp:stats()))
    end, what, 60)
  end

  local function is_queued(stats)
    return stats.in_flight == 0 and stats.queued == EVENTS
  end

  -- Every event of the first `n` arrived, and under no second id.
  local function all_arrived(n)
    local ids, numbers, count = {}, {}, 0
    for _, record in ipairs(server:records "/track") do
      local id, number = record.properties["$insert_id"], record.properties.n
      assert.is_true(ids[id] == nil or ids[id] == number)
      assert.is_true(numbers[number] == nil or numbers[number] == id)
      count = count + (ids[id] and 0 or 1)
      ids[id], numbers[number] = number, id
    end
    assert.equal(n, count)
  end

  it("breaks off what is under way when it ends", function()
    server:script { times = 0, delay_ms = 20000 }
    assert.is_true(mp:permit(1))
    track(EVENTS)
    wait_for(function(stats)
      return stats.in_flight > 0
    end, "a request")
    server:wait(1)
    wait_for(is_queued, "the end of the permit")
    assert.equal("the permit of the client has ended", mp:stats().last_error)
    assert.is_true(mp:stats().ambiguous > 0) -- it was sent whole
    server:script {}
    server:reset()
    local ok, _, code = mp:flush(0.5)
    assert.is_nil(ok)
    assert.equal("timeout", code)
    assert.equal(0, #server:requests())
    assert.is_true(mp:permit(60))
    assert(mp:flush(60))
    all_arrived(EVENTS)
    assert.equal(EVENTS, balance(mp:stats()).delivered)
  end)

  it("of no seconds lets nothing out, and may be lifted", function()
    assert.is_true(mp:permit(0))
    track(EVENTS)
    assert.is_nil(mp:flush(0.3))
    local ok, _, code = mp:check(0.1)
    assert.is_nil(ok)
    assert.equal("timeout", code)
    assert.is_true(is_queued(balance(mp:stats())))
    assert.equal(0, #server:requests())
    assert.is_true(mp:permit(false))
    assert(mp:flush(60))
    all_arrived(EVENTS)
  end)

  it("is the project's", function()
    local name = "permit " .. names
    local other = mixpanel.new("projecttoken", { name = name, api_host = server.url })
    assert.is_true(other:permit(0))
    track(EVENTS)
    assert.is_nil(mp:flush(0.2))
    assert.equal(0, #server:requests())
    assert.is_true(mp:permit(false))
    assert(other:flush(60))
    other:close()
  end)

  it("takes seconds or false", function()
    local expected = "bad argument #1 to 'permit' (seconds: %s)"
    for _, seconds in ipairs { -1, 0 / 0, 1.1e9, -1 / 0 } do
      local ok, err = pcall(mp.permit, mp, seconds)
      assert.is_false(ok)
      assert.truthy(err:find("expected a number from 0 to 1e9, or false", 1, true), err)
    end
    for got, value in pairs { string = "5", boolean = true, table = {} } do
      raises(expected:format("number or false expected, got " .. got), function()
        mp:permit(value)
      end)
    end
    raises(expected:format "number or false expected, got no value", function()
      mp:permit()
    end)
    mp:close(0)
    local ok, _, code = mp:permit(1)
    assert.is_nil(ok)
    assert.equal("closed", code)
  end)

  it("is none where the host carries the requests", function()
    local by_hand = mixpanel.new("projecttoken", { transport = "manual", name = "by hand" })
    local ok, err = pcall(by_hand.permit, by_hand, 1)
    assert.is_false(ok)
    assert.matches('permit: with transport = "manual" the host carries the requests', err, 1, true)
  end)
end)

-- A program whose request, of all its records, is under way, and which tells what
-- becomes of it.
local program = [[
local url = arg[1]
local mixpanel = require "mixpanel"
local mp = mixpanel.new("projecttoken", {
  api_host = url, gzip = false, flush_interval = 60, exit_timeout = 0.5, max_retry_delay = 0.1,
})
mp:permit(0)
for i = 1, 10 do
  mp:track("E", { distinct_id = "u", n = i, text = ("x"):rep(100000) })
end
mp:permit(tonumber(arg[2]))
mp:mark()
while mp:stats().in_flight == 0 do end
print "under way"
io.stdout:flush()
if arg[3] then os.exit(true, true) end
while mp:stats().in_flight > 0 do end
print(mp:stats().last_error)
io.stdout:flush()
]]

describe("a process that stands still beyond its permit", function()
  local listener, path, pipe, pid

  -- True once somebody has asked the system for a connection to the port, which
  -- it cannot make yet.
  local function is_asked_for(port)
    local file = assert(io.open "/proc/net/tcp")
    local all = file:read "*a"
    file:close()
    return all:find(("%%x+:%%x+ %%x+:%04X 02 "):format(port)) ~= nil
  end

  -- Its request is under way, as far as the listener lets it.
  local function begin(backlog, ends)
    listener = assert(socket.bind("127.0.0.1", 0, backlog))
    listener:settimeout(60)
    local _, port = listener:getsockname()
    local fillers = {}
    while backlog == 0 do -- until the system takes no connection more
      local filler = socket.tcp()
      filler:settimeout(0.1)
      if not filler:connect("127.0.0.1", port) then
        filler:close()
        break
      end
      fillers[#fillers + 1] = filler
    end
    path = script.write(program)
    local command = "echo $$; exec %s %s http://127.0.0.1:%d %s"
    local arguments = ends and "60 ends" or PERMIT
    pipe = assert(io.popen(command:format(script.interpreter, path, port, arguments)))
    pid = tonumber(pipe:read "*l")
    assert.equal("under way", pipe:read "*l")
    if backlog == 0 then
      process.wait_for(function()
        return is_asked_for(port)
      end, "a connection that is asked for", 60)
      socket.sleep(0.1) -- the step of libcurl that did so is over
    end
    return fillers
  end

  after_each(function()
    os.execute(("kill -KILL %d 2>/dev/null"):format(pid)) -- if it still stands still
    pipe:close()
    os.remove(path)
    listener:close()
  end)

  local function stop()
    process.signal(pid, "STOP")
    socket.sleep(PERMIT + 0.3)
  end

  local function go_on()
    process.signal(pid, "CONT")
    assert.equal("the permit of the client has ended", pipe:read "*l")
  end

  -- How many bytes come before the end of the connection.
  local function drain(connection)
    connection:settimeout(60)
    local all, err, some = connection:receive "*a"
    assert.not_equal("timeout", err)
    return #(all or some)
  end

  local function is_over()
    assert.is_nil(pipe:read "*l") -- it has ended
    listener:settimeout(0.1)
    assert.is_nil((listener:accept()))
  end

  it("has what the system still holds of a request dropped", function()
    begin(32)
    local connection = assert(listener:accept())
    local head = assert(connection:receive(1000))
    local length = tonumber(head:lower():match "content%-length: (%d+)")
    stop()
    go_on()
    assert.is_true(1000 + drain(connection) < length, "the whole body came")
    is_over()
  end)

  it("has that dropped where it ends before, too", function()
    begin(32, true)
    local connection = assert(listener:accept())
    local head = assert(connection:receive(1000))
    local length = tonumber(head:lower():match "content%-length: (%d+)")
    is_over()
    assert.is_true(1000 + drain(connection) < length, "the whole body came")
  end)

  it("sends nothing of what it was about to send, nor at its end", function()
    local fillers = begin(0)
    process.signal(pid, "STOP")
    for _, filler in ipairs(fillers) do
      assert(listener:accept()):close()
      filler:close()
    end
    local connection = assert(listener:accept()) -- made by the system alone
    stop()
    go_on()
    assert.equal(0, drain(connection))
    is_over()
  end)
end)
