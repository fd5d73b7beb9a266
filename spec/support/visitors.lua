-- Visitors of a site, who each ask for a page of their own, /track?n=NUMBER, some
-- of them at a time.
local socket = require "socket"

local Visitors = {}
Visitors.__index = Visitors

local AT_ONCE = 16

local function new(host)
  return setmetatable({ host = host, count = 0, waiting = {}, taken = {} }, Visitors)
end

local function send(self)
  self.count = self.count + 1
  local connection = socket.connect("127.0.0.1", self.host.port)
  if not connection then
    return -- refused with a socket that an ending worker left
  end
  connection:settimeout(0)
  connection:send(
    ("GET /track?n=%d HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"):format(self.count)
  )
  self.waiting[#self.waiting + 1] = { n = self.count, connection = connection }
end

-- Whether there is an answer, or will be none.
local function is_over(self, visit)
  local line, why = visit.connection:receive "*l"
  if not line and why == "timeout" then
    return false
  end
  visit.connection:close()
  self.taken[visit.n] = line ~= nil and line:find "^HTTP/1.1 200" ~= nil or nil
  return true
end

local function collect(self)
  for i = #self.waiting, 1, -1 do
    if is_over(self, self.waiting[i]) then
      table.remove(self.waiting, i)
    end
  end
end

-- Sends so many more, as others are answered.
function Visitors:come(number)
  for _ = 1, number do
    send(self)
    collect(self)
    local deadline = socket.gettime() + 60
    while #self.waiting >= AT_ONCE do
      assert(socket.gettime() < deadline, "no answer")
      socket.sleep(0.001)
      collect(self)
    end
  end
end

-- Waits for the last answers; how many were 200.
function Visitors:leave()
  local deadline, taken = socket.gettime() + 60, 0
  while #self.waiting > 0 do
    assert(socket.gettime() < deadline, "no answer")
    socket.sleep(0.001)
    collect(self)
  end
  for _ in pairs(self.taken) do
    taken = taken + 1
  end
  return taken
end

return { new = new }
