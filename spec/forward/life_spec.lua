-- Two forwarders of one project: which of them sends, and when the other goes on.
local Ledger = require "spec.support.forward_ledger"
local cli = require "spec.support.cli"
local forwarding = require "spec.support.forwarding"
local mixpanel = require "mixpanel"
local nats = require "spec.support.nats"
local socket = require "socket"

local DELAY_MS = 50
local TTL_S = 8 -- of leases that are to lapse; no stall below a third of it has one lapse
local STORM = os.getenv "NATS_STORM"

describe("of two forwarders", function()
  local here = forwarding()
  local server, servers, fleet, ledger, hosts

  before_each(function()
    server, servers, fleet = here.server, here.servers, here.fleet
    local address = server.url:match "//(.*)$"
    hosts = { address, (address:gsub("127.0.0.1", "localhost")) }
    server:script { times = 0, delay_ms = DELAY_MS }
    ledger = Ledger.new(fleet)
  end)

  after_each(function()
    ledger:close()
  end)

  -- The first or the second: the address to which it sends tells it.
  local function start(which, environment, unready)
    local variables = { LUA_INIT = "@spec/support/forward_faults.lua" }
    for name, value in pairs(environment or {}) do
      variables[name] = value
    end
    fleet:projects({
      {
        token = "projecttoken",
        api_host = "http://" .. hosts[which],
        on_ambiguous = "report",
        max_batch_size = 20,
      },
    }, ("projects%d.lua"):format(which))
    return fleet:start { environment = variables, unready = unready }
  end

  local function start_both(environment)
    local first = start(1, environment)
    local second = start(2, environment, true)
    second:until_said "another forwarder treats it differently"
    return first, second
  end

  -- Which of the two sent each request, in their order, without repetitions; and
  -- whether each began only after the answers to the other.
  local function turns()
    local list, last_ms = {}, 0
    for _, request in ipairs(server:requests()) do
      local which = request.headers.host == hosts[1] and 1 or 2
      assert.equal(hosts[which], request.headers.host)
      if list[#list] ~= which then
        assert.is_true(request.time_ms >= last_ms)
        list[#list + 1] = which
      end
      last_ms = request.time_ms + DELAY_MS
    end
    return list
  end

  it("the second goes on where the first was told to stop, and repeats nothing", function()
    local first, second = start_both()
    ledger:publish(15)
    assert.is_true(first:stop() < 20)
    second:until_said "forwards"
    ledger:publish(5)
    fleet:settle()
    assert.same({ 1, 2 }, turns())
    local repeats, dead = ledger:check()
    assert.equal(0, repeats)
    assert.equal(0, dead)
    assert.equal(1, second:count_said "treats it differently")
  end)

  -- What hosts delivered is what was read, but for what was read again.
  it("the counters of both add up, also when the bus was away", function()
    local sum = 0
    for which = 1, 2 do
      local forwarder = start(which, { FORWARD_TTL = 60 }) -- it keeps its lease
      ledger:publish(5)
      nats.kill(servers.nodes[1])
      nats.revive(servers.nodes[1])
      ledger:publish(5)
      fleet:settle()
      forwarder:stop()
      sum = sum
        + forwarder:metric "mixpanel_forward_records_total"
        - forwarder:metric "mixpanel_forward_redelivered_total"
    end
    assert.equal(ledger.client:stats().delivered, sum)
    assert.equal(12 * 20, sum)
  end)

  it("the second goes on when the first was killed", function()
    local first, second = start_both { FORWARD_TTL = not STORM and TTL_S or nil }
    ledger:publish(15)
    server:wait(1)
    first:kill()
    second:until_said "forwards"
    ledger:publish(5)
    fleet:settle()
    assert.same({ 1, 2 }, turns())
    ledger:check()
  end)

  it("the one that stood still for long sends nothing more, and stands by", function()
    local first, second = start_both { FORWARD_TTL = TTL_S }
    server:rescript { times = 0, delay_ms = 400 }
    ledger:publish(40)
    server:wait(2)
    first:signal "STOP"
    second:until_said "forwards"
    nats.until_done("requests of the second", function()
      local requests = server:requests()
      return requests[#requests].headers.host == hosts[2]
    end)
    first:signal "CONT"
    first:until_said "given up"
    ledger:publish(5)
    fleet:settle()
    local list = {}
    for _, request in ipairs(server:requests()) do
      local which = request.headers.host == hosts[1] and 1 or 2
      list[#list + 1] = which ~= list[#list] and which or nil
    end
    assert.same({ 1, 2 }, list)
    second:stop()
    nats.until_done("the first again", function()
      return first:count_said "forwards" == 2, first:said()
    end)
    ledger:publish(5)
    fleet:settle()
    ledger:check()
  end)

  it("the second says once how the first treats the project, without secrets", function()
    local first = start(1)
    fleet:projects {
      {
        token = "projecttoken",
        api_host = server.tls_url,
        ca_file = server.ca_file,
        events_via = "import",
        service_account = { username = "person", secret = "hidden", project_id = 1 },
      },
    }
    local second = fleet:start { unready = true }
    second:until_said "another forwarder treats it differently"
    socket.sleep(3) -- it looks every second
    assert.equal(1, second:count_said "treats it differently")
    assert.truthy(second:said():find("on_ambiguous=report", 1, true))
    assert.truthy(second:said():find("service_account", 1, true))
    assert.is_nil(second:said():find("hidden", 1, true))
    assert.is_nil(second:said():find("person", 1, true))
    assert.is_true(first:alive())
  end)

  it("a message of a newer format is left to the one that knows it", function()
    local first = start(1)
    ledger:publish(3)
    local subject = mixpanel.bus_subject "projecttoken" .. ".people"
    fleet:put(
      subject,
      '[{"$token":"projecttoken","$distinct_id":"new","$add":{"added":1}}]',
      { ["Mp-Format"] = "2", ["Nats-Msg-Id"] = "newer" }
    )
    ledger:publish(3)
    first:until_said "which this version does not know"
    local second = start(2, { FORWARD_KNOWS = 1 })
    fleet:settle()
    local repeats, dead = ledger:check()
    assert.equal(0, repeats)
    assert.equal(0, dead)
    assert.equal(1, first:count_said "does not know: left to a newer one")
    nats.until_done("the update", function()
      for _, record in ipairs(server:records "/engage") do
        if record["$distinct_id"] == "new" then
          return true
        end
      end
    end)
    assert.is_true(second:alive())
  end)

  it("one that fails says where and ends, and its lease lapses", function()
    ledger:publish(2)
    fleet:projects { { token = "projecttoken", on_ambiguous = "report" } }
    local _, complaints, status = cli.run({
      "forward",
      "--bus",
      servers.urls[1],
      "--projects",
      fleet.projects_path,
    }, { LUA_INIT = "@spec/support/forward_faults.lua", FORWARD_RAISE = 1, FORWARD_TTL = 2 })
    assert.is_true(status ~= 0 and status ~= 124, complaints)
    assert.truthy(complaints:find("the spec's own error", 1, true), complaints)
    assert.truthy(complaints:find("stack traceback", 1, true), complaints)
    assert.truthy(
      complaints:find("reader.lua", 1, true) or complaints:find("forwarder.lua", 1, true)
    )
    start(1, { FORWARD_TTL = 2 })
    fleet:settle()
    ledger:check()
  end)

  it("the bus is away for longer than a lease lives, and nothing is sent twice", function()
    local first = start(1, { FORWARD_TTL = TTL_S })
    ledger:publish(3)
    fleet:settle()
    server:rescript { times = 0, status = 503 }
    local before = #server:requests()
    ledger:publish(6)
    server:wait(before + 4) -- events, sets and adds of it
    nats.kill(servers.nodes[1])
    first:until_said "given up: it could not be renewed in time"
    local requests = #server:requests()
    server:rescript { times = 0, delay_ms = DELAY_MS }
    socket.sleep(1)
    assert.equal(requests, #server:requests())
    nats.revive(servers.nodes[1])
    fleet:settle()
    ledger:publish(3)
    fleet:settle()
    local repeats = ledger:check()
    assert.equal(0, repeats)
    assert.equal(2, first:count_said "forwards")
  end)
end)
