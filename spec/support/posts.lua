-- Records as SDKs post them, and what becomes of them with a manual transport.
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local socket = require "socket"

local posts = { NOW = os.time(), DAY = 24 * 3600 }
local NOW = posts.NOW
-- Busted loads this anew for each file, in one process: names of clients, which
-- share a project when they are equal, must differ nevertheless.
local prefix = ("posts %.6f "):format(socket.gettime())
local names = 0

function posts.client(options)
  options = options or {}
  names = names + 1
  options.transport = "manual"
  options.name = prefix .. names
  options.gzip = options.gzip or false
  return mixpanel.new("projecttoken", options)
end

local REPLIES = {
  ["/import"] = '{"code":200,"num_records_imported":1,"status":"OK"}',
}

-- Delivers all that waits: a list of { path, query, record, json } in order.
function posts.arrived(mp)
  local records = {}
  mp:flush()
  for request in
    function()
      return (mp:next_request())
    end
  do
    local path, query = request.url:match "^https://[^/]+(/[^?]+)%?(.*)$"
    for line in request.body:sub(2, -2):gmatch "[^\n]+" do
      local json = line:gsub(",$", "")
      records[#records + 1] =
        { path = path, query = query, json = json, record = cjson.decode(json) }
    end
    mp:answer(request.id, 200, nil, REPLIES[path] or '{"status":1,"error":null}')
  end
  return records
end

function posts.escape(text)
  return (text:gsub("[^%w]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

function posts.base64(text)
  local bits = text:gsub(".", function(c)
    local out, byte = {}, c:byte()
    for i = 8, 1, -1 do
      out[9 - i] = math.floor(byte / 2 ^ (i - 1)) % 2
    end
    return table.concat(out)
  end)
  bits = bits .. ("0"):rep(-#bits % 6)
  local coded = bits:gsub("......", function(six)
    local at = tonumber(six, 2) + 1
    return ALPHABET:sub(at, at)
  end)
  return coded .. ("="):rep(-#coded % 4)
end

function posts.event(properties)
  return ('{"event":"Click","properties":{"token":"projecttoken","time":%d%s}}'):format(
    NOW,
    properties and "," .. properties or ""
  )
end

function posts.update(operation)
  return ('{"$token":"projecttoken","$distinct_id":"u",%s}'):format(
    operation or '"$set":{"plan":"pro"}'
  )
end

return posts
