-- A client of NATS in the spec's own hands: what it reads does not come through
-- the library that the driver uses.
local cjson = require "cjson"
local mime = require "mime"
local socket = require "socket"

local Client = {}
Client.__index = Client

local ANSWER_S = 2 -- for one answer; who needs it asks again

local function receive_line(self)
  local line, why = self.socket:receive "*l"
  if not line then
    return nil, why
  end
  return (line:gsub("\r$", ""))
end

-- The next line that is neither empty nor about the connection.
local function next_line(self)
  while true do
    local line, why = receive_line(self)
    if not line then
      return nil, why
    elseif line == "PING" then
      self.socket:send "PONG\r\n"
    elseif line ~= "" and not line:find "^INFO" then
      return line
    end
  end
end

-- Nothing, and why, if there is no server that takes it. `seconds`: for one answer;
-- ANSWER_S by default.
local function connect(port, user, password, seconds)
  local self = setmetatable({ asked = 0 }, Client)
  self.socket = socket.tcp()
  self.socket:settimeout(seconds or ANSWER_S)
  local ok, why = self.socket:connect("127.0.0.1", port)
  if not ok then
    return nil, why
  end
  self.inbox = "_INBOX.spec" .. tostring(self):match "0x(%x+)"
  self.socket:send(("CONNECT %s\r\nSUB %s.* 1\r\nPING\r\n"):format(
    cjson.encode {
      verbose = false,
      pedantic = false,
      headers = true,
      no_responders = true,
      user = user,
      pass = password,
      lang = "lua",
      version = "0",
    },
    self.inbox
  ))
  local line
  line, why = next_line(self)
  if line ~= "PONG" then
    self.socket:close()
    return nil, line or why
  end
  return self
end

local function receive_message(self, line)
  local subject, sizes = line:match "^H?MSG (%S+) 1 (.*)$"
  if not subject then
    return nil, line
  end
  local head, total = 0, tonumber(sizes:match "(%d+)$")
  if line:find "^HMSG" then
    head = tonumber(sizes:match "(%d+) %d+$")
  end
  local bytes, why = self.socket:receive(total + 2)
  if not bytes then
    return nil, why
  end
  return subject, bytes:sub(1, head), bytes:sub(head + 1, total)
end

local function publish(self, subject, inbox, body, headers)
  if not headers then
    return self.socket:send(("PUB %s %s %d\r\n%s\r\n"):format(subject, inbox, #body, body))
  end
  local head = "NATS/1.0\r\n"
  for name, value in pairs(headers) do
    head = ("%s%s: %s\r\n"):format(head, name, value)
  end
  head = head .. "\r\n"
  self.socket:send(
    ("HPUB %s %s %d %d\r\n%s%s\r\n"):format(subject, inbox, #head, #head + #body, head, body)
  )
end

-- The body of the answer; nothing, and why, if there was none. `headers` are optional.
function Client:request(subject, body, headers)
  self.asked = self.asked + 1
  local inbox = self.inbox .. "." .. self.asked
  publish(self, subject, inbox, body, headers)
  while true do
    local line, why = next_line(self)
    if not line then
      return nil, why
    end
    local to, head, answer = receive_message(self, line)
    if not to then
      return nil, head
    elseif to == inbox and head:find "^NATS/1.0 503" then
      return nil, "no responders"
    elseif to == inbox then
      return answer
    end
  end
end

-- A request of JetStream's: its answer as a table. Nothing, and why, if there was
-- none or it is an error.
function Client:api(name, request)
  local answer, why = self:request("$JS.API." .. name, request and cjson.encode(request) or "")
  if not answer then
    return nil, why
  end
  local value = cjson.decode(answer)
  if type(value.error) == "table" then
    return nil, ("%s (%d)"):format(value.error.description, value.error.err_code or 0)
  end
  return value
end

-- The message of that number in a stream: subject, headers, body.
function Client:message(stream, number)
  local answer, why = self:api("STREAM.MSG.GET." .. stream, { seq = number })
  if not answer then
    return nil, why
  end
  local headers = {}
  for name, value in mime.unb64(answer.message.hdrs or ""):gmatch "([%w-]+): ([^\r]*)\r\n" do
    headers[name] = value
  end
  return {
    seq = answer.message.seq,
    time = answer.message.time,
    subject = answer.message.subject,
    headers = headers,
    head = (mime.unb64(answer.message.hdrs or "")),
    body = mime.unb64(answer.message.data or "") or "", -- of nothing it makes nothing
  }
end

function Client:close()
  self.socket:close()
end

return { connect = connect, ANSWER_S = ANSWER_S }
