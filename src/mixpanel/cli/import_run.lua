-- One file on its way to Mixpanel: read in slices, handed to the client, and
-- each slice done once all of its records have an outcome, in order. What was
-- refused is written down with its slice, so that the journal, the file of
-- rejected records and the counts always tell of the same records.
local Context = require "mixpanel.cli.context"
local Rejects = require "mixpanel.cli.import_rejects"
local exit = require "mixpanel.cli.exit"
local uv = require "luv"

local Run = {}
Run.__index = Run

local BLOCK = 256 * 1024
local LONGEST = 64 * 1024 * 1024 -- bytes of an item
local AHEAD = 64 -- slices that may be read before the first one is done
Run.QUEUE = 32 * 1024 * 1024

-- `task`: client, endpoint, source, items, csv, change, dates, journal, rejects,
-- durable, progress, interrupted (a function), patience, dry.
function Run.new(task)
  local journal = task.journal
  return setmetatable({
    task = task,
    pending = {},
    read = journal and journal.read or 0,
    delivered = journal and journal.delivered or 0,
    rejected = journal and journal.rejected or 0,
    before = journal and journal.delivered or 0,
    offset = journal and journal.done or 0,
    handed_before = journal and journal.resumed and journal.handed or 0,
    bytes = 0,
    begun = 0,
  }, Run)
end

-- ---- outcomes ----

local function slice_of(self, mark)
  for _, slice in ipairs(self.pending) do
    if mark <= slice.mark then
      return slice
    end
  end
  return self.pending[#self.pending]
end

-- Where in the file the record with this mark begins; nil: it is another's.
local function place_of(slice, mark)
  for i = #slice.parts, 1, -1 do
    local part = slice.parts[i]
    local at = 4 * (mark - part.mark)
    if at >= 0 then
      local a, b, c, d = part.places:byte(at + 1, at + 4)
      return d and part.offset + a + 256 * (b + 256 * (c + 256 * d))
    end
  end
end

local function take_report(self, report)
  if report.outcome ~= "rejected" and report.outcome ~= "dropped" then
    if report.message and report.outcome ~= "delivered" and not self.task.progress.quiet then
      self.task.progress:clear()
      io.stderr:write("mixpanel: ", report.outcome, ": ", report.message, "\n")
    end
    return
  end
  for _, record in ipairs(report.records) do
    local slice = slice_of(self, record.mark)
    slice.rejected = slice.rejected + 1
    local message = record.message or report.message or report.outcome
    local place = record.mark and place_of(slice, record.mark)
    slice.lines[#slice.lines + 1] =
      Rejects.line(place, record.field, message, record.json, record.json and "" or "not kept")
  end
  local slice = self.pending[1]
  slice.rejected = slice.rejected + report.count - #report.records
end

local function retire(self)
  local slice = table.remove(self.pending, 1)
  self.task.rejects:write(slice.lines)
  self.read = self.read + slice.taken + slice.refused
  self.rejected = self.rejected + slice.refused + slice.rejected
  self.delivered = self.delivered + slice.taken - slice.rejected
  if self.task.journal then
    self.task.journal:finish(
      slice.stop,
      self.read,
      self.delivered,
      self.rejected,
      self.task.rejects.bytes
    )
  end
end

-- Everything that has ended meanwhile. Reports come after `done` was asked, so
-- that none of a slice that is done is missing.
function Run:settle()
  uv.run "nowait"
  local finished = 0
  while self.pending[finished + 1] and self.task.client:done(self.pending[finished + 1].mark) do
    finished = finished + 1
  end
  for _, report in ipairs(self.task.client:poll()) do
    take_report(self, report)
  end
  for _ = 1, finished do
    retire(self)
  end
  return finished
end

-- Counts of now, those of slices that are not done included.
function Run:counts()
  local counts = { read = self.read, delivered = self.delivered, rejected = self.rejected }
  local taken, rejected = 0, 0
  for _, slice in ipairs(self.pending) do
    counts.read = counts.read + slice.taken + slice.refused
    counts.rejected = counts.rejected + slice.refused + slice.rejected
    taken, rejected = taken + slice.taken, rejected + slice.rejected
  end
  if taken > 0 then
    local stats = self.task.client:stats()
    local waiting = stats.queued + stats.in_flight + stats.spooled
    counts.delivered = counts.delivered + math.max(taken - rejected - waiting, 0)
  end
  counts.left = counts.read - counts.delivered - counts.rejected
  return counts
end

function Run:show(finally)
  local state = self:counts()
  local fraction = self.task.source:fraction()
  if fraction and state.read > 0 then -- of what was read, what has an outcome
    fraction = fraction * (state.delivered + state.rejected) / state.read
  end
  state.fraction = fraction
  state.bytes, state.before, state.begun = self.bytes, self.before, self.begun
  self.task.progress:show(state, finally)
end

-- ---- waiting ----

-- True: go on. Gives up when nothing has ended for too long.
local function wait(self, milliseconds)
  local now = uv.hrtime() / 1e9
  local ended = self:settle()
  local stats = self.task.client:stats()
  local sum = stats.delivered + stats.rejected
  if ended > 0 or sum ~= self.last_sum then
    self.last_sum, self.last_ended = sum, now
  end
  self:show()
  if now - (self.last_ended or now) > self.task.patience then
    self.gave_up = stats.last_error or "Mixpanel does not answer"
    return false
  end
  uv.sleep(milliseconds)
  return true
end

local function wait_for_room(self, bytes)
  while
    #self.pending >= AHEAD
    or (#self.pending > 0 and self.task.client:stats().queue_bytes + 2 * bytes > Run.QUEUE)
  do
    if self.task.interrupted() or not wait(self, 3) then
      return false
    end
  end
  return true
end

-- ---- slices ----

-- What became of a text that begins at an offset of the file.
local function note_result(slice, result, text, offset)
  for _, refusal in ipairs(result.refusals) do
    local what = text:sub(math.max(refusal.first, 1), refusal.last)
    local json = refusal.json
    if not json and what:find "^%s*{" and not refusal.message:find "^no JSON" then
      json = what
    end
    slice.lines[#slice.lines + 1] =
      Rejects.line(offset + refusal.first - 1, refusal.field, refusal.message, json, what)
  end
  slice.taken = slice.taken + result.taken
  slice.refused = slice.refused + result.refused
  slice.mark = result.mark
  if result.taken > 0 then
    slice.parts[#slice.parts + 1] =
      { mark = result.mark - result.taken + 1, places = result.places, offset = offset }
  end
end

-- Hands a text over; what is queued stays so when the queue is full.
local function ingest(self, slice, text, options, offset)
  options.skip = 0
  while true do
    local result, message, code, skip = self.task.client:ingest(self.task.endpoint, text, options)
    if result then
      note_result(slice, result, text, offset)
      return result.consumed
    elseif code ~= "queue_full" then
      Context.fail(exit.failed, "%s", message)
    end
    options.skip = skip
    if not wait(self, 3) then
      Context.fail(exit.left, "%s", self.gave_up)
    end
  end
end

local function options_at(self, offset, last)
  return {
    items = self.task.items,
    csv = self.task.csv,
    dates = self.task.dates,
    dry = self.task.dry,
    places = true,
    position = offset,
    doubt_end = self.handed_before,
    last = last,
  }
end

-- Each record by itself, through a function of Lua.
local function ingest_changed(self, slice, text, last)
  local options = options_at(self, self.offset, last)
  options.split = true
  local split = self.task.client:ingest(self.task.endpoint, text, options)
  for _, item in ipairs(split.refusals) do
    local offset = self.offset + item.first - 1
    local line = text:sub(item.first, item.last)
    local records, why
    if item.message then
      why = item.message
    else
      records, why = self.task.change(item.json or line)
    end
    if why then
      slice.refused = slice.refused + 1
      slice.lines[#slice.lines + 1] = Rejects.line(offset, nil, why, item.json, line)
    end
    for i, json in ipairs(records or {}) do
      options = options_at(self, offset + (i - 1) * 2 ^ 44, true)
      options.items = "lines"
      ingest(self, slice, json, options, offset)
    end
  end
  return split.consumed
end

local function hand_over(self, text, last)
  local stop = self.offset + #text
  if self.task.journal then
    self.task.journal:hand(stop, self.task.durable)
  end
  local slice =
    { taken = 0, refused = 0, rejected = 0, lines = {}, parts = {}, mark = self.mark or 0 }
  self.pending[#self.pending + 1] = slice
  local consumed
  if self.task.change then
    consumed = ingest_changed(self, slice, text, last)
  else
    consumed = ingest(self, slice, text, options_at(self, self.offset, last), self.offset)
  end
  self.mark = slice.mark
  self.offset = self.offset + consumed
  slice.stop = self.offset
  return consumed
end

-- ---- the file ----

-- Reads to the end; `text` is what was read already. False: it stopped before.
function Run:feed(text)
  local source = self.task.source
  self.begun = source:fraction() or 0
  while true do
    local wanted = math.max(BLOCK, #text) -- twice as much of an item without end
    local block = source:read(wanted)
    local last = #block < wanted
    text = text == "" and block or text .. block
    self.bytes = self.bytes + #block
    if self.task.interrupted() or not wait_for_room(self, #text) then
      return false
    end
    text = text:sub(hand_over(self, text, last) + 1)
    self:settle()
    self:show()
    if last then
      return true
    elseif #text > LONGEST then
      Context.fail(
        exit.input,
        "%s: a record of more than %d MB begins at byte %.0f",
        source.path,
        LONGEST / 1048576,
        self.offset
      )
    end
  end
end

-- Waits until all that was handed over has an outcome, or `seconds` are over.
function Run:drain(seconds)
  local deadline = uv.hrtime() / 1e9 + (seconds or math.huge)
  self.task.client:mark()
  while #self.pending > 0 do
    local now = uv.hrtime() / 1e9
    if now > deadline or not wait(self, #self.pending > 1 and 5 or 2) then
      break
    elseif not seconds and self.task.interrupted() then
      seconds, deadline = 30, now + 30
    end
  end
end

return Run
