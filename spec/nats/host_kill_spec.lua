-- Hosts with a spool that are killed while they track, over and over.
-- NATS_KILLS=200 is a long round.
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local script = require "spec.support.script"
local socket = require "socket"

local KILLS = tonumber(os.getenv "NATS_KILLS") or 12
local LIVES = 30 -- kills; of more dead processes than 64 the newer updates do not wait

-- Tracks events and updates of a profile, and writes the number of each that was
-- accepted; with a number of its own in arg[5], that many, and then all is sent.
local HOST = [[
package.cpath = arg[1] .. ";" .. package.cpath
local mixpanel = require "mixpanel"
local file = assert(io.open(arg[4], "a"))
file:setvbuf "no"
local mp = mixpanel.new("projecttoken", {
  transport = "nats",
  bus = { servers = { arg[2] } },
  spool = arg[3],
  max_batch_size = 40,
  flush_interval = 0.02,
  max_retry_delay = 0.2,
})
local n, last = tonumber(arg[5]), tonumber(arg[6] or math.huge)
while n <= last do
  local ok
  if n % 5 == 0 then
    ok = mp.people:set("u" .. n % 7, "n", n)
  else
    ok = mp:track("Host", { n = n })
  end
  if ok then
    file:write(("%d\n"):format(n)) -- at once
    n = n + 1
    if n % 10 == 0 then
      mp:flush(0.001)
    end
  end
end
local deadline = os.time() + 600
repeat
  mp:flush(1)
  local s = mp:stats()
  assert(os.time() < deadline, s.last_error)
until s.queued + s.in_flight + s.spooled + s.elsewhere_runs == 0 and s.spool_looks > 0
]]

describe("hosts with a spool", function()
  local servers, folder, path

  before_each(function()
    servers = nats.start()
    servers:create_stream()
    folder = process.read "mktemp -d"
    path = script.write(HOST)
  end)

  after_each(function()
    servers:stop()
    os.remove(path)
    process.run("rm -rf " .. folder)
  end)

  -- Each writes what it accepted into a file of its own.
  local function host(number, last)
    return ("%s %s '%s;%s' %s %s/spool %s/%d %d %s"):format(
      script.interpreter,
      path,
      nats.drivers,
      package.cpath,
      servers.urls[1],
      folder,
      folder,
      number,
      number * 1e6,
      last or ""
    )
  end

  local function accepted(number)
    local file = io.open(("%s/%d"):format(folder, number))
    local text = file and file:read "*a" or ""
    if file then
      file:close()
    end
    return text
  end

  -- One that tracks ten records, and sends all that is left.
  local function live(number)
    local last = number * 1e6 + 9
    assert.equal("", process.read(host(number, last) .. " 2>&1"))
  end

  -- The number of a record, of an event or of an update.
  local function number_of(record)
    return record.properties and record.properties.n or record["$set"].n
  end

  it("that are killed lose nothing that they accepted, and send nothing twice", function()
    math.randomseed(os.time())
    local hosts = 0
    for kill = 1, KILLS do
      hosts = hosts + 1
      local command = ("exec %s >/dev/null 2>&1 & echo $!"):format(host(hosts))
      local pid = tonumber(process.read(command))
      nats.until_done("a record", function()
        return accepted(hosts) ~= ""
      end)
      socket.sleep(math.random() * 0.1)
      process.signal(pid, "KILL")
      process.wait_gone({ pid }, nats.patience)
      if kill % LIVES == 0 or kill == KILLS then
        hosts = hosts + 1
        live(hosts)
      end
    end
    local seen, order = {}, {}
    for _, record in ipairs(servers:records_once()) do
      local n, id = number_of(record), record["$distinct_id"]
      assert.is_nil(seen[n], n)
      seen[n] = true
      if id then
        assert.is_true(n > (order[id] or 0), "an update is behind a newer one")
        order[id] = n
      end
    end
    for number = 1, hosts do
      for n in accepted(number):gmatch "%d+" do
        assert.is_true(seen[tonumber(n)], n)
      end
    end
  end)
end)
