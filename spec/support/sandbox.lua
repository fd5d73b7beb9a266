-- The sandbox for specs: starts it, scripts it, reads back what arrived.
local cjson = require "cjson"
local ltn12 = require "ltn12"
local http = require "socket.http"
local socket = require "socket"

local Sandbox = {}
Sandbox.__index = Sandbox

local function ask(self, method, path, value)
  local body = type(value) == "string" and value or value and cjson.encode(value) or ""
  local parts = {}
  local ok, status = http.request {
    url = self.url .. "/sandbox" .. path,
    method = method,
    headers = { ["Content-Length"] = #body },
    source = ltn12.source.string(body),
    sink = ltn12.sink.table(parts),
  }
  local text = table.concat(parts)
  assert(ok and status == 200, ("%s %s: %s %s"):format(method, path, tostring(status), text))
  return text
end

local function call(...)
  return cjson.decode(ask(...))
end

-- Starts a sandbox, or takes the one that MIXPANEL_SANDBOX_URL names.
local function start()
  local self = setmetatable({}, Sandbox)
  if os.getenv "MIXPANEL_SANDBOX_URL" then
    self.url = os.getenv "MIXPANEL_SANDBOX_URL"
    self.tls_url = os.getenv "MIXPANEL_SANDBOX_TLS_URL"
    self.ca_file = os.getenv "MIXPANEL_SANDBOX_CA_FILE"
    self:reset()
    return self
  end
  local pipe = assert(io.popen "sandbox/sandbox start")
  for line in pipe:lines() do
    local key, value = line:match "^([%w_]+)=(.*)$"
    self[key] = value
  end
  pipe:close()
  assert(self.url, "the sandbox did not start")
  return self
end

function Sandbox:stop()
  if self.dir then
    assert(os.execute("sandbox/sandbox stop " .. self.dir))
  end
end

function Sandbox:reset()
  return call(self, "POST", "/reset")
end

-- Replies to come, one or a list: see sandbox/README.md.
function Sandbox:script(replies)
  return call(self, "POST", "/script", replies)
end

-- The same instead of those that have not come.
function Sandbox:rescript(replies)
  call(self, "DELETE", "/script")
  return self:script(replies)
end

function Sandbox:config(settings)
  return call(self, "POST", "/config", settings)
end

-- What /flags/definitions answers, as a table or its text.
function Sandbox:flags(definitions)
  return call(self, "POST", "/flags", definitions)
end

-- Every request in order of arrival; `body` is the decoded text.
function Sandbox:requests()
  return call(self, "GET", "/requests")
end

-- Every accepted record of an endpoint, decoded, in order of arrival.
function Sandbox:records(endpoint)
  local records = {}
  for _, kept in ipairs(call(self, "GET", "/records?endpoint=" .. endpoint)) do
    local failed = {}
    for _, item in ipairs(kept.failed) do
      failed[item.index + 1] = true
    end
    local body = #kept.body > 0 and kept.body or { kept.body }
    for i, record in ipairs(body) do
      if not failed[i] then
        records[#records + 1] = record
      end
    end
  end
  return records
end

-- The text of each accepted record of an endpoint, in order of arrival: of so many that
-- they had better not all be decoded. The client writes one a line.
function Sandbox:accepted_lines(endpoint)
  local lines, at = {}, 2
  local text = ask(self, "GET", "/records?endpoint=" .. endpoint)
  while at < #text do
    local failed, from = text:match('^{"failed":(%b[]),"body":()', at)
    local last, next_one = text:find('},{"failed":', from, true)
    last = last and last - 1 or #text - 2
    local refused, i = {}, 0
    for _, item in ipairs(cjson.decode(failed)) do
      refused[item.index] = true
    end
    for line in text:sub(from, last):gmatch "[^\n]+" do
      lines[#lines + 1] = not refused[i] and line or nil
      i = i + 1
    end
    at = next_one and last + 3 or #text
  end
  return lines
end

-- The text of each record that an endpoint got, in order of arrival: the client
-- writes one a line.
function Sandbox:lines(endpoint)
  local lines = {}
  for _, request in ipairs(self:requests()) do
    local list = request.path == endpoint and request.body:match "^%[(.*)%]$" or ""
    for line in list:gmatch "[^\n]+" do
      lines[#lines + 1] = line:gsub(",$", "")
    end
  end
  return lines
end

-- Waits until at least `n` requests have arrived.
function Sandbox:wait(n, timeout)
  local deadline = socket.gettime() + (timeout or 60)
  repeat
    if call(self, "GET", "/health").requests >= n then
      return true
    end
    socket.sleep(0.02)
  until socket.gettime() > deadline
  error(("%d requests did not arrive"):format(n), 2)
end

return { start = start }
