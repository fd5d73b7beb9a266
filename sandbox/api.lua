-- The four endpoints of ingestion and the two of flags, answering as Mixpanel
-- documents.
local cjson = require "cjson.safe"
local check = require "check"
local flags = require "flags"
local inflate = require "inflate"
local record_list = require "records"
local reply = require "reply"
local store = require "store"

local MAX_RECORDS = 2000
local MAX_BODY = 10 * 1024 * 1024
local MAX_RECORD = 1024 * 1024

local api = {}

local function read_body(gzip_accepted)
  ngx.req.read_body()
  local raw = ngx.req.get_body_data() or ""
  local file = ngx.req.get_body_file()
  if file then
    local f = assert(io.open(file, "rb"))
    raw = f:read "*a"
    f:close()
  end
  local encoding = ngx.req.get_headers()["content-encoding"]
  if not encoding then
    return raw, raw
  elseif encoding ~= "gzip" or not gzip_accepted then
    return raw, nil, "this endpoint does not support Content-Encoding: " .. encoding
  end
  local body, why = inflate(raw)
  return raw, body, why
end

-- The JSON text of a form's `data`, plain or in base64, or the body itself.
local function unwrap_form(body)
  local data = body:match "^data=([^&]*)" or body:match "&data=([^&]*)"
  if not data then
    return body
  end
  data = ngx.unescape_uri(data)
  return data:find "^%s*[%[{]" and data or ngx.decode_base64(data) or ""
end

local function read_auth()
  local header = ngx.req.get_headers().authorization
  local text = header and ngx.decode_base64(header:match "^Basic%s+(.+)$" or "")
  if not text then
    return nil
  end
  local username, password = text:match "^([^:]*):(.*)$"
  return { kind = "basic", username = username, password = password }
end

-- /import: the token with an empty password and no project_id, or a service
-- account with its project_id. Returns why not.
local function refuse_credentials(auth, query)
  if not auth or auth.username == "" then
    return "Invalid credentials"
  elseif auth.password == "" then
    if query.project_id then
      return "Credentials in request did not match project_id URL parameter"
    end
    local tokens = store.config.tokens
    if tokens then
      for _, token in ipairs(tokens) do
        if token == auth.username then
          return nil
        end
      end
      return "Invalid credentials"
    end
    return nil
  end
  for _, account in ipairs(store.config.accounts) do
    if account.username == auth.username and account.secret == auth.password then
      if tostring(account.project_id) ~= query.project_id then
        return "Credentials in request did not match project_id URL parameter"
      end
      return nil
    end
  end
  return "Not a valid service account username"
end

local function import(seen, records, query)
  local why = refuse_credentials(seen.auth, query)
  if why then
    return 401, { code = 401, error = why, status = "Unauthorized" }
  end
  if #records > MAX_RECORDS then
    return 413,
      {
        code = 413,
        error = "request exceeds max limit of 2000 events",
        status = "Request Entity Too Large",
      }
  end
  local now, failed, verbs = ngx.time(), {}, false
  for i, event in ipairs(records) do
    local field, message = check.import(event, now)
    if field then
      failed[#failed + 1] = {
        index = i - 1,
        insert_id = type(event) == "table"
            and type(event.properties) == "table"
            and event.properties["$insert_id"]
          or "",
        field = field,
        message = message,
      }
    elseif
      event.event:find "^%$identify$"
      or event.event == "$create_alias"
      or event.event == "$merge"
    then
      verbs = true
    end
  end
  if verbs and store.config.simplified then
    return 400,
      {
        code = 400,
        num_records_imported = 0,
        failed_records = {
          "identity events are not allowed when project is using simplified identity management",
        },
      }
  end
  seen.accepted = #records - #failed
  if #failed == 0 then
    return 200, { code = 200, num_records_imported = #records, status = "OK" }
  end
  seen.failed = failed
  local text = "some data points in the request failed validation"
  if query.strict == "0" then
    return 200, { code = 200, error = text, num_records_imported = seen.accepted, status = 0 }
  end
  return 400,
    {
      code = 400,
      error = text,
      failed_records = failed,
      num_records_imported = seen.accepted,
      status = "Bad Request",
    }
end

-- /track, /engage and /groups: 1 if any record is valid, else 0 and why.
local function answer_flag(query, why)
  if query.verbose ~= "1" then
    return 200, why and "0" or "1"
  end
  return 200, { error = why or cjson.null, status = why and 0 or 1 }
end

local function accept_valid(test)
  return function(seen, records, query)
    if #records > MAX_RECORDS then
      return 413, { error = "request exceeds max limit of 2000 records", status = "error" }
    end
    local first
    seen.ignored, seen.failed = 0, {}
    for i, record in ipairs(records) do
      local field, message = test(record)
      if field then
        first = first or message
        seen.failed[#seen.failed + 1] = { index = i - 1, field = field, message = message }
      else
        seen.accepted = seen.accepted + 1
      end
      if not field and test == check.track and check.is_ignored(record, ngx.time()) then
        seen.ignored = seen.ignored + 1
      end
    end
    return answer_flag(query, seen.accepted == 0 and (first or "data, missing or empty") or nil)
  end
end

local endpoints = {
  ["/track"] = { gzip = true, answer = accept_valid(check.track) },
  ["/import"] = { gzip = true, answer = import },
  ["/engage"] = { gzip = false, answer = accept_valid(check.engage) },
  ["/groups"] = { gzip = false, answer = accept_valid(check.groups) },
}

local function longest(body)
  local most = 0
  for line in body:gmatch "[^\n]+" do
    most = math.max(most, #line)
  end
  return most
end

local function answer(path, endpoint, seen, body, why)
  if not body then
    return 400, { error = why, status = "error" }
  elseif #body > MAX_BODY then
    return 413,
      {
        code = 413,
        error = ("request exceeds max limit of %d bytes"):format(MAX_BODY),
        status = "Request Entity Too Large",
      }
  end
  local records = record_list.decode(body, ngx.req.get_headers()["content-type"])
  if not records then
    if path == "/import" then
      return 400, { code = 400, error = "data, missing or empty", status = "Bad Request" }
    end
    return answer_flag(seen.query, "data, missing or empty")
  elseif longest(body) > MAX_RECORD + 2 then
    return 413, { code = 413, error = "an event exceeds 1 MB", status = "Request Entity Too Large" }
  end
  seen.records = #records
  return endpoint.answer(seen, records, seen.query)
end

local function note(path, raw, body)
  local seen = {
    n = #store.requests + 1,
    time_ms = math.floor(ngx.now() * 1000),
    method = ngx.req.get_method(),
    path = path,
    query_string = ngx.var.args or "",
    query = ngx.req.get_uri_args(),
    headers = ngx.req.get_headers(),
    auth = read_auth(),
    content_encoding = ngx.req.get_headers()["content-encoding"],
    tls = ngx.var.https == "on",
    bytes = raw and #raw or 0,
    raw_bytes = body and #body or 0,
    body = body,
    records = 0,
    accepted = 0,
  }
  store.requests[seen.n] = seen
  return seen
end

local function keep_accepted(path, seen)
  if seen.accepted > 0 then
    store.records[path] = store.records[path] or {}
    table.insert(store.records[path], { body = seen.body, failed = seen.failed })
  end
end

-- Unless the script says so with `ingest`, records count as accepted only if
-- the reply is the one that the API would have given.
local function follow_script(path, endpoint, seen, body, scripted)
  if body then
    local _, decoded = answer(path, endpoint, seen, body)
    seen.reply = decoded
    local honest = not scripted.close and not scripted.body and (scripted.status or 200) == 200
    local ingest = scripted.ingest
    if ingest == nil then
      ingest = honest
    end
    if not ingest then
      seen.accepted = 0
    end
    keep_accepted(path, seen)
  end
  return reply.scripted(seen, scripted)
end

function api.handle()
  local path = ngx.var.uri:gsub("/$", "")
  local endpoint = endpoints[path]
  if path == "/flags/definitions" and ngx.req.get_method() == "GET" then
    return flags.definitions(note(path), store.scripted(path, ""))
  elseif path == "/flags" and ngx.req.get_method() == "GET" then
    local seen = note(path)
    return flags.evaluate(seen, store.scripted(path, seen.query_string))
  elseif not endpoint then
    local raw, body = read_body(true)
    local seen = note(path, raw, body)
    local scripted = path:find "^/lookup%-tables" and store.scripted(path, body or "")
    if scripted then
      return reply.scripted(seen, scripted)
    end
    seen.status, seen.reply = 404, { code = 404, error = "Not Found", status = "error" }
    return reply.send(seen.status, seen.reply)
  end
  local early = store.scripted(path, "")
  if early and early.forget then
    ngx.req.read_body()
    return reply.scripted({}, early)
  elseif early and early.close == "before" then
    return reply.scripted(note(path), early)
  end
  local raw, body, why = read_body(endpoint.gzip)
  body = body and unwrap_form(body)
  local seen = note(path, raw, body)
  local scripted = early or store.scripted(path, body or "")
  if scripted then
    return follow_script(path, endpoint, seen, body, scripted)
  end
  local status, value = answer(path, endpoint, seen, body, why)
  keep_accepted(path, seen)
  seen.status, seen.reply = status, value
  return reply.send(status, value)
end

return api
