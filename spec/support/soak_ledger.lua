-- What became of each record of the soak, by its key, a text in it such as
--
--     k=h1-1000023-e=      who tracked it, its number, and of which kind it is
--
-- whose kinds are those of spec/forward/soak_host.lua, and two of messages that the spec
-- puts itself: `z` is no batch, `y` is a record without a place in Mixpanel. What is
-- poisonous says so behind the kind.
local assert = require "luassert"
local nats = require "spec.support.nats"
local process = require "spec.support.process"

local KEY = "k=%w+%-%d+%-%l+="
local DEAD = { f = true, y = true, z = true } -- kinds that Mixpanel never takes
local ENDPOINTS = { "/track", "/import", "/engage", "/groups" }
local TOGETHER = 500 -- messages that are looked at together

local Ledger = {}
Ledger.__index = Ledger

function Ledger.new()
  return setmetatable({ tried = {}, accepted = {}, count = 0 }, Ledger)
end

function Ledger:try(key)
  self.tried[key] = true
end

function Ledger:accept(key)
  self.tried[key], self.accepted[key] = true, true
  self.count = self.count + 1
end

function Ledger:take_book(host)
  host:read_book(function(mark, key)
    if mark == "a" then
      self:accept(key)
    else
      self:try(key)
    end
  end)
end

local function kind_of(key)
  return key:match "%-(%l)%l*=$"
end

local function is_dead(key)
  return DEAD[kind_of(key)] or key:find "poison=$" ~= nil
end

local function number_of(key)
  return tonumber(key:match "%-(%d+)%-")
end

local function profile_of(text)
  return text:match '"%$distinct_id":"([^"]*)"' or text:match '"%$group_id":"([^"]*)"'
end

-- ---- what is where ----

-- Calls `visit(key, text, message)` for the records of these messages, in their order.
local function visit_records(messages, visit)
  local bodies, batches = {}, {}
  for _, message in ipairs(messages) do
    if message.headers["Mp-Format"] then
      bodies[#bodies + 1], batches[#bodies + 1] = message.body, message
    else
      visit(message.body:match(KEY), message.body, message)
    end
  end
  local lines = nats.text(bodies):gsub("%]%[", "\n[")
  local at = 0
  for text in lines:gmatch "[^\n]+" do
    at = at + (text:find "^%[" and 1 or 0)
    visit(text:match(KEY), text, batches[at])
  end
end

local function count(times, key)
  assert(key, "a record that nobody has tracked")
  times[key] = (times[key] or 0) + 1
end

-- Reads what the bus holds: how often each key, how many records each has tracked, and
-- the keys of a profile in their order.
function Ledger:read_stream(servers)
  self.stored, self.of, self.orders, self.names, self.messages = {}, {}, {}, {}, 0
  local together = {}
  local function look()
    visit_records(together, function(key, text, message)
      count(self.stored, key)
      self.names[key] = self.names[key] or {}
      table.insert(self.names[key], message.headers["Nats-Msg-Id"])
      local profile, name = profile_of(text), key:match "^k=(%w+)"
      if kind_of(key) ~= "z" then
        self.of[name] = (self.of[name] or 0) + 1
      end
      if profile then
        self.orders[profile] = self.orders[profile] or {}
        table.insert(self.orders[profile], key)
      end
    end)
    together = {}
  end
  servers:each_message(nil, function(message)
    self.messages = self.messages + 1
    together[#together + 1] = message
    if #together == TOGETHER then
      look()
    end
  end)
  look()
end

function Ledger:read_dead(fleet)
  self.letters, self.dead = {}, 0
  for _, letter in ipairs(fleet:dead()) do
    count(self.letters, letter.body:match(KEY))
    self.dead = self.dead + 1
  end
end

function Ledger:read_sandbox(sandbox)
  self.arrived, self.ids, self.came, self.repeats = {}, {}, {}, 0
  for _, endpoint in ipairs(ENDPOINTS) do
    for _, text in ipairs(sandbox:accepted_lines(endpoint)) do
      local key, id, profile =
        text:match(KEY), text:match '"%$insert_id":"([^"]*)"', profile_of(text)
      count(self.arrived, key)
      self.repeats = self.repeats + (self.arrived[key] > 1 and 1 or 0)
      assert.equal(self.ids[key] or id, id)
      self.ids[key] = id
      if profile then
        self.came[profile] = self.came[profile] or {}
        table.insert(self.came[profile], key)
      end
    end
  end
end

-- ---- whether it is as it must be ----

local function is_true(condition, text, ...)
  if not condition then
    error(text:format(...), 0)
  end
end

-- A message of a name is stored once. What a host sent in part comes whole after its
-- death, under another name.
local function check_names(key, names)
  local seen, parts = {}, 0
  for _, name in ipairs(names) do
    is_true(not seen[name], "%s is on the bus twice in %s", key, name)
    seen[name] = true
    parts = parts + (name:find(".", 1, true) and 1 or 0)
  end
  is_true(#names <= parts + 1, "%s is on the bus in %s", key, table.concat(names, " and "))
  return #names - 1
end

-- Each accepted record is on the bus, and no other.
local function check_stored(self)
  for key in pairs(self.accepted) do
    is_true(self.stored[key], "%s is not on the bus", key)
  end
  self.stored_again = 0
  for key, names in pairs(self.names) do
    is_true(self.tried[key], "nobody tracked %s", key)
    self.stored_again = self.stored_again + check_names(key, names)
  end
end

-- How many servers have this text in what they keep of a stream, which is compressed
-- only if who stored it did so.
local function holders(servers, stream, text)
  local sum = 0
  for _, node in ipairs(servers.nodes) do
    local found = process.read(
      ("grep -rlaF -- '%s' %s.store/jetstream/*/streams/%s/msgs 2>/dev/null | wc -l"):format(
        text,
        node.path,
        stream
      )
    )
    sum = sum + (tonumber(found) > 0 and 1 or 0)
  end
  return sum
end

-- A server of NATS 2.9 that becomes the leader may lack a message which the two others
-- hold (see docs/nats.md), and then nobody finds it.
local function find_lacking(self, servers)
  self.lacking = 0
  for key, times in pairs(self.stored) do
    local expected = is_dead(key) and times
      or kind_of(key) == "a" and times - (self.arrived[key] or 0)
      or 0
    local lacking = expected - (self.letters[key] or 0)
    if lacking > 0 and holders(servers, "MIXPANEL_DEAD", key) >= #servers.nodes - 1 then
      self.letters[key] = expected
      self.lacking = self.lacking + lacking
    end
  end
end

-- Where the messages of a record are, which the forwarders may not have seen.
local function whereabouts(self, servers, key)
  local parts = {}
  for i, name in ipairs(self.names[key]) do
    local held = holders(servers, "MIXPANEL", name)
    parts[i] = ("message %s, which %d of %d servers have"):format(name, held, #servers.nodes)
  end
  return table.concat(parts, "; ")
end

local function is_right(key, times, came, letters)
  if is_dead(key) then
    return came == 0 and letters == times
  elseif kind_of(key) == "a" then
    return came <= times and letters <= times and came + letters >= times
  end
  return came >= 1 and letters == 0
end

-- Each record on the bus has arrived or is a dead letter, none is both but for an `$add`
-- of which nobody knows; and no other is anywhere.
local function check_fates(self, servers)
  for key, times in pairs(self.stored) do
    local came, letters = self.arrived[key] or 0, self.letters[key] or 0
    if not is_right(key, times, came, letters) then
      local text = "%s arrived %d times, and is %d dead letters: %s"
      error(text:format(key, came, letters, whereabouts(self, servers, key)), 0)
    end
  end
  for _, times in ipairs { self.arrived, self.letters } do
    for key in pairs(times) do
      is_true(self.stored[key], "%s is not on the bus", key)
    end
  end
end

-- The updates of each profile are in the order of the calls, those of `keys` that are not
-- left out; what may be there already comes again, from its beginning.
local function check_order(self, orders, left_out)
  for profile, keys in pairs(self.orders) do
    local sorted, place, before = {}, {}, 0
    for _, key in ipairs(keys) do
      if not place[key] and not left_out[key] then
        place[key] = true
        sorted[#sorted + 1] = key
      end
    end
    table.sort(sorted, function(a, b)
      return number_of(a) < number_of(b)
    end)
    for at, key in ipairs(sorted) do
      place[key] = at
    end
    for _, key in ipairs(orders[profile] or {}) do
      local at = place[key]
      is_true(not at or at <= before + 1, "%s: %s came too early", profile, key)
      before = at or before
    end
    is_true(before == #sorted, "%s ends with number %d of %d", profile, before, #sorted)
  end
end

function Ledger:check(servers)
  check_stored(self)
  find_lacking(self, servers)
  check_fates(self, servers)
  check_order(self, self.orders, {})
  check_order(self, self.came, self.letters)
end

-- How many records on the bus are of these.
function Ledger:stored_of(names)
  local sum = 0
  for _, name in ipairs(names) do
    sum = sum + (self.of[name] or 0)
  end
  return sum
end

return Ledger
