-- Records that Mixpanel takes never, and messages that are no batch: they go to a
-- stream of their own, with the reason, and count as settled once they are stored.
local streams = require "mixpanel.forward.streams"

local DeadLetters = {}
DeadLetters.__index = DeadLetters

local RETRY_S = 1
local IDLE_S = 60
local TEXT_MAX = 400
local WAITING_MAX = 16 * 1024 * 1024 -- bytes; what comes beyond them waits on the bus

-- Of the link, and of JetStream: a stream with a limit of its own.
local TOO_LARGE = { [413] = true, [10054] = true }

-- `tenure` as for the readers.
function DeadLetters.new(tenure)
  return setmetatable({ tenure = tenure, letters = {}, bytes = 0 }, DeadLetters)
end

-- Headers are lines.
local function one_line(text)
  return (tostring(text):gsub("%c", " "):sub(1, TEXT_MAX))
end

-- Of a message of the bus: `body` with a reason, and the place in the message that
-- tells it from others. `raw`: it is the message itself.
function DeadLetters:add(message, body, reason, field, place, raw)
  message.open = message.open + 1
  self.bytes = self.bytes + #body
  self.letters[#self.letters + 1] = {
    message = message,
    subject = message.subject:gsub("^mp%.", "mp-dead."),
    body = raw and body or "[" .. body .. "]",
    headers = {
      ["Nats-Msg-Id"] = ("%s-%.0f"):format(message.id, place),
      ["Mp-Format"] = not raw and "1" or nil,
      ["Mp-Dead-Reason"] = one_line(reason or "no reason was given"),
      ["Mp-Dead-Field"] = field and one_line(field),
      ["Mp-Dead-From"] = ("%.0f"):format(message.seq),
    },
  }
  self.tenure.tasks:answer(self, "more")
end

-- While those that wait are few.
function DeadLetters:has_room()
  return self.bytes < WAITING_MAX
end

-- What is larger than a message may be stays in its message alone.
local function cut(self, letter)
  local tenure = self.tenure
  tenure:note(
    (
      "a dead letter of %d bytes is larger than a message may be: it is stored without"
      .. " them, and they are in message %.0f of %s until that expires"
    ):format(#letter.body, letter.message.seq, streams.RECORDS)
  )
  tenure.counts.untold = tenure.counts.untold + 1
  letter.headers["Mp-Dead-Bytes"] = ("%d"):format(#letter.body)
  letter.headers["Mp-Format"] = nil
  letter.body = ""
end

local function store(self, letter)
  local tenure = self.tenure
  while not tenure.over do
    local seq, why, code = tenure.js:publish(letter.subject, letter.body, letter.headers)
    if seq then
      tenure.counts.dead = tenure.counts.dead + 1
      letter.message.open = letter.message.open - 1
      return
    elseif TOO_LARGE[code] and letter.body ~= "" then
      cut(self, letter)
    else
      tenure:note(("%s does not take a dead letter: %s"):format(streams.DEAD, why))
      tenure.tasks:sleep(RETRY_S)
    end
  end
end

-- Stores them one after the other, as long as the tenure lasts.
function DeadLetters:start()
  local tenure = self.tenure
  tenure.tasks:spawn(function()
    while not tenure.over do
      local letter = table.remove(self.letters, 1)
      if letter then
        local bytes = #letter.body
        store(self, letter)
        self.bytes = self.bytes - bytes
      else
        tenure.tasks:await(self, IDLE_S)
      end
    end
  end)
end

return DeadLetters
