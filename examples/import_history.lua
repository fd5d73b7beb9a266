-- Imports past events from a file of JSON lines, one event a line:
--
--     {"event":"Signup","properties":{"time":1700000000,"distinct_id":"u1"}}
--
--     MIXPANEL_TOKEN=... lua import_history.lua history.jsonl
--
-- Give every event an "$insert_id" if the file may be imported twice: Mixpanel
-- then keeps one of each. Ids must be strings: lua-cjson reads every number as
-- a double, which holds 15 digits. MIXPANEL_RESIDENCY is "eu" or "in" for
-- projects that live there.
--
-- Progress, and every event that was not imported, go to stderr; the exit
-- status is 0 if there was none.
local cjson = require "cjson.safe"
local mixpanel = require "mixpanel"

local STEP = 20000 -- lines between two reports of progress
local PATIENCE = 600 -- seconds without any delivery before it gives up

local function say(...)
  io.stderr:write(string.format(...), "\n")
end

local path, token = arg[1], os.getenv "MIXPANEL_TOKEN"
if not path or not token then
  say "usage: MIXPANEL_TOKEN=... lua import_history.lua FILE.jsonl"
  os.exit(2, true)
end
local file, why = io.open(path)
if not file then
  say("cannot read the file: %s", why)
  os.exit(2, true)
end

local mp = mixpanel.new(token, {
  api_host = os.getenv "MIXPANEL_SANDBOX_URL",
  residency = os.getenv "MIXPANEL_RESIDENCY",
  max_in_flight = 10, -- Mixpanel suggests 10 to 20 for bulk import
})
local accepted, fault = mp:check(10) -- before reading a million lines
if not accepted then
  say("cannot import: %s", fault)
  os.exit(1, true)
end

local lines, refused = 0, 0

local function refuse(reason)
  refused = refused + 1
  say("line %d: %s", lines, reason)
end

-- What Mixpanel did not take, in its own words.
local function tell_reports()
  for _, report in ipairs(mp:poll()) do
    for _, record in ipairs(report.records) do
      say(
        "%s: %s %s: %s",
        report.outcome,
        record.field or "",
        record.message or report.message or "",
        record.json
      )
    end
    if #report.records == 0 then
      say("%s: %d events: %s", report.outcome, report.count, report.message or "")
    end
  end
end

local function tell_progress()
  tell_reports()
  say("%d lines read, %d events delivered", lines, mp:stats().delivered)
end

-- Queues one event and waits for room when the queue is full.
local function import(event)
  local properties = event.properties
  local ok, message, code
  repeat
    ok, message, code = mp:import(event.event, properties.time, properties)
    if code == "queue_full" then
      mp:flush(1)
    end
  until code ~= "queue_full"
  if not ok then
    refuse(message)
  end
end

local function is_event(value)
  return type(value) == "table"
    and type(value.event) == "string"
    and type(value.properties) == "table"
    and type(value.properties.time) == "number"
end

for text in file:lines() do
  lines = lines + 1
  if text:find "%S" then
    local event, message = cjson.decode(text)
    if is_event(event) then
      import(event)
    else
      refuse(message or "expected an event with properties, and a time among them")
    end
  end
  if lines % STEP == 0 then
    tell_progress()
  end
end

-- Goes on for as long as anything arrives.
local function drain()
  local before, since = -1, os.time()
  while not mp:flush(5) do
    tell_progress()
    local stats = mp:stats()
    local ended = stats.delivered + stats.rejected
    if ended > before then
      before, since = ended, os.time()
    elseif os.time() - since >= PATIENCE then
      return say("gave up: %s", stats.last_error or "Mixpanel does not answer")
    end
  end
end

drain()
tell_reports()
local stats = mp:stats()
local left = stats.queued + stats.in_flight
say(
  "%d lines: %d events delivered, %d rejected by Mixpanel, %d refused here, %d left",
  lines,
  stats.delivered,
  stats.rejected,
  refused,
  left
)
os.exit(refused + stats.rejected + left == 0 and 0 or 1, true)
