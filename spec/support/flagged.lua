-- Clients with feature flags whose host, the spec, carries the requests.
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local socket = require "socket"

local flagged = { clients = 0 }

-- Busted loads this anew for each file, in one process: names of clients, which
-- share a project when they are equal, must differ nevertheless.
flagged.prefix = ("flagged %.6f "):format(socket.gettime())

-- A client that has fetched nothing; `options` may be nil.
function flagged.new(options)
  flagged.clients = flagged.clients + 1
  options = options or {}
  options.transport = "manual"
  options.gzip = false
  options.name = options.name or flagged.prefix .. flagged.clients
  options.flags = options.flags or "local"
  return mixpanel.new("projecttoken", options)
end

-- The next request for definitions, which must be due.
function flagged.fetch(mp)
  assert(mp.local_flags:refresh())
  local request = assert(mp:next_request())
  assert(request.method == "GET", request.method)
  return request
end

-- Answers a request for definitions with a list of flags.
function flagged.answer(mp, list, headers)
  local text = type(list) == "string" and list or cjson.encode { flags = list }
  return mp:answer(flagged.fetch(mp).id, 200, headers, text)
end

-- A client that has these flags.
function flagged.with(list, options)
  local mp = flagged.new(options)
  flagged.answer(mp, list)
  return mp, mp.local_flags
end

-- The events that were queued since the last call.
function flagged.events(mp)
  local events = {}
  mp:flush()
  for request in mp.next_request, mp do
    for _, event in ipairs(cjson.decode(request.body)) do
      events[#events + 1] = event
    end
    mp:answer(request.id, 200, nil, "1")
  end
  return events
end

return flagged
