-- `spool requeue`: rejected or damaged records, mended, back into the queue.
local Context = require "mixpanel.cli.context"
local cjson = require "cjson.safe"
local deliver = require "mixpanel.cli.deliver"
local exit = require "mixpanel.cli.exit"
local json_members = require "mixpanel.cli.json_members"
local spool_client = require "mixpanel.cli.spool_client"
local uv = require "luv"

local PAUSE_MS = 20
local LINE_BYTES = 16 * 1024 * 1024

-- By what a spool and rejected.jsonl call them.
local ENDPOINTS = {
  events = "track",
  import = "import",
  people = "engage",
  groups = "groups",
  ["/track"] = "track",
  ["/import"] = "import",
  ["/engage"] = "engage",
  ["/groups"] = "groups",
}

-- What a bare record is.
local function guess(record)
  if record.event then
    return "track"
  elseif record["$group_key"] then
    return "groups"
  end
  return record["$distinct_id"] and "engage"
end

-- The endpoint and the record of a line, or nil and why not.
local function read_line(line, endpoint)
  if #line > LINE_BYTES then
    return nil, "the line is too long"
  end
  local value, why = cjson.decode(line)
  if type(value) ~= "table" then
    return nil, "no record in JSON: " .. (why or line:sub(1, 40))
  elseif type(value.record) == "table" and value.endpoint then
    return endpoint or ENDPOINTS[value.endpoint], json_members(line).record
  end
  endpoint = endpoint or guess(value)
  return endpoint, endpoint and line or "neither an event nor an update; --endpoint says what it is"
end

local Requeue = {}
Requeue.__index = Requeue

function Requeue:refuse(place, why)
  self.refused = self.refused + 1
  self.context:note("%s: %s", place, why)
end

-- What is too much at once waits until some has been delivered or is on disk.
function Requeue:ingest(endpoint, record)
  while true do
    local result, why, code = self.client:ingest(endpoint, record)
    if code ~= "queue_full" or uv.hrtime() > self.deadline then
      return result, why
    end
    uv.sleep(PAUSE_MS)
  end
end

function Requeue:put(place, endpoint, record)
  local result, why = self:ingest(endpoint, record)
  if not result then
    self:refuse(place, why)
    return
  end
  self.taken = self.taken + result.taken
  for _, refusal in ipairs(result.refusals) do
    local field = refusal.field and refusal.field .. ": " or ""
    self:refuse(place, field .. refusal.message)
  end
end

function Requeue:put_lines(name, file)
  local number = 0
  for line in file:lines() do
    number = number + 1
    if line:find "%S" then
      local place = ("%s:%d"):format(name, number)
      local endpoint, record = read_line(line, self.endpoint)
      if endpoint and record then
        self:put(place, endpoint, record)
      else
        self:refuse(place, record or "of an endpoint that is not known; --endpoint says which")
      end
    end
  end
end

-- What can be read of a file that a spool wrote.
function Requeue:put_batch(path, found)
  for i, record in ipairs(found.records) do
    self:put(("%s: record %d"):format(path, i), ENDPOINTS[found.endpoint], record)
  end
  if found.problem then
    self:refuse(path, found.problem)
  end
end

function Requeue:put_file(path)
  if path == "-" then
    return self:put_lines("standard input", io.stdin)
  end
  local found, message, code = self.client:spool_read(path)
  if found then
    return self:put_batch(path, found)
  elseif code ~= "invalid" then
    Context.fail(exit.input, "%s", message)
  end
  local file = Context.open(path)
  self:put_lines(path, file)
  file:close()
end

local requeue = {}

function requeue.run(args, context)
  local client = deliver.open(args, context)
  local self = setmetatable({
    client = client,
    context = context,
    endpoint = args.endpoint,
    deadline = uv.hrtime() + args.timeout * 1e9,
    taken = 0,
    refused = 0,
  }, Requeue)
  spool_client.list(client)
  for _, path in ipairs(args.file) do
    self:put_file(path)
  end
  context:say(
    "%s put back, %d refused here.",
    spool_client.plural(self.taken, "record"),
    self.refused
  )
  local interrupted = deliver.wait(client, args)
  local status = deliver.tell(client, interrupted, context)
  return status == exit.ok and self.refused > 0 and exit.refused or status
end

return requeue
