-- What the page shows, made of what the store keeps: of a request a row for
-- each record, with its texts cut; of a record all that is known.
local check = require "check"
local cjson = require "cjson.safe"
local json_text = require "json_text"
local records = require "records"

local MOST_TEXT = 200 -- bytes of a name or an id
local MOST_REPLY = 2000

local view = {}

local function cut(text, most)
  if #text <= most then
    return text
  end
  while most > 0 and text:byte(most + 1) >= 0x80 and text:byte(most + 1) < 0xC0 do
    most = most - 1 -- not within a character
  end
  return text:sub(1, most) .. "…"
end

-- A value of a record in one line; nil for none.
local function show(value)
  if value == nil or value == cjson.null then
    return nil
  elseif type(value) == "number" then
    local short = ("%.14g"):format(value)
    return tonumber(short) == value and short or ("%.17g"):format(value)
  end
  return cut(type(value) == "table" and cjson.encode(value) or tostring(value), MOST_TEXT)
end

local function object(value)
  return type(value) == "table" and value or {}
end

-- "$set: name, plan"
local function name_update(update)
  for name, value in pairs(update) do
    if check.is_operation(name) then
      local keys = {}
      for key, item in pairs(object(value)) do
        keys[#keys + 1] = show(name == "$unset" and item or key)
      end
      table.sort(keys)
      return cut(name .. (#keys > 0 and ": " .. table.concat(keys, ", ") or ""), MOST_TEXT)
    end
  end
end

local function name_record(record)
  if record.event ~= nil then
    return show(record.event)
  end
  return name_update(record)
end

-- An id as it was sent: of an integer that a double cannot hold, the digits in
-- the text that `text_of` returns.
local function show_id(owner, key, text_of)
  local value = owner[key]
  if type(value) == "number" and math.abs(value) >= 2 ^ 53 then
    return text_of():match('"' .. key:gsub("%$", "%%$") .. '"%s*:%s*(-?%d+)') or show(value)
  end
  return value ~= "" and show(value) or nil
end

-- The id that is shown, then others that are looked for, too.
local function find_ids(record, text_of)
  local p, ids = object(record.properties), {}
  local group = show_id(record, "$group_id", text_of)
  ids[1] = group and (show(record["$group_key"]) or "?") .. ": " .. group
  ids[#ids + 1] = show_id(record, "$distinct_id", text_of)
  for _, key in ipairs { "distinct_id", "$user_id", "$device_id", "$insert_id" } do
    ids[#ids + 1] = show_id(p, key, text_of)
  end
  return ids
end

-- The token and its place.
local function find_token(record, auth)
  if record["$token"] ~= nil then
    return show(record["$token"]), "$token"
  elseif object(record.properties).token ~= nil then
    return show(record.properties.token), "properties.token"
  elseif auth and auth.password == "" then
    return show(auth.username), "user name"
  end
end

local function describe_auth(auth)
  if not auth then
    return "none"
  elseif not auth.username then
    return "Basic, without a user name and a password"
  elseif auth.password == "" then
    return "Basic, the token as user name, no password"
  end
  return ("Basic, service account %s"):format(cut(auth.username, MOST_TEXT))
end

local CLOSED = {
  before = "hung up without reading",
  after = "hung up without a reply",
  mid = "broke off in the middle of the reply",
}

local function describe_answer(seen)
  return CLOSED[seen.close] or seen.status and "answered " .. seen.status or "unanswered"
end

-- Why the request as a whole was not taken.
local function refusal(seen)
  local reply = seen.reply
  if seen.scripted then
    return "scripted: " .. describe_answer(seen)
  elseif type(reply) ~= "table" then
    return ("%s with %s"):format(describe_answer(seen), show(reply) or "nothing")
  end
  local failed = object(reply.failed_records)[1]
  return type(failed) == "string" and failed or show(reply.error) or describe_answer(seen)
end

-- What became of a record: one word, and why.
local function judge(seen, record, failure)
  if seen.accepted == 0 and seen.scripted then
    return "fault", refusal(seen)
  elseif failure then
    return "refused", failure.message
  elseif seen.accepted == 0 then
    return "refused", refusal(seen)
  elseif seen.path == "/track" and check.is_ignored(record, seen.time_ms / 1000) then
    return "ignored", "/track takes it, and Mixpanel drops it without a word"
  end
  return "accepted", seen.scripted and "scripted: " .. describe_answer(seen) or nil
end

-- The row of a record, but for the request's part in it.
local function describe_record(seen, record, text_of, failure)
  record = object(record)
  local ids = find_ids(record, text_of)
  local verdict, reason = judge(seen, record, failure)
  local _, place = find_token(record, seen.auth)
  return {
    name = name_record(record),
    ids = #ids > 0 and ids or nil, -- an empty table would become an object
    place = place,
    verdict = verdict,
    reason = reason,
  }
end

-- The records of a request, and what returns the text of the i-th.
local function read(seen)
  local content_type, texts = seen.headers["content-type"], nil
  local function text_of(i)
    texts = texts or records.texts(seen.body, content_type)
    return texts[i] or ""
  end
  return seen.body and records.decode(seen.body, content_type) or {}, text_of
end

-- For the feed: what the rows of a request show.
function view.request(seen)
  local list, text_of = read(seen)
  local rows, failures = {}, {}
  for _, failure in ipairs(seen.failed or {}) do
    failures[failure.index + 1] = failure
  end
  for i, record in ipairs(list) do
    rows[i] = describe_record(seen, record, function()
      return text_of(i)
    end, failures[i])
  end
  if #list == 0 then
    rows[1] = { verdict = seen.scripted and "fault" or "refused", reason = refusal(seen) }
  end
  return {
    n = seen.n,
    time_ms = seen.time_ms,
    path = cut(seen.path, MOST_TEXT),
    auth = seen.auth and "Basic" or "none",
    count = #list,
    rows = rows,
  }
end

local function describe_size(seen)
  local size = ("%d bytes"):format(seen.raw_bytes)
  if seen.content_encoding then
    return ("%s, %d with %s"):format(size, seen.bytes, show(seen.content_encoding))
  end
  return size
end

-- What was sent back, if anything was.
local function reply_text(seen)
  local reply = seen.status and seen.reply
  return reply
    and cut(type(reply) == "table" and cjson.encode(reply) or tostring(reply), MOST_REPLY)
end

local function describe_facts(seen, number, record, text)
  local token, place = find_token(record, seen.auth)
  local query = seen.query_string ~= "" and "?" .. seen.query_string or ""
  local endpoint = ("%s %s%s"):format(seen.method, seen.path, query)
  local facts = {
    { "Request", number },
    { "Endpoint", cut(endpoint, MOST_REPLY) .. (seen.tls and ", over TLS" or "") },
    { "Authentication", describe_auth(seen.auth) },
    { "Token", token and ("%s, in %s"):format(token, place) or "none" },
    { "Body", describe_size(seen) },
    { "Answer", describe_answer(seen) },
    { "Reply", reply_text(seen) },
  }
  local ids = find_ids(record, function()
    return text
  end)
  if #ids > 0 then
    table.insert(facts, 2, { "Ids", table.concat(ids, "\n") })
  end
  return facts
end

-- All of the i-th record of a request, or of a request without records; nil
-- when there is no such record. `json`: laid out, in three texts of which the
-- second is the project's token.
function view.record(seen, i)
  local list, text_of = read(seen)
  if #list == 0 then
    return { facts = describe_facts(seen, tostring(seen.n), {}, "") }
  elseif list[i] == nil then
    return nil
  end
  local record, text = object(list[i]), text_of(i)
  local number = ("%d, record %d of %d"):format(seen.n, i, #list)
  local path, _, place = {}, find_token(record, seen.auth)
  for key in (place or ""):gmatch "[^.]+" do
    path[#path + 1] = key
  end
  return {
    facts = describe_facts(seen, number, record, text),
    json = { json_text.lay_out(text, path) },
  }
end

local CLOSING = {
  before = "hangs up without reading",
  after = "hangs up without a reply",
  mid = "breaks off",
}

-- A scripted reply that nobody has drawn yet, in one line.
function view.script(scripted)
  local times = tonumber(scripted.times) or 1
  local parts = { CLOSING[scripted.close] or "answers " .. (show(scripted.status) or "as usual") }
  local function add(format, value)
    if value ~= nil then
      parts[#parts + 1] = format:format(show(value))
    end
  end
  add("after %s ms", scripted.delay_ms)
  add("if the body contains %s", scripted.match)
  add("if the body has %s bytes", scripted.min_bytes)
  add("with a chance of %s", scripted.chance)
  parts[#parts + 1] = times == 0 and "until removed"
    or times == 1 and "once"
    or show(times) .. " times"
  return ("%s: %s"):format(show(scripted.endpoint) or "any endpoint", table.concat(parts, ", "))
end

return view
