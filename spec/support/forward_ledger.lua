-- What a host puts on the bus, and whether it arrived as forwarders promise, however
-- many of them took part and however they ended:
--
-- each event, and whatever comes twice with the same $insert_id; the updates of a
-- profile in their order, where some may be repeated and none is left out; each `$add`
-- at most once, and one that did not arrive among the dead letters.
local assert = require "luassert"
local cjson = require "cjson"
local nats = require "spec.support.nats"

local Ledger = {}
Ledger.__index = Ledger

local EVENTS = 10 -- of a message
local PROFILES = 3

-- `token` of a project with on_ambiguous = "report".
function Ledger.new(fleet, token)
  local self = { fleet = fleet, events = 0, rounds = 0 }
  self.client = fleet.servers:client({ name = tostring(self) }, token)
  return setmetatable(self, Ledger)
end

-- The records of a round, all of which the host sends together.
local function round(self)
  local n = self.rounds + 1
  self.rounds = n
  local id = "u" .. n % PROFILES
  for _ = 1, EVENTS do
    self.events = self.events + 1
    assert(self.client:track("E", { distinct_id = id, n = self.events }))
  end
  assert(self.client.people:set(id, { step = math.ceil(n / PROFILES) }))
  assert(self.client.people:increment(id, { ["add" .. n] = 1 }))
end

-- So many messages of events, and of updates.
function Ledger:publish(messages)
  for _ = 1, messages do
    round(self)
    assert(self.client:flush(nats.patience))
  end
end

-- As they come, in messages of any size.
function Ledger:track()
  round(self)
end

function Ledger:close()
  nats.drain(self.client)
  self.client:close(0)
end

-- ---- what arrived ----

local function check_events(self)
  local seen, repeats, count = {}, 0, 0
  for _, record in ipairs(self.fleet.sandbox:records "/track") do
    local n, id = record.properties.n, record.properties["$insert_id"]
    assert.equal(seen[n] or id, id)
    repeats = repeats + (seen[n] and 1 or 0)
    count = count + (seen[n] and 0 or 1)
    seen[n] = id
  end
  assert.equal(self.events, count)
  return repeats
end

local function check_order(updates)
  local last = {}
  for _, update in ipairs(updates) do
    local step, id = update["$set"] and update["$set"].step, update["$distinct_id"]
    if step then
      assert.is_true(step <= (last[id] or 0) + 1, ("%s: %d after %s"):format(id, step, last[id]))
      last[id] = math.max(last[id] or 0, step)
    end
  end
end

-- How often each `$add` is among these.
local function adds_of(updates, times)
  for _, update in ipairs(updates) do
    for name in pairs(update["$add"] or {}) do
      times[name] = (times[name] or 0) + 1
    end
  end
  return times
end

local function dead_adds(self)
  local times = {}
  for _, letter in ipairs(self.fleet:dead()) do
    local ok, records = pcall(cjson.decode, letter.body)
    adds_of(ok and records or {}, times)
  end
  return times
end

-- How many did not arrive, and are dead letters.
local function check_adds(self, updates)
  local applied, dead, count = adds_of(updates, {}), dead_adds(self), 0
  for n = 1, self.rounds do
    local name = "add" .. n
    local times, letters = applied[name] or 0, dead[name] or 0
    assert.is_true(times <= 1, name .. " was applied twice")
    assert.is_true(letters <= 1, name .. " has two dead letters")
    assert.is_true(times + letters >= 1, name .. " is lost")
    count = count + letters
  end
  return count
end

-- Returns how many events came once more, and how many `$add` are dead letters.
function Ledger:check()
  local repeats = check_events(self)
  local updates = self.fleet.sandbox:records "/engage"
  check_order(updates)
  return repeats, check_adds(self, updates)
end

return Ledger
