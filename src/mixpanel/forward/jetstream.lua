-- What the forwarder asks of NATS JetStream, in tasks: each call waits for its
-- answer. A failed one returns nil, why, and a code: the number that JetStream
-- gives to the error, or the status of an answer that did not come (503: nobody
-- there, 401: not permitted, 0: it may have arrived).
--
-- Subjects and forms of the requests: NATS docs, JetStream wire API reference.
local cjson = require "cjson"

local JetStream = {}
JetStream.__index = JetStream

local ANSWER_S = 5
local LEAST_S = 0.001 -- that the link takes

local LONG = 1e14 -- what cjson writes with an exponent, and without the last digits

local function mark_long(value)
  if type(value) == "number" and math.abs(value) >= LONG then
    return ("\1%.0f"):format(value)
  elseif type(value) ~= "table" then
    return value
  end
  local copy = {}
  for key, item in pairs(value) do
    copy[key] = mark_long(item)
  end
  return copy
end

-- JSON with each digit of whole numbers, as JetStream wants them: nanoseconds of days,
-- and numbers of messages, up to 2^53.
function JetStream.encode(value)
  return (cjson.encode(mark_long(value)):gsub('"\\u0001(%-?%d+)"', "%1"))
end

-- Codes of errors.
JetStream.NO_CONSUMER = 10014
JetStream.NO_STREAM = 10059
JetStream.WRONG_SEQUENCE = 10071

function JetStream.new(link, tasks)
  return setmetatable({ link = link, tasks = tasks }, JetStream)
end

-- The same as long as `left()`, in seconds, says: afterwards nothing is asked, nor
-- does a request that waits for a connection leave then. `why`, for people: it is over.
function JetStream:as_long_as(left, why)
  local bounded = { link = self.link, tasks = self.tasks, within = self, left = left, why = why }
  return setmetatable(bounded, JetStream)
end

-- How long an answer is waited for, and why no longer.
local function patience_of(self)
  local patience, why = ANSWER_S, nil
  while self.left do
    local left = self.left()
    if left < patience then
      patience, why = left, self.why
    end
    self = self.within
  end
  return patience, why
end

-- The answer as the link gives it, whatever it says.
function JetStream:ask(subject, body, headers)
  local patience, over = patience_of(self)
  if patience < LEAST_S then
    return { status = 0, text = "nats: not asked, as " .. over }
  end
  local id, why = self.link:request(subject, body, headers, patience)
  if not id then
    return { status = 0, text = why }
  end
  return self.tasks:await(id, 2 * ANSWER_S)
    or { status = 0, sent = true, text = "nats: no answer came" }
end

local function decode(answer)
  local ok, value = pcall(cjson.decode, answer.body)
  if not ok or type(value) ~= "table" then
    return nil, "nats: an answer that is no JSON", 0
  elseif type(value.error) == "table" then
    local fault = value.error
    local code = fault.err_code or fault.code or 0
    return nil, ("nats: JetStream says: %s (%d)"):format(fault.description or "?", code), code
  end
  return value
end

local function read(answer)
  if answer.status ~= 200 then
    return nil, answer.text or "nats: no answer", answer.status
  end
  return decode(answer)
end

-- The answer of the JetStream API, a table.
function JetStream:api(name, request)
  return read(self:ask("$JS.API." .. name, request and JetStream.encode(request) or "", nil))
end

-- Stores a message. Returns its number in the stream, and whether it was there
-- already.
function JetStream:publish(subject, body, headers)
  local stored, why, code = read(self:ask(subject, body, headers))
  if stored and not stored.seq then
    return nil, "nats: somebody else than JetStream answers on the subject", 0
  end
  return stored and stored.seq, stored and stored.duplicate or why, code
end

-- A message of a stream with `allow_direct`, from any replica: subject, seq,
-- headers, body. `which`: { seq = }, { last_by_subj = } or, the first of a subject
-- from a number on, { seq =, next_by_subj = }. False: there is none.
function JetStream:message(stream, which)
  local answer = self:ask("$JS.API.DIRECT.GET." .. stream, JetStream.encode(which), nil)
  if answer.status ~= 200 then
    return nil, answer.text, answer.status
  end
  local headers = answer.headers
  return headers["Nats-Sequence"] ~= nil
    and {
      subject = headers["Nats-Subject"],
      seq = tonumber(headers["Nats-Sequence"]),
      headers = headers,
      body = answer.body,
    }
end

return JetStream
