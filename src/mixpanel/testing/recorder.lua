-- What test clients record: takes the requests out of the real clients, keeps
-- their records as Lua tables, and answers as Mixpanel would or as a spec says.
-- Errors have no position here; testing.lua adds the caller's.
local cjson = require "cjson"

local recorder = {}

recorder.RETRY_DELAY = 0.2 -- seconds at most between two tries of a test client
local MOST_IN_VAIN = 20 -- replies in a row that change nothing

-- ---- patterns ----

-- True if the value has all that the pattern has: the fields of a table, the
-- elements of a list and no others; a function or a matcher decides itself.
local function matches(pattern, value)
  local kind = type(pattern)
  local meta = kind == "table" and getmetatable(pattern)
  if kind == "function" or type(meta) == "table" and meta.__call then
    return pattern(value) and true or false
  elseif kind ~= "table" or type(value) ~= "table" then
    return pattern == value
  elseif #pattern > 0 and #pattern ~= #value then
    return false
  end
  for key, inner in pairs(pattern) do
    if not matches(inner, value[key]) then
      return false
    end
  end
  return true
end

local function is_same(a, b)
  return matches(a, b) and matches(b, a)
end

-- The pattern of what recorder:recorded is asked for.
local function read_pattern(what, properties)
  local kind = type(what)
  if kind == "string" and (properties == nil or type(properties) == "table") then
    return { event = what, properties = properties }
  elseif properties == nil and (kind == "nil" or kind == "table" or kind == "function") then
    return what or {}
  elseif kind == "string" then
    error("properties: table expected, got " .. type(properties), 0)
  end
  error("expected the name of an event, or a table or function alone, got " .. kind, 0)
end

-- ---- replies ----

local DEFINITIONS, VARIANTS = "/flags/definitions", "/flags"
local FIELDS = "endpoint, match, times, status, headers, body or error"
local TYPES = {
  endpoint = "string",
  match = "string",
  times = "number",
  status = "number",
  headers = "table",
  body = "string or table",
  error = "string",
}

local function check_range(reply, name, least, most)
  local value = reply[name] or least
  if value % 1 ~= 0 or value < least or value > most then
    error(
      ("%s of a reply: got %s, expected an integer from %d%s"):format(
        name,
        tostring(value),
        least,
        most < math.huge and " to " .. most or ""
      ),
      0
    )
  end
end

local function check_reply(reply)
  if type(reply) ~= "table" then
    error("a reply is a table, got " .. type(reply), 0)
  end
  for name, value in pairs(reply) do
    if not TYPES[name] then
      error(("unknown field '%s' of a reply: expected %s"):format(tostring(name), FIELDS), 0)
    elseif not TYPES[name]:find(type(value), 1, true) then
      error(("%s of a reply: %s expected, got %s"):format(name, TYPES[name], type(value)), 0)
    end
  end
  check_range(reply, "times", 0, math.huge)
  check_range(reply, "status", 100, 599)
end

-- A recorder's next scripted reply for a request, or nil.
function recorder.draw(self, endpoint, body)
  for i, reply in ipairs(self.replies) do
    local fits = not reply.endpoint or reply.endpoint == endpoint
    if fits and (not reply.match or body:find(reply.match, 1, true)) then
      reply.left = reply.left - 1
      if reply.left == 0 then
        table.remove(self.replies, i)
      end
      return reply
    end
  end
end

-- Mixpanel has a status beside each error; without, a reply is a stranger's.
local function complete(body)
  if body.error == nil or body.status ~= nil then
    return body
  end
  local whole = { status = 0 }
  for name, value in pairs(body) do
    whole[name] = value
  end
  return whole
end

local function make_body(reply, endpoint, count)
  if type(reply.body) == "table" then
    return cjson.encode(complete(reply.body))
  elseif reply.body then
    return reply.body
  elseif reply.status and reply.status ~= 200 then
    return '{"error":"as the spec says","status":0}'
  elseif endpoint == DEFINITIONS then
    return '{"flags":[]}'
  elseif endpoint == VARIANTS then
    return '{"code":200,"flags":{}}'
  elseif endpoint == "/import" then
    return ('{"code":200,"num_records_imported":%d,"status":"OK"}'):format(count)
  end
  return '{"error":null,"status":1}'
end

-- ---- requests ----

local works = setmetatable({}, { __mode = "k" }) -- client -> see recorder.add

-- How many records have an outcome.
local function count_ended(client)
  local stats = client:stats()
  local n = stats.delivered + stats.rejected
  for _, dropped in pairs(stats.dropped) do
    n = n + dropped
  end
  return n
end

-- Removes what is like the record; false if nothing is.
local function remove(list, record)
  for i, other in ipairs(list) do
    if is_same(other, record) then
      return table.remove(list, i)
    end
  end
  return false
end

-- The client's next request. Its records are kept, but for those that come
-- again since an earlier request of theirs failed.
function recorder.take(client)
  local work = works[client]
  local request, seconds, code = client:next_request()
  if not request then
    return nil, seconds, code
  end
  local fetches = request.method == "GET"
  local endpoint = request.url:match(fetches and "(/flags[/%l]*)%?" or "(/%l+)%?")
  local records = fetches and {} or cjson.decode(request.body)
  for _, record in ipairs(records) do
    record.endpoint = endpoint
    if not remove(work.again, record) then
      table.insert(work.recorder.records, record)
    end
  end
  work.open[request.id] = records
  return request, endpoint
end

-- Answers a request; true if its records have an outcome now.
function recorder.answer(client, id, ...)
  local work = works[client]
  local records, before = work.open[id] or {}, count_ended(client)
  local ok, message = pcall(client.answer, client, id, ...)
  if not ok then
    error(message, 0)
  end
  work.open[id] = nil
  local ended = count_ended(client) - before >= #records
  for _, record in ipairs(ended and {} or records) do
    table.insert(work.again, record)
  end
  return ended
end

-- Answers a request as the script says; true if another like it may fare
-- otherwise.
local function play(client, request, endpoint)
  local work = works[client]
  local reply = recorder.draw(work.recorder, endpoint, request.body) or { left = 0 }
  local status = not reply.error and (reply.status or 200) or nil
  local ended
  if status then
    local body = make_body(reply, endpoint, #work.open[request.id])
    ended = recorder.answer(client, request.id, status, reply.headers, body)
  else
    ended = recorder.answer(client, request.id, nil, reply.error)
  end
  return ended or reply.left >= 0
end

-- Has a client send all it can. What failed is tried again after a moment,
-- unless whatever was due got a reply that will not change.
function recorder.serve(client)
  local in_vain, useful, idle = 0, true, false
  client:flush(0)
  while in_vain < MOST_IN_VAIN do
    local request, found = recorder.take(client)
    if request then
      useful = not idle and useful
      local changed = play(client, request, found)
      in_vain, useful, idle = changed and 0 or in_vain + 1, useful or changed, false
    elseif not useful or type(found) ~= "number" or found > 2 * recorder.RETRY_DELAY then
      return
    else
      idle = true
    end
  end
end

-- ---- recorders ----

-- What a recorder can be asked for.
local methods = {}
recorder.methods = methods

function methods:recorded(what, properties)
  local list, pattern = {}, read_pattern(what, properties)
  for _, client in ipairs(self.reals) do
    recorder.serve(client)
  end
  for _, record in ipairs(self.records) do
    if matches(pattern, record) then
      list[#list + 1] = record
    end
  end
  return list
end

function methods:find(what, properties)
  return methods.recorded(self, what, properties)[1]
end

function methods:clear()
  methods.recorded(self)
  self.records, self.replies = {}, {}
end

function methods:script(replies)
  local list = type(replies) == "table" and #replies > 0 and replies or { replies or false }
  for _, reply in ipairs(list) do
    check_reply(reply)
  end
  for _, reply in ipairs(list) do
    local own = {}
    for name, value in pairs(reply) do
      own[name] = value
    end
    own.left = own.times or 1
    table.insert(self.replies, own)
  end
end

-- `clients` are the stand-ins of `reals`; `files` the users with a state file,
-- by its path.
function recorder.new()
  return { clients = {}, reals = {}, records = {}, replies = {}, files = {} }
end

function recorder.add(self, client)
  works[client] = { recorder = self, open = {}, again = {} }
  table.insert(self.reals, client)
end

return recorder
