-- A client whose requests are carried here, so that a spec sees at once what
-- would be sent.
local assert = require "luassert"
local cjson = require "cjson"
local mixpanel = require "mixpanel"

local users = {}
local names = 0

-- Each file of specs may get this module anew, and must get other projects.
local prefix = tostring(users)

function users.client(options)
  options = options or {}
  names = names + 1
  options.transport = "manual"
  options.gzip = false
  options.name = prefix .. (options.name or names)
  return mixpanel.new("projecttoken", options)
end

-- Everything that was queued since, decoded, in order of the requests: each
-- record with its `endpoint`.
function users.sent(mp)
  local records = {}
  mp:flush()
  while true do
    local request = mp:next_request()
    if not request then
      return records
    end
    local endpoint = request.url:match "/(%l+)%?"
    for _, record in ipairs(cjson.decode(request.body)) do
      record.endpoint = endpoint
      records[#records + 1] = record
    end
    mp:answer(request.id, 200, nil, '{"status":1,"error":null}')
  end
end

-- The operations of updates, in order: { name, payload }.
function users.operations(records)
  local list = {}
  for _, record in ipairs(records) do
    for name, payload in pairs(record) do
      local id = name == "$token" or name:find "_id$" or name == "$ip" or name == "$time"
      if name:sub(1, 1) == "$" and not id then
        list[#list + 1] = { name, payload }
      end
    end
  end
  return list
end

-- The only event, or update, that was queued since.
function users.only(mp)
  local records = users.sent(mp)
  assert(#records == 1, ("%d records instead of 1"):format(#records))
  return records[1].properties or records[1], records[1]
end

-- A call must have returned nil, a message with this text, and the code.
function users.refused(code, text, ok, message, got)
  assert.is_nil(ok)
  assert.equal(code, got)
  assert.is_truthy(message:find(text, 1, true), message)
end

-- A call must raise an error with this text.
function users.fails(text, ...)
  local ok, message = pcall(...)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find(text, 1, true), tostring(message))
end

-- A client with this option `properties`, and others.
function users.client_with(properties, more)
  local options = { properties = properties }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return users.client(options)
end

-- The properties of what is sent, in order and by the names of the events.
function users.sent_properties(mp)
  local found = {}
  for i, record in ipairs(users.sent(mp)) do
    found[i] = record.properties
    found[record.event] = record.properties
  end
  return found
end

return users
