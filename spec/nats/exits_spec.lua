-- Short programs that track a little and end, several at a time.
-- NATS_EXITS=500 is a long round.
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local script = require "spec.support.script"

local EXITS = tonumber(os.getenv "NATS_EXITS") or 20
local AT_ONCE = 4
local MOST = 100 -- records of one program

-- With a spool they do not wait until all is stored.
local ENOUGH_S, SHORT_S = 60, 0.2
local SLACK_S = 0.25 -- for the fastest quarter, as others run beside them

-- Prints how many it tracked, and when it began to end.
local PROGRAM = [[
package.cpath = package.cpath .. ";" .. arg[1]
local mixpanel = require "mixpanel"
local socket = require "socket"
local number, spool = tonumber(arg[3]), arg[4]
math.randomseed(os.time() * 1000 + number)
local mp = mixpanel.new("projecttoken", {
  transport = "nats",
  bus = { servers = { arg[2] } },
  spool = spool ~= "" and spool or nil,
  exit_timeout = tonumber(arg[5]),
  flush_interval = math.random() * 0.05,
  max_batch_size = 20, -- of all: who adopts with less would part what was sent whole
  max_retry_delay = 0.1,
})
local count = math.random(@MOST@)
for i = 1, count do
  assert(mp:track("Exit", { n = number * @MOST@ + i }))
  if math.random(20) == 1 then
    socket.sleep(math.random() * 0.02)
  end
end
if number % 4 == 0 then
  socket.sleep(math.random() * 0.1) -- then it may be connected, or have sent all
end
print(("%d tracked at %.6f"):format(count, socket.gettime()))
if number % 3 == 1 then
  os.exit(0)
elseif number % 3 == 2 then
  os.exit(0, true)
end
]]

describe("programs over NATS that end", function()
  local servers, path, spool, cpath

  setup(function()
    cpath = package.cpath
    package.cpath = cpath .. ";" .. nats.drivers
    servers = nats.start()
    servers:create_stream { duplicate_window = 3600 * 1000000000 } -- longer than a long round
    path = script.write((PROGRAM:gsub("@MOST@", MOST)))
    spool = servers.dir .. "/spool"
  end)

  teardown(function()
    os.remove(path)
    servers:stop()
    package.cpath = cpath
  end)

  local function has_spool(number)
    return math.floor(number / 2) % 2 == 0
  end

  local function out_of(number)
    return ("%s/out-%d"):format(servers.dir, number)
  end

  -- A shell command that runs a program, and then writes its status and the time.
  local function command(number)
    return ("(timeout 120 %s %s '%s' %s %d %s; echo $? ended at $(date +%%s.%%N)) >%s 2>&1"):format(
      script.interpreter,
      path,
      nats.drivers,
      servers.urls[1],
      number,
      has_spool(number) and ("%s %g"):format(spool, SHORT_S) or ("'' %g"):format(ENOUGH_S),
      out_of(number)
    )
  end

  -- How many records it tracked, and the seconds by which it outlasted its time-out.
  local function judge(number)
    local printed = process.slurp(out_of(number))
    local count, began, status, ended =
      printed:match "^(%d+) tracked at (%S+)\n(%d+) ended at (%S+)\n$"
    assert.equal("0", status, printed)
    local timeout = has_spool(number) and SHORT_S or ENOUGH_S
    return tonumber(count), ended - began - timeout
  end

  -- How often each number is in the stream.
  local function stored()
    local counts = {}
    for _, record in ipairs(servers:records_once()) do
      local n = record.properties.n
      counts[n] = (counts[n] or 0) + 1
    end
    return counts
  end

  local function assert_stored(number, count, counts)
    for i = 1, count do
      assert.equal(1, counts[number * MOST + i], ("number %d of program %d"):format(i, number))
      counts[number * MOST + i] = nil
    end
  end

  local function adopt()
    local mp = servers:client { spool = spool }
    nats.until_done("an empty spool", function()
      mp:flush(1)
      local s = mp:stats()
      return s.spool_looks > 0 and s.queued + s.in_flight + s.spooled + s.elsewhere_runs == 0,
        s.last_error
    end)
    return mp:stats().adopted
  end

  it("have stored each record once, or have it in the spool, and end in time", function()
    local batch = {}
    for number = 1, EXITS do
      batch[#batch + 1] = command(number)
      if #batch == AT_ONCE or number == EXITS then
        process.run(table.concat(batch, " & ") .. " & wait")
        batch = {}
      end
    end
    local tracked, lateness, counts = {}, {}, stored()
    for number = 1, EXITS do
      local count, seconds = judge(number)
      tracked[number] = count
      if has_spool(number) then
        lateness[#lateness + 1] = seconds
      else
        assert.is_true(seconds <= 0, seconds)
        assert_stored(number, count, counts)
      end
    end
    table.sort(lateness)
    local late, latest = lateness[math.ceil(#lateness / 4)], lateness[#lateness]
    assert.is_true(late <= SLACK_S, late)
    local adopted = adopt()
    local measured = "# measured: %d exits, at most %.3f s beyond exit_timeout, %d records left"
    print(measured:format(EXITS, latest, adopted))
    counts = stored()
    for number, count in ipairs(tracked) do
      assert_stored(number, count, counts)
    end
    assert.same({}, counts)
  end)
end)
