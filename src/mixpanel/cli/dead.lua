-- What a forwarder could not deliver: records that Mixpanel refused, and messages
-- that are no batch.
local Context = require "mixpanel.cli.context"
local JetStream = require "mixpanel.forward.jetstream"
local bus = require "mixpanel.cli.bus"
local cjson = require "cjson"
local exit = require "mixpanel.cli.exit"
local streams = require "mixpanel.forward.streams"

local dead = { summary = "List what a forwarder could not deliver, or send it again." }

dead.description = dead.summary
  .. " They are in the stream MIXPANEL_DEAD, where `mixpanel forward` puts them."

function dead.add(parser)
  parser:command_target "action"
  parser:require_command(true)
  local ls = parser:command("list"):summary "List them."
  bus.add(ls)
  ls:option("--token", "Only those of the project with this token."):argname "<token>"
  ls:flag("--records", "Print the records, one a line, and nothing else.")
  local resend = parser:command("resend"):summary "Put them back, to be forwarded once more."
  resend:argument("number", "Which ones, as `list` shows them; or all."):args "+"
  bus.add(resend)
  resend:option("--token", "With all: those of this project."):argname "<token>"
end

-- ---- reading them ----

local function filter(args)
  local mixpanel = require "mixpanel"
  if not args.token then
    return "mp-dead.>"
  end
  local ok, subject = pcall(mixpanel.bus_subject, args.token)
  if not ok then
    Context.fail(exit.usage, "--token: %s", subject:match "%((.*)%)$" or subject)
  end
  return subject:gsub("^mp%.", "mp-dead.") .. ".>"
end

-- The number of the last that there is now. One that comes back while all are sent
-- again has a higher one.
local function last_number(js)
  local info, why, code = js:api("STREAM.INFO." .. streams.DEAD)
  if code == JetStream.NO_STREAM then
    bus.fail(streams.missing(streams.DEAD), code)
  elseif not info then
    bus.fail(why, code)
  end
  return info.state.last_seq
end

-- In a loop: each of these that there is now, in their order.
local function letters(js, subject)
  local number, last = 0, last_number(js)
  return function()
    local letter, why, code = js:message(streams.DEAD, { seq = number + 1, next_by_subj = subject })
    if letter == nil then
      bus.fail(why, code)
    end
    number = letter and letter.seq
    return number and number <= last and letter or nil
  end
end

-- What it is about was larger than a message may be.
local function is_reason_alone(letter)
  return letter.headers["Mp-Dead-Bytes"] ~= nil
end

-- The JSON of its record, as a line; nil for one that holds none.
local function record_of(letter)
  local text = letter.headers["Mp-Format"] and letter.body:match "^%[(.+)%]$"
  return text and pcall(cjson.decode, letter.body) and text:gsub("[\r\n]", " ") or nil
end

local function show_records(context, js, subject)
  local others = 0
  for letter in letters(js, subject) do
    local record = record_of(letter)
    others = others + (record and 0 or 1)
    if record then
      context:say("%s", record)
    end
  end
  if others > 0 then
    context:note("left out, as no record is in them: %d; without --records they are shown", others)
  end
end

local function show(context, letter)
  local headers = letter.headers
  context:say(
    "%d  %s  %s: %s%s",
    letter.seq,
    letter.subject:gsub("^mp%-dead%.", ""),
    headers["Nats-Time-Stamp"]:match "^[^.]+",
    headers["Mp-Dead-Field"] and headers["Mp-Dead-Field"] .. ": " or "",
    headers["Mp-Dead-Reason"] or "?"
  )
end

local ACTIONS = {}

function ACTIONS.list(args, context)
  local subject = filter(args)
  return bus.run(args, function(js)
    if args.records then
      show_records(context, js, subject)
      return exit.ok
    end
    for letter in letters(js, subject) do
      show(context, letter)
    end
    return exit.ok
  end)
end

-- ---- sending them again ----

local NUMBER_MAX = 2 ^ 53 - 1 -- which JSON and any Lua have whole

-- Under a name of its own, so that one that is sent twice is stored once. With its time,
-- as a stream that is made anew gives the same numbers once more.
local function resend(js, letter)
  local seq, why, code = js:publish(letter.subject:gsub("^mp%-dead%.", "mp."), letter.body, {
    ["Nats-Msg-Id"] = ("dead-%.0f-%s"):format(letter.seq, letter.headers["Nats-Time-Stamp"]),
    ["Mp-Format"] = letter.headers["Mp-Format"],
  })
  if seq then
    seq, why, code = js:api("STREAM.MSG.DELETE." .. streams.DEAD, { seq = letter.seq })
  end
  if not seq then
    bus.fail(("%.0f: %s"):format(letter.seq, why), code)
  end
end

local REASON_ALONE = "dead letter %.0f is there by its reason alone, so it stays"

local function resend_all(js, subject, context)
  local count = 0
  for letter in letters(js, subject) do
    if is_reason_alone(letter) then
      context:note(REASON_ALONE, letter.seq)
    else
      resend(js, letter)
      count = count + 1
    end
  end
  return count
end

-- The numbers that arguments are, in decimal digits; "all" is none of these.
local function numbers_of(words)
  local numbers = {}
  for i, text in ipairs(words) do
    local number = text:match "^%d+$" and tonumber(text)
    if text == "all" then
      Context.fail(exit.usage, "%s: all stands alone", table.concat(words, " "))
    elseif not number or number < 1 or number > NUMBER_MAX then
      Context.fail(exit.usage, "%s: expected a number as `mixpanel dead list` shows, or all", text)
    end
    numbers[i] = number
  end
  return numbers
end

local function resend_some(js, numbers)
  last_number(js) -- the stream is there
  for i, number in ipairs(numbers) do
    local letter, why, code = js:message(streams.DEAD, { seq = number })
    if letter == nil then
      bus.fail(why, code)
    elseif not letter then
      Context.fail(exit.input, "there is no dead letter %.0f; %d were sent again", number, i - 1)
    end
    if is_reason_alone(letter) then
      Context.fail(exit.input, REASON_ALONE .. "; %d were sent again", number, i - 1)
    end
    resend(js, letter)
  end
  return #numbers
end

function ACTIONS.resend(args, context)
  local subject = filter(args)
  local all = #args.number == 1 and args.number[1] == "all"
  if args.token and not all then
    Context.fail(exit.usage, "--token: only with all, as a number says which letter")
  end
  local numbers = not all and numbers_of(args.number)
  local count = bus.run(args, function(js)
    return all and resend_all(js, subject, context) or resend_some(js, numbers)
  end)
  context:say("%d sent again.", count)
  return exit.ok
end

function dead.run(args, context)
  return ACTIONS[args.action](args, context)
end

return dead
