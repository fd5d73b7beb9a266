-- One thing, many times, for counting: arguments are what ("track", or with
-- what that is compared), a shape, and how often.
package.path = "bench/?.lua"
package.cpath = "build/5.4/?.so;build/bench/5.4/?.so;/usr/lib/x86_64-linux-gnu/lua/5.4/?.so;"
  .. "/usr/lib/aarch64-linux-gnu/lua/5.4/?.so"
local meter = require "meter"
local shapes = require "shapes"
local what, shape, n = arg[1], arg[2], tonumber(arg[3])
local properties = shapes[shape](12345)

local function tracker(spool)
  local mp = require("mixpanel").new("a1b2c3d4e5f60718293a4b5c6d7e8f90", {
    api_host = "http://127.0.0.1:9", -- where nobody listens
    properties = shapes.common,
    flush_interval = 3600,
    exit_timeout = 0,
    spool = spool,
  })
  return function(times)
    for _ = 1, times do
      mp:track("Purchase Completed", properties)
    end
  end
end

-- lua-cjson with a table that somebody made ready.
local function encoder()
  local cjson = require "cjson"
  local whole = shapes.whole(properties, 1)
  return function(times)
    for _ = 1, times do
      cjson.encode(whole)
    end
  end
end

-- What one would write in Lua: merge, encode, queue the string.
local function merger()
  local cjson = require "cjson"
  return function(times)
    local queue = {}
    for i = 1, times do
      queue[i % 2000 + 1] = cjson.encode(shapes.whole(properties, i))
    end
    return queue
  end
end

-- Lua's own part: reading the table through its API.
local function walker()
  return function(times)
    for _ = 1, times do
      meter.walk(properties)
    end
  end
end

-- On the disk of the working directory. Whoever runs this removes it, since
-- the end of the process still writes there.
local spool = what == "spool" and "build/bench/spool" or nil
local kinds = { track = tracker, spool = tracker, encode = encoder, merge = merger, walk = walker }
local act = kinds[what](spool)
act(20) -- builds what is built once
meter.sleep(3e8) -- until the sending thread has found nothing to do

io.open "/bench/begin"
local allocations = meter.allocations()
act(n)
allocations = meter.allocations() - allocations
io.open "/bench/end"
print(("allocations %d"):format(allocations))
