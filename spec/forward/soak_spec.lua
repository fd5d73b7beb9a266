-- The whole fleet for a while, with all at random that may befall it: hosts, forwarders
-- and servers of NATS that die, a Mixpanel that misbehaves, records that nobody takes.
-- In the end each accepted record has arrived or is a dead letter, what the forwarders
-- counted is what was there, and who lived all the time has not grown.
--
-- FORWARD_SOAK=seconds has it last longer, with three servers, of which one at a time
-- dies; FORWARD_SEED repeats one, but for what processes do in between.
local Flat = require "spec.support.flat"
local Ledger = require "spec.support.soak_ledger"
local Soak = require "spec.support.soak_fleet"
local balance = require "spec.support.forward_balance"
local fleet_storm = require "spec.support.fleet_storm"
local misbehave = require "spec.support.misbehave"
local nats = require "spec.support.nats"
local socket = require "socket"

local LONG = tonumber(os.getenv "FORWARD_SOAK")
local SECONDS = LONG or 10
local SERVERS = LONG and 3 or 1
local SEED = tonumber(os.getenv "FORWARD_SEED") or math.floor(socket.gettime() * 1000) % 2147483647
local PAUSE_S = 1.2 -- between two faults, at the most
local LOOK_S = 0.05

-- How often each befalls the fleet before any does so again.
local BAG = {
  ["hosts killed"] = 4,
  ["hosts told to end"] = 2,
  ["forwarders killed"] = 1,
  ["forwarders told to end"] = 1,
  ["forwarders stopped"] = 1,
  ["servers killed"] = LONG and 1 or 0,
  ["messages that are no batch"] = 2,
  ["records without a place"] = 1,
  ["times that Mixpanel was away"] = 1,
}

local function shuffled_bag()
  local names, list = {}, {}
  for name in pairs(BAG) do
    names[#names + 1] = name
  end
  table.sort(names) -- so that a seed repeats it
  for _, name in ipairs(names) do
    for _ = 1, BAG[name] do
      table.insert(list, math.random(#list + 1), name)
    end
  end
  return list
end

local function comment(...)
  print(("# soak: " .. ...):format(select(2, ...)))
end

describe("a fleet", function()
  local soak, ledger, flat, cpath

  before_each(function()
    cpath = package.cpath
    package.cpath = cpath .. ";" .. nats.drivers
    math.randomseed(SEED)
    ledger = Ledger.new()
    soak = Soak.new(ledger, SEED, SECONDS + 2 * nats.patience)
  end)

  after_each(function()
    soak:remove()
    package.cpath = cpath
  end)

  -- What goes on whatever happens.
  local function step()
    soak:step()
    soak:post()
    flat:look()
    balance(soak.calm_forwarder)
    socket.sleep(LOOK_S)
  end

  -- The first of the bag that can be now.
  local function befall(bag)
    for i, what in ipairs(bag) do
      if soak:befall(what) then
        table.remove(bag, i)
        return
      end
    end
  end

  -- For a time, and until all that is in a bag has happened.
  local function storm()
    local ends = socket.gettime() + SECONDS
    local bag, due = shuffled_bag(), 0
    while true do
      if socket.gettime() >= due then
        befall(bag)
        due = socket.gettime() + math.random() * PAUSE_S
      end
      if #bag == 0 and socket.gettime() > ends then
        return
      end
      bag = #bag > 0 and bag or shuffled_bag()
      step()
    end
  end

  local function calm_down()
    nats.until_done("quiet", function()
      step()
      return soak:is_quiet()
    end)
  end

  local function check_hosts()
    assert.equal(soak.calm_host:delivered(), ledger.of.c1)
    for _, host in ipairs(soak.storm_hosts) do
      assert.is_true(host:delivered() <= ledger.of[host.name], host.name)
    end
  end

  -- Those of the project whose forwarder was never killed took what the bus had, and
  -- some of it once more.
  local function check_forwarders()
    local calm
    for _, forwarder in ipairs(soak.ended) do
      local counts = balance(forwarder)
      calm = forwarder == soak.calm_forwarder and counts or calm
    end
    local stored = ledger:stored_of { "c1", "r", "xc" }
    assert.is_true(stored <= calm.records)
    assert.is_true(stored >= calm.records - calm.redelivered)
    if calm.tenures == 1 then
      assert.equal(stored, calm.records)
      assert.equal(0, calm.redelivered)
    end
    return calm
  end

  local function tell()
    local requests = #soak.sandbox:requests()
    comment("seed %d, %d s, %d servers of NATS", SEED, SECONDS, SERVERS)
    comment("%d records accepted, %d messages on the bus", ledger.count, ledger.messages)
    comment(
      "%d requests, %d records once more, %d dead letters",
      requests,
      ledger.repeats,
      ledger.dead
    )
    local names = {}
    for name in pairs(soak.counts) do
      names[#names + 1] = name
    end
    table.sort(names)
    for _, name in ipairs(names) do
      comment("%d %s", soak.counts[name], name)
    end
  end

  local function verify()
    ledger:read_stream(soak.servers)
    ledger:read_dead(soak.fleet)
    ledger:read_sandbox(soak.sandbox)
    for _, host in ipairs(soak.hosts) do
      ledger:take_book(host)
    end
    tell()
    ledger:check(soak.servers)
    comment("%d records twice on the bus, of hosts killed between two parts", ledger.stored_again)
    comment("%d dead letters that the leader of their stream lacks", ledger.lacking)
    check_hosts()
    check_forwarders()
  end

  local function whole()
    soak:start(SERVERS)
    misbehave.begin(soak.sandbox, SEED)
    flat = Flat.new(soak:long_lived())
    storm()
    calm_down()
    local lines, grown = flat:judge()
    for _, line in ipairs(lines) do
      comment("%s", line)
    end
    soak:drain_hosts()
    soak:drain_forwarders()
    verify()
    assert.is_nil(grown)
  end

  it("loses nothing, and counts right, whatever befalls it", function()
    local ok, why = pcall(whole)
    if not ok then
      local said = soak.fleet and fleet_storm.tellings(soak.fleet) or ""
      error(("seed %d: %s\n%s"):format(SEED, tostring(why), said), 0)
    end
  end)
end)
