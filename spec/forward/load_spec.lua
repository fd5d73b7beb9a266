-- What forwarders cost: with nothing to do, with a queue of many small messages, and
-- over many times that a project comes and goes.
local cjson = require "cjson"
local forwarding = require "spec.support.forwarding"
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local socket = require "socket"

local PROJECTS = 50
local MESSAGES = os.getenv "NATS_STORM" and 100000 or 10000
local IDLE_CPU, WINDOW_S, WINDOWS = 0.05, 4, 5
local TICKS = 100 -- of CPU a second, in /proc

describe("forwarders", function()
  local here = forwarding()

  local function cpu(forwarder)
    local stat = process.slurp(("/proc/%d/stat"):format(forwarder.pid)):match "%) (.*)$"
    local user, system = stat:match(("%S+ "):rep(11) .. "(%d+) (%d+)")
    return (tonumber(user) + tonumber(system)) / TICKS
  end

  -- Of some windows, until one is below: a forwarder does more while it begins.
  local function least_cpu(forwarder)
    local least = math.huge
    for _ = 1, WINDOWS do
      local before = cpu(forwarder)
      socket.sleep(WINDOW_S)
      least = math.min(least, (cpu(forwarder) - before) / WINDOW_S)
      if least < IDLE_CPU then
        break
      end
    end
    return least
  end

  it("use little of a processor for many projects with nothing to do", function()
    local projects = {}
    for i = 1, PROJECTS do
      projects[i] = { token = "token" .. i }
    end
    here.fleet:projects(projects)
    local first = here.fleet:start()
    nats.until_done("consumers", function()
      return #here.fleet:consumers() == 5 * PROJECTS
    end)
    local second = here.fleet:start { unready = true }
    assert.is_true(least_cpu(first) < IDLE_CPU)
    assert.is_true(least_cpu(second) < IDLE_CPU)
    first:stop()
    nats.until_done("the second", function()
      return second:count_said "forwards" == PROJECTS
    end)
  end)

  -- Puts messages of one event each, faster than one could wait for each.
  local function put_small(from, to)
    local asker = here.fleet:connect()
    local subject, now = here.subject "events", os.time()
    for n = from, to do
      local body = cjson.encode {
        {
          event = "E",
          properties = {
            token = here.TOKEN,
            distinct_id = "u",
            time = now,
            n = n,
            ["$insert_id"] = "id" .. n,
          },
        },
      }
      asker.socket:send(("PUB %s %d\r\n%s\r\n"):format(subject, #body, body))
      if n % 1000 == 0 then
        asker:request("$JS.API.INFO", "")
      end
    end
    asker:request("$JS.API.INFO", "")
    asker:close()
  end

  -- Of what arrived since the last time.
  local function take_requests()
    local seen, count, most, requests = {}, 0, 0, here.server:requests()
    for _, request in ipairs(requests) do
      for _, record in ipairs(cjson.decode(request.body)) do
        assert.is_nil(seen[record.properties.n])
        seen[record.properties.n] = true
        count = count + 1
      end
      most = math.max(most, request.records)
    end
    here.server:reset()
    return count, #requests, most
  end

  -- The first request takes so long that a slow machine reads enough behind it.
  it("send a queue of small messages in large requests, in the same memory", function()
    here.fleet:projects { { token = here.TOKEN, max_in_flight = 1 } }
    here.server:script { delay_ms = 8000 }
    put_small(1, MESSAGES)
    local forwarder = here.fleet:start()
    here.fleet:settle()
    local count, requests, most = take_requests()
    assert.equal(MESSAGES, count)
    assert.equal(2000, most)
    assert.is_true(requests <= MESSAGES / 500, requests)
    local before = process.status(forwarder.pid, "VmRSS")
    for round = 1, 3 do
      put_small(round * MESSAGES + 1, (round + 1) * MESSAGES)
      here.fleet:settle()
      assert.equal(MESSAGES, (take_requests()))
    end
    local grown = process.status(forwarder.pid, "VmRSS") - before
    assert.is_true(grown < 16 * 1024, ("grown by %d KiB"):format(grown))
  end)

  -- Each time with up to 10 MiB that Mixpanel does not take, which are there or just let
  -- go of when the memory is looked at. When Lua collects by itself depends on what else
  -- happens, so that nobody may rely on it.
  it("let go of what they had of a project that another got", function()
    local text = ("x"):rep(1000)
    local list = {}
    for i = 1, 500 do
      list[i] = here.event("E" .. i, { text = text })
    end
    here.server:script { times = 0, status = 503 }
    for _ = 1, 20 do
      here.put("events", list)
    end
    local options = {
      environment = {
        LUA_INIT = "@spec/support/forward_faults.lua",
        FORWARD_TTL = 4,
        FORWARD_LAZY = 1,
      },
    }
    local forwarder = here.fleet:start(options)
    local sizes = {}
    for round = 1, 8 do
      local given_up
      nats.until_done("the project", function()
        given_up = forwarder:count_said "given up"
        return forwarder:count_said "forwards" > given_up
      end)
      nats.until_done("its records", function()
        return #here.server:requests() > 0
      end)
      nats.kill(here.servers.nodes[1])
      nats.until_done("its end", function()
        return forwarder:count_said "given up" > given_up
      end)
      here.server:reset()
      here.server:script { times = 0, status = 503 }
      nats.revive(here.servers.nodes[1])
      sizes[round] = process.status(forwarder.pid, "VmRSS")
    end
    local grown = 0
    for i = 1, 4 do
      grown = grown + (sizes[i + 4] - sizes[i]) / 4
    end
    assert.is_true(grown < 16 * 1024, table.concat(sizes, " "))
  end)
end)
