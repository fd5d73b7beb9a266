-- A long life under random faults, with records among the others that the API
-- refuses: exactly those are rejected, nothing is lost, the order of profile
-- updates is kept, every snapshot balances, and finding the refused costs no
-- more requests than promised.
--
-- SOAK_SECONDS lengthens it, SOAK_SEED repeats one; what threads and sockets
-- do in between is not repeated.
local assert_balance = require "spec.support.balance"
local misbehave = require "spec.support.misbehave"
local project = require "spec.support.project"
local sandbox = require "spec.support.sandbox"
local socket = require "socket"

local SECONDS = tonumber(os.getenv "SOAK_SECONDS") or 60
local SEED = tonumber(os.getenv "SOAK_SEED") or math.floor(socket.gettime() * 1000) % 2147483647
local BOUND = 64 -- requests that are refused for one batch, at the most
local TICKS = 120 -- in a round

-- What was accepted by a client and what is to become of it, by record id.
local Book = {}
Book.__index = Book

local function open_book()
  return setmetatable(
    { count = 0, good = {}, bad = {}, bads = 0, rejected = {}, updates = {} },
    Book
  )
end

-- The next record's id; one in 300 is poisonous.
function Book:mint()
  self.count = self.count + 1
  local bad = math.random(300) == 1
  local id = (bad and "poison-%d" or "good-%d"):format(self.count)
  self[bad and "bad" or "good"][id] = true
  self.bads = self.bads + (bad and 1 or 0)
  return id, bad
end

-- The profile that the last record is an update of.
function Book:update(bad)
  local subject = "u" .. math.random(50)
  self.updates[subject] = self.updates[subject] or {}
  if not bad then
    table.insert(self.updates[subject], self.count)
  end
  return subject
end

local kinds = {
  function(mp, book)
    local id = book:mint()
    return mp:track("A", { distinct_id = "u", ["$insert_id"] = id })
  end,
  function(mp, book)
    local id = book:mint()
    return mp:import("A", os.time() - 60, { distinct_id = "u", ["$insert_id"] = id })
  end,
  function(mp, book) -- named by /import: its time is in the future
    local id = book:mint()
    local named = id:gsub("poison", "future")
    book.bad[id], book.bad[named] = nil, id ~= named or nil
    local time = os.time() + (id ~= named and 86400 or -60)
    return mp:import("A", time, { distinct_id = "u", ["$insert_id"] = named })
  end,
  function(mp, book)
    local id, bad = book:mint()
    return mp.people:set(book:update(bad), { n = book.count, id = id })
  end,
  function(mp, book) -- never poisonous: a refused batch of $append ends whole
    book.count = book.count + 1
    local id = "good-" .. book.count
    book.good[id] = true
    return mp.people:append(book:update(false), { list = id, n = book.count })
  end,
  function(mp, book)
    local id = book:mint()
    return mp.groups:set("company", "g" .. math.random(50), { id = id })
  end,
}

local function take_reports(mp, book)
  for _, report in ipairs(mp:poll()) do
    assert.is_false(report.outcome == "dropped")
    if report.outcome == "rejected" then
      for _, record in ipairs(report.records) do
        local id = record.json:match '"(poison%-%d+)"' or record.json:match '"(future%-%d+)"'
        assert.is_truthy(id, record.json)
        book.rejected[id] = true
      end
    end
  end
end

local function produce(mp, book)
  for _ = 1, TICKS do
    for _ = 1, math.random(0, 200) do
      assert(kinds[math.random(#kinds)](mp, book))
    end
    assert_balance(mp:stats())
    local dice = math.random(20)
    if dice == 1 then
      mp:flush(0)
    elseif dice == 2 then
      mp:set_config { max_batch_size = math.random(200, 2000), gzip = math.random(1, 6) }
    elseif dice == 3 then
      mp:flush(0.05)
    end
    take_reports(mp, book)
    socket.sleep(0.01)
  end
end

-- Sends all; takes the reports meanwhile, before they are merged.
local function drain(mp, book)
  for _ = 1, 600 do
    local done = mp:flush(0.2)
    take_reports(mp, book)
    if done then
      return
    end
  end
  error("records wait for ever: " .. mp:stats().last_error)
end

-- The updates of one profile came in the order they were made in. A batch that
-- may have been applied comes again, from its beginning.
local function assert_order(made, arrived)
  local place, before = {}, 0
  for i, n in ipairs(made) do
    place[n] = i
  end
  for _, n in ipairs(arrived) do
    assert.is_true(place[n] <= before + 1, n .. " came too early")
    before = place[n]
  end
  assert.equal(#made, before)
end

-- What arrived, by id; checks the order of updates on the way.
local function collect(server, book)
  local arrived, updates = {}, {}
  for _, endpoint in ipairs { "/track", "/import", "/groups" } do
    for _, record in ipairs(server:records(endpoint)) do
      arrived[(record.properties and record.properties["$insert_id"]) or record["$set"].id] = true
    end
  end
  for _, record in ipairs(server:records "/engage") do
    local set, subject = record["$set"], record["$distinct_id"]
    arrived[set and set.id or record["$append"].list] = true
    updates[subject] = updates[subject] or {}
    table.insert(updates[subject], set and set.n or record["$append"].n)
  end
  for subject, made in pairs(book.updates) do
    assert_order(made, updates[subject] or {})
  end
  return arrived
end

-- The most requests with one poisonous record that were refused.
local function most_refusals(server)
  local count, most = {}, 0
  for _, request in ipairs(server:requests()) do
    local refused = request.status == 400 or request.reply == "0"
    refused = refused or tostring(request.reply):find('"error":"poison"', 1, true)
    if refused and request.body then
      for id in request.body:gmatch '"(poison%-%d+)"' do
        count[id] = (count[id] or 0) + 1
        most = math.max(most, count[id])
      end
    end
  end
  return most
end

local function verify(server, mp, book, before)
  local stats = assert_balance(mp:stats())
  assert.equal(0, stats.queued + stats.in_flight)
  assert.equal(book.bads, stats.rejected - before.rejected)
  assert.equal(book.count - book.bads, stats.delivered - before.delivered)
  assert.same(book.bad, book.rejected)
  local arrived = collect(server, book)
  for id in pairs(book.good) do
    assert.is_true(arrived[id], id .. " was lost")
  end
  for id in pairs(book.bad) do
    assert.is_nil(arrived[id], id .. " was accepted")
  end
  local most = most_refusals(server)
  assert.is_true(most <= BOUND, ("%d refusals of one batch"):format(most))
  return most
end

describe("a long life under faults", function()
  it("loses nothing and rejects only what the API refuses", function()
    local server = sandbox.start()
    local mp = project(server.url, {
      max_retry_delay = 0.2,
      request_timeout = 1,
      flush_interval = 0.2,
    })
    math.randomseed(SEED)
    local start, round, most = socket.gettime(), 0, 0
    repeat
      round = round + 1
      server:reset()
      misbehave.begin(server, SEED + round)
      local book, before = open_book(), mp:stats()
      produce(mp, book)
      drain(mp, book)
      most = math.max(most, verify(server, mp, book, before))
    until socket.gettime() - start >= SECONDS
    local stats = mp:stats()
    print(
      ("# soak: seed %d, %d rounds, %d records, %d rejected, %d retried, %d ambiguous, "):format(
        SEED,
        round,
        stats.accepted,
        stats.rejected,
        stats.retried,
        stats.ambiguous
      ) .. ("%d refusals of one record at most"):format(most)
    )
    assert.is_true(stats.rejected > 0 and stats.retried > 0)
    mp:close()
    server:stop()
  end)
end)
