-- The time during which a project is this process's: its client, one reader for
-- each lane, and the dead letters.
--
-- A client of its own, with a name of its own: what it has when the project goes
-- to another process is not delivered any more, since it is the other's to deliver.
local DeadLetters = require "mixpanel.forward.dead_letters"
local Reader = require "mixpanel.forward.reader"
local metrics = require "mixpanel.forward.metrics"
local mixpanel = require "mixpanel"
local streams = require "mixpanel.forward.streams"

local Tenure = {}
Tenure.__index = Tenure

local LANES = { "events", "import", "collected", "people", "groups" }
local MAX_QUEUE_BYTES = 64 * 1024 * 1024
local LINGER_S = 1 -- for records of small messages to join
local LOOK_S = 0.02
local BREAK_S = 2 -- for requests to be broken off, which takes no time as a rule
local IDLE_S = 60
local ERROR_LOOK_S = 1 -- between two looks at what keeps records from being delivered
local QUIET_S = 60 -- in which it is said once
local tenures = 0

-- `project`: token, options, subject, counts, note(text), see project.lua. `js`
-- asks as long as the project is this process's. `before`: the `memory` of the last
-- one, of whatever process.
function Tenure.new(project, js, tasks, before)
  tenures = tenures + 1
  local options =
    { name = ("forward-%d"):format(tenures), reports = "every", flush_interval = LINGER_S }
  for name, value in pairs(project.options) do
    options[name] = value
  end
  options.max_queue_bytes = options.max_queue_bytes or MAX_QUEUE_BYTES
  local self = setmetatable({
    project = project,
    counts = project.counts,
    js = js,
    tasks = tasks,
    subject = project.subject,
    room = options.max_queue_bytes / 2,
    client = mixpanel.new(project.token, options),
    readers = {},
    begun_key = {}, -- what waits for `on_begun`
    gaps = {}, -- the first of messages that are gone, by the last; streams by their time
    told = {}, -- errors, and what reports said
    forget_at = 0, -- when these may be told again
    ended = 0, -- of the client's records, and
    ended_at = tasks.clock(), -- when there was another, as far as it was looked for
    look_at = 0, -- when that is next
    over = false, -- nothing of it is done any more
    stopping = false, -- nothing more is asked for
  }, Tenure)
  self.client:permit(0)
  self.dead = DeadLetters.new(self)
  for i, lane in ipairs(LANES) do
    self.readers[i] = Reader.new(self, lane, before[lane])
  end
  return self
end

function Tenure:start()
  self.dead:start()
  for _, reader in ipairs(self.readers) do
    reader:start()
  end
end

-- What is known of each lane, for whoever has the project next.
function Tenure:memory()
  local memory = {}
  for _, reader in ipairs(self.readers) do
    memory[reader.lane] = reader:memory()
  end
  return memory
end

-- ---- for the readers ----

-- A lane has a new consumer, which the next one should know.
function Tenure:on_begun()
  self.tasks:answer(self.begun_key, "begun")
end

function Tenure:note(text)
  self.project:note(text)
end

function Tenure:reads()
  return not self.over and not self.stopping
end

function Tenure:has_room()
  return not self.over and self.client:stats().queue_bytes < self.room
end

-- Of a message of which the client has a part the rest comes first, so that the
-- marks of a message are in a row.
function Tenure:hand_over(message)
  if self.begun and self.begun ~= message then
    return false
  end
  local refused = 0
  local ok, why, code = message:hand_over(self.client, function(json, reason, field, place)
    refused = refused + 1
    self.dead:add(message, json, reason, field, place)
  end, function(reason)
    self.counts.quarantined = self.counts.quarantined + 1
    self:note(("message %.0f is no batch: %s"):format(message.seq, reason))
    self.dead:add(message, message.body, reason, nil, 0, true)
  end)
  self.begun = not ok and message.queued and message or nil
  if not ok then
    if code ~= "queue_full" then
      self:note(why)
    end
    return false
  end
  local counts = self.counts
  counts.messages = counts.messages + 1
  counts.records = counts.records + message.taken + refused
  counts.refused = counts.refused + refused
  if message.in_doubt then
    counts.redelivered = counts.redelivered + message.taken + refused
  end
  return true
end

-- A newer version may take the project then.
function Tenure:on_newer(message)
  self:note(
    ("message %.0f is of format %s, which this version does not know: left to a newer one"):format(
      message.seq,
      message.format
    )
  )
  self.counts.newer = self.counts.newer + 1
  self.aside = true
  self:stop()
end

-- Messages of the stream, of all projects and lanes, that nobody can read any more. Each
-- reader that may have missed some of its own tells it.
function Tenure:on_gap(first, last)
  local told = self.gaps[last]
  self.counts.gaps = self.counts.gaps + (told and 0 or 1)
  if not told or first < told then
    self.gaps[last] = first
    self:note(
      (
        "messages %.0f to %.0f left the stream before they were forwarded (its max_age or"
        .. " max_bytes, or a purge); how many of them were this project's is not known"
      ):format(first, last)
    )
  end
end

-- Each reader tells it. What was unread of the one before cannot be counted any more.
function Tenure:on_new_stream(created)
  if not self.gaps[created] then
    self.gaps[created] = true
    self.counts.gaps = self.counts.gaps + 1
    self:note(
      (
        "stream %s was made anew: it is forwarded from its first message on, and what"
        .. " nobody had read of the one before is gone"
      ):format(streams.RECORDS)
    )
  end
end

function Tenure:on_settled()
  self.counts.settled = self.counts.settled + 1
end

-- ---- what became of records ----

local function find(self, mark)
  local last = self.last_found
  if last and last.first_mark <= mark and mark <= last.mark then
    return last
  end
  for _, reader in ipairs(self.readers) do
    self.last_found = reader:find(mark)
    if self.last_found then
      return self.last_found
    end
  end
end

-- True: it was in the last while; it counts as told from now on. libcurl's texts of the
-- same error differ in milliseconds and ports.
local function is_told(self, text)
  local now, kind = self.tasks.clock(), text:gsub("%d+", "0")
  if now >= self.forget_at then
    self.told, self.forget_at = {}, now + QUIET_S
  end
  local told = self.told[kind]
  self.told[kind] = true
  return told
end

local function take_report(self, report)
  if report.outcome ~= "rejected" and report.outcome ~= "dropped" then
    if report.message and report.outcome ~= "delivered" then
      is_told(self, report.message)
      self:note(("%s: %s"):format(report.outcome, report.message))
    end
    return
  end
  local untold = report.count
  for _, record in ipairs(report.records) do
    local message = find(self, record.mark)
    local reason = record.message or report.message or report.outcome
    if message then
      local place = message:place_of(record.mark)
      self.dead:add(message, record.json or "", reason, record.field, place)
      untold = untold - 1
    end
  end
  if untold > 0 then
    self.counts.untold = self.counts.untold + untold
    self:note(("%d records ended as %s and are kept nowhere"):format(untold, report.outcome))
  end
end

-- How many records have an outcome.
local function count_ended(stats)
  local count = stats.delivered + stats.rejected
  for _, dropped in pairs(stats.dropped) do
    count = count + dropped
  end
  return count
end

-- No report tells that Mixpanel cannot be reached: records wait then, and that is all.
-- An error is over once a record has an outcome after it. `stats` are older than the
-- reports that were taken, so that what both tell is said once.
local function tell_error(self, stats)
  local now = self.tasks.clock()
  local ended = count_ended(stats)
  if ended ~= self.ended then
    self.ended, self.ended_at = ended, now
  elseif
    stats.last_error
    and stats.queued + stats.in_flight > 0
    and now - stats.last_error_age > self.ended_at
    and not is_told(self, stats.last_error)
  then
    self:note("nothing is delivered: " .. stats.last_error)
  end
end

-- The client's counters, where it is time to look for an error.
local function stats_if_due(self)
  local now = self.tasks.clock()
  if now >= self.look_at then
    self.look_at = now + ERROR_LOOK_S
    return self.client:stats()
  end
end

-- Looks what has ended. Reports come after `done` was asked, so that none of a
-- message that is done is missing.
function Tenure:look()
  for _, reader in ipairs(self.readers) do
    reader:take()
    reader:look()
  end
  local stats = stats_if_due(self)
  for _, report in ipairs(self.client:poll()) do
    take_report(self, report)
  end
  if stats then
    tell_error(self, stats)
  end
  for _, reader in ipairs(self.readers) do
    reader:settle()
  end
end

-- ---- its end ----

function Tenure:is_empty()
  for _, reader in ipairs(self.readers) do
    if not reader:is_empty() then
      return false
    end
  end
  return true
end

-- Nothing more is read.
function Tenure:stop()
  self.stopping = true
  self.tasks:answer(self, "stop")
end

-- It is not this process's any more.
function Tenure:give_up()
  self.over = true
  self.tasks:answer(self, "over")
end

-- In a task: waits until it is stopped or given up.
function Tenure:await_end()
  while not self.over and not self.stopping do
    self.tasks:await(self, IDLE_S)
  end
end

local function wait_while(self, seconds, condition)
  local deadline = self.tasks.clock() + seconds
  while condition() and self.tasks.clock() < deadline do
    self.tasks:sleep(LOOK_S)
  end
end

-- In a task: waits until what the client got has an outcome, and leaves word of it for
-- whoever comes next.
function Tenure:drain(seconds)
  wait_while(self, seconds, function()
    self.client:flush(0)
    return not self:is_empty() and not self.over
  end)
  for _, reader in ipairs(not self.over and self:is_empty() and self.readers or {}) do
    local ok, why = reader:leave()
    if not ok then -- nor would the others
      return self:note(("whoever comes next is not told how far it came: %s"):format(why))
    end
  end
end

-- In a task. Nothing is sent, stored or acknowledged any more. What the client still
-- has is let go of, and the client with it: its messages are read again, by whoever
-- comes next.
function Tenure:finish()
  self:give_up()
  self.tasks:answer(self.dead)
  for _, reader in ipairs(self.readers) do
    reader:stop()
  end
  self.client:permit(0)
  wait_while(self, BREAK_S, function()
    return self.client:stats().in_flight > 0
  end)
  local stats = self.client:stats()
  metrics.add_ended(self.project.ended, stats)
  local let_go = stats.queued + stats.in_flight
  self.counts.let_go = self.counts.let_go + let_go
  if let_go > 0 then
    local text = "%.0f records have no outcome, and stay in the stream for who has the project next"
    self:note(text:format(let_go))
  end
  self.client:set_config { max_age = 0.001 }
  self.client:close(0)
  self.client = nil -- a task that waits for an answer may have `self` for a while
end

return Tenure
