-- Imports past events from a file of JSON lines, one event a line:
--
--     {"event":"Signup","properties":{"time":1700000000,"distinct_id":"u1"}}
--
--     lua import_history.lua history.jsonl
--
-- Give every event an "$insert_id" if the file may be imported twice: Mixpanel
-- then keeps one of each. Progress and refused lines go to stderr.
local cjson = require "cjson.safe"
local mixpanel = require "mixpanel"

local path = arg[1]
local token = os.getenv "MIXPANEL_TOKEN"
if not path or not token then
  io.stderr:write "usage: MIXPANEL_TOKEN=... lua import_history.lua FILE.jsonl\n"
  os.exit(2)
end

local mp = mixpanel.new(token, {
  api_host = os.getenv "MIXPANEL_SANDBOX_URL",
  max_in_flight = 10, -- Mixpanel suggests 10 to 20 for bulk import
})

local BATCH = 2000
local refused = 0

local function refuse(line, why)
  refused = refused + 1
  io.stderr:write(("line %d: %s\n"):format(line, why))
end

-- Queues one event and waits for room when the queue is full.
local function import(line, event)
  local properties = event.properties
  local ok, why, code = mp:import(event.event, properties.time, properties)
  while code == "queue_full" do
    mp:flush(1)
    ok, why, code = mp:import(event.event, properties.time, properties)
  end
  if not ok then
    refuse(line, why)
  end
end

local function is_event(event)
  return type(event) == "table"
    and type(event.event) == "string"
    and type(event.properties) == "table"
    and type(event.properties.time) == "number"
end

local line = 0
for text in assert(io.lines(path)) do
  line = line + 1
  local event, why = cjson.decode(text)
  if is_event(event) then
    import(line, event)
  else
    refuse(line, why or "expected an object with event, properties and properties.time")
  end
  if line % (10 * BATCH) == 0 then
    io.stderr:write(("%d lines read, %d delivered\n"):format(line, mp:stats().delivered))
  end
end

local ok, why = mp:flush(600)
local stats = mp:stats()
io.stderr:write(
  ("%d lines: %d delivered, %d rejected by Mixpanel, %d refused here%s\n"):format(
    line,
    stats.delivered,
    stats.rejected,
    refused,
    ok and "" or "; " .. why
  )
)
os.exit(ok and stats.rejected + refused == 0 and 0 or 1, true)
