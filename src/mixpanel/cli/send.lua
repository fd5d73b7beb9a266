-- One event, from the command line or a script of the shell.
local Context = require "mixpanel.cli.context"
local cjson = require "cjson.safe"

local send = { summary = "Send one event." }

send.description = [[
Send one event. A property is NAME=VALUE with a text, or NAME:=JSON: plan=pro
count:=3 tags:='["a","b"]'. An event with time=… older than five days goes to
/import.]]

function send.add(parser)
  parser:argument("event", "Name of the event.")
  parser:argument("property", "Properties: name=text or name:=json."):args "*"
  Context.add_project(parser)
  parser:option("--distinct-id", "Who did it; the property distinct_id."):argname "<id>"
  parser
    :option("--timeout", "Seconds to wait for the reply.")
    :default "30"
    :convert(Context.seconds "--timeout")
    :argname "<s>"
end

-- False if a number is too large for Lua, and so would be sent as null.
local function is_finite(value)
  if type(value) == "table" then
    for _, member in pairs(value) do
      if not is_finite(member) then
        return false
      end
    end
  end
  return value ~= math.huge and value ~= -math.huge
end

-- Integers keep all their digits where Lua has integers.
local function decode(json)
  local value, why
  if json:find "^%s*%-?%d+%s*$" then
    value = tonumber(json)
  else
    value, why = cjson.decode(json)
  end
  if value ~= nil and not is_finite(value) then
    return nil, "a number is too large"
  end
  return value, why
end

local function read_property(properties, text)
  local name, form, value = text:match "^([^=]-)(:?=)(.*)$"
  if not name or name == "" then
    Context.fail(Context.exit.usage, "%s: expected a property as name=text or name:=json", text)
  end
  if form == ":=" then
    local decoded, why = decode(value)
    if decoded == nil then
      Context.fail(Context.exit.usage, "%s: no JSON: %s", text, why)
    end
    value = decoded
  end
  properties[name] = value
end

local function read_properties(args)
  local properties = { distinct_id = args.distinct_id }
  for _, text in ipairs(args.property) do
    read_property(properties, text)
  end
  if type(properties.time) == "string" then
    properties.time = tonumber(properties.time) or properties.time
  end
  return properties
end

-- What the reports say of a record that did not arrive.
local function reasons(client)
  local texts = {}
  for _, report in ipairs(client:poll()) do
    local record = report.records[1] or {}
    texts[#texts + 1] = (record.field and record.field .. ": " or "")
      .. (record.message or report.message or report.outcome)
  end
  return table.concat(texts, "; ")
end

function send.run(args, context)
  local client = context:client(args, { flush_interval = 0.05 })
  local ok, message, code = client:track(args.event, read_properties(args))
  if not ok then
    Context.fail(Context.status_of(code), "%s", message)
  end
  ok, message, code = client:flush(args.timeout)
  local stats = client:stats()
  if stats.delivered == 1 then
    context:say("Delivered: %s", args.event)
    return context.exit.ok
  elseif not ok then
    Context.fail(Context.status_of(code), "%s: %s", message, stats.last_error or "no reply yet")
  end
  Context.fail(context.exit.refused, "not taken: %s", reasons(client))
end

return send
