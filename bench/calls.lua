-- What calls cost the thread that makes them, in ns of its CPU time: the best
-- of some rounds in which all of them take turns. The argument is the sink.
package.path = "bench/?.lua"
local setup = require "setup"
local meter, shapes, cjson = setup.meter, setup.shapes, setup.cjson
local url = assert(arg[1], "usage: calls.lua URL")
local rounds = 11

local mp = setup.mixpanel.new(setup.token, {
  api_host = url,
  properties = shapes.common,
  max_queue_bytes = 1024 * 1024 * 1024,
})

-- In a project of its own, on the disk of the working directory.
local kept = setup.mixpanel.new(setup.token .. 1, {
  api_host = url,
  properties = shapes.common,
  max_queue_bytes = 1024 * 1024 * 1024,
  spool = "build/bench/spool",
})

-- Adds nothing to what others wrote.
local bare = setup.mixpanel.new(setup.token .. 2, {
  api_host = url,
  max_queue_bytes = 1024 * 1024 * 1024,
})

local subjects = {}

-- `act(n)` does it n times; `per` is how many events one time is.
local function add(name, n, act, per)
  subjects[#subjects + 1] = { name = name, n = n, act = act, per = per or 1, best = math.huge }
end

add("empty", 100000, function(n)
  for _ = 1, n do
    meter.empty()
  end
end)

add("build", 50000, function(n)
  local t
  for i = 1, n do
    t = {
      distinct_id = "user-7f3a9c21",
      plan = "enterprise",
      city = "Zürich, Schweiz",
      referrer = "https://example.com/pricing",
      screen = "checkout/payment",
      items = i,
      level = 42,
      price = 129.95,
      duration = 12.375,
      trial = false,
    }
  end
  return t
end)

-- Few enough of each shape that the segments of a round are warm.
local times = { p50 = 2000, p200 = 400, large = 2000, long = 2000, unicode = 4000 }

for _, name in ipairs {
  "typical",
  "precise",
  "p1",
  "p10",
  "p50",
  "p200",
  "nested",
  "long",
  "escaped",
  "unicode",
  "int64",
} do
  local properties = shapes[name](12345)
  local whole = shapes.whole(properties, 1)
  local n = times[name] or 6000
  add("walk " .. name, n, function(count)
    for _ = 1, count do
      meter.walk(properties)
    end
  end)
  add("track " .. name, n, function(count)
    for _ = 1, count do
      mp:track("Purchase Completed", properties)
    end
  end)
  add("encode " .. name, n, function(count)
    for _ = 1, count do
      cjson.encode(whole)
    end
  end)
end

do
  local properties = shapes.typical(12345)
  local list, dated = {}, {}
  add("merge typical", 6000, function(count)
    local queue = {}
    for i = 1, count do
      queue[i % 2000 + 1] = cjson.encode(shapes.whole(properties, i))
    end
    return queue
  end)
  add("spool typical", 6000, function(count)
    for _ = 1, count do
      kept:track("Purchase Completed", properties)
    end
  end)
  add("people:set", 6000, function(count)
    local people = mp.people
    for _ = 1, count do
      people:set("user-1", properties)
    end
  end)
  for i = 1, 2000 do
    list[i] = { event = "Purchase Completed", properties = properties }
    local past = { time = 1700000000 + i }
    for name, value in pairs(properties) do
      past[name] = value
    end
    dated[i] = { event = "Purchase Completed", properties = past }
  end
  add("track_batch", 3, function(count)
    for _ = 1, count do
      assert(mp:track_batch(list))
    end
  end, 2000)
  add("import_batch", 3, function(count)
    for _ = 1, count do
      assert(mp:import_batch(dated))
    end
  end, 2000)
end

do
  local events = {}
  for i = 1, 50 do
    local event = shapes.whole(shapes.typical(12345), i)
    event.properties.token = setup.token .. 2
    event.properties.time = os.time() * 1000 -- collect takes none that is old
    events[i] = event
  end
  local body = cjson.encode(events)
  add("collect", 200, function(count)
    for _ = 1, count do
      assert(bare:collect("track", body).taken == 50)
    end
  end, 50)
  add("decode and track", 200, function(count)
    for _ = 1, count do
      for _, event in ipairs(cjson.decode(body)) do
        assert(bare:track(event.event, event.properties))
      end
    end
  end, 50)
end

do
  local body = shapes.browser(setup.token .. 2, os.time())
  local escapes = { ["+"] = "%2B", ["/"] = "%2F", ["="] = "%3D" }
  local form = "data=" .. require("mime.core").b64(body):gsub("[+/=]", escapes)
  add("collect one", 6000, function(count)
    for _ = 1, count do
      assert(bare:collect("track", body).taken == 1)
    end
  end)
  add("collect form", 6000, function(count)
    for _ = 1, count do
      assert(bare:collect("track", form).taken == 1)
    end
  end)
  add("decode and track one", 6000, function(count)
    for _ = 1, count do
      local event = cjson.decode(body)
      assert(bare:track(event.event, event.properties))
    end
  end)
end

for _ = 1, rounds do
  for _, subject in ipairs(subjects) do
    collectgarbage()
    local ns = meter.thread_ns()
    subject.act(subject.n)
    ns = (meter.thread_ns() - ns) / subject.n / subject.per
    subject.best = math.min(subject.best, ns)
    for _, client in ipairs { mp, kept, bare } do
      assert(client:flush(60)) -- with nothing left over for the next
    end
  end
end

for _, subject in ipairs(subjects) do
  setup.tell { name = subject.name, ns = subject.best }
end
mp:close(5)
kept:close(5)
bare:close(5)
