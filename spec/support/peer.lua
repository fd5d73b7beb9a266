-- A server in the spec's own hands, one connection at a time, for what no
-- HTTP server does: it may stop, cut or never answer at any byte. The module
-- sends from a thread of its own, so the spec can serve meanwhile.
local socket = require "socket"

local Peer = {}
Peer.__index = Peer

local function open()
  local listener = assert(socket.bind("127.0.0.1", 0, 32))
  local _, port = listener:getsockname()
  listener:settimeout(10)
  return setmetatable({ listener = listener, url = "http://127.0.0.1:" .. port, port = port }, Peer)
end

-- The next connection.
function Peer:accept()
  local connection = assert(self.listener:accept())
  connection:settimeout(10)
  return connection
end

-- Reads a request; returns its head and body.
function Peer.read(connection)
  local lines = {}
  repeat
    local line = assert(connection:receive "*l")
    lines[#lines + 1] = line
  until line == ""
  local head = table.concat(lines, "\n")
  local length = tonumber(head:lower():match "content%-length: (%d+)")
  return head, assert(connection:receive(length))
end

function Peer.reply(connection, body)
  connection:send(
    ("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"):format(
      #body,
      body
    )
  )
end

-- Ends the connection with a reset instead of a goodbye.
function Peer.reset(connection)
  connection:setoption("linger", { on = true, timeout = 0 })
  connection:close()
end

function Peer:close()
  self.listener:close()
end

return { open = open, read = Peer.read, reply = Peer.reply, reset = Peer.reset }
