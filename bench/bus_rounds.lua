-- CPU of a record that goes to a bus, and of one that goes to the sink by curl; the
-- two take turns, the least of five. Arguments: the sink, how many events, and the
-- server of NATS.
local cjson = require "cjson"

local function deliver(url)
  local pipe = io.popen(("lua5.4 bench/deliver.lua %s %d 1"):format(url, arg[2]))
  local result = cjson.decode(pipe:read "*l")
  assert(pipe:close())
  return result.cpu_ns
end

local curl, bus = math.huge, math.huge
for _ = 1, 5 do
  curl = math.min(curl, deliver(arg[1]))
  bus = math.min(bus, deliver(arg[3]))
end
print(cjson.encode { curl_ns = curl, bus_ns = bus })
