-- Run by alloc_spec.c, where the arguments are explained.
local attempt, read, open, most = ...
local mixpanel = open()

local function new(name, options)
  options = options or {}
  options.transport, options.gzip, options.name = "manual", false, name
  return mixpanel.new("projecttoken", options)
end

local mp

-- The same project through a module without buffers that are already large.
local function begin()
  mixpanel = open()
  mp = new "alloc"
end

begin()
local deep = {
  distinct_id = "u",
  time = 1700000000,
  text = ("x"):rep(300) .. "\255",
  list = { 1, 2.5, "three", { four = 4 } },
  [7] = mixpanel.array {},
  none = mixpanel.null,
}

-- Each call and how many records it makes; at most one result beside them.
local calls = {
  track = function()
    return mp:track("Event", deep), 1
  end,
  track_refused = function()
    return not mp:track("Event", { distinct_id = "u", f = print }) and true, 0
  end,
  track_batch = function()
    local list = {}
    for i = 1, 20 do
      list[i] = { event = "Event" .. i, properties = deep }
    end
    return mp:track_batch(list), 20
  end,
  import = function()
    return mp:import("Event", 1700000000, deep), 1
  end,
  identify = function()
    return mp:identify("user", "device"), 1
  end,
  people = function()
    return mp.people:set("u", deep, { ip = "1.2.3.4" }), 1
  end,
  union = function()
    return mp.people:union("u", "tags", { "a", "b" }), 1
  end,
  charge = function()
    return mp.people:track_charge("u", 12.5, { item = "x" }), 1
  end,
  groups = function()
    return mp.groups:set("company", "acme", "seats", 40), 1
  end,
  set_config = function()
    return mp:set_config { flush_interval = 1, properties = { plan = "pro", list = { 1, 2 } } }, 0
  end,
  new = function()
    local account = { username = "u", secret = "s", project_id = "1" }
    local other = new("other", { properties = { a = 1 }, service_account = account })
    other:close(0)
    return tostring(other) and true, 0
  end,
  collect = function()
    local event = '{"event":"E","properties":{"token":"projecttoken","a":"\\n\\u00e9"}}'
    local result = mp:collect("track", "[" .. event .. "," .. event .. ",7]", {
      tokens = { web = "projecttoken" },
      describe = function(record)
        record.properties.list = { 1, { two = 2 } }
      end,
    })
    return result and result.refused == 1, 2
  end,
  stats = function()
    return mp:stats() and true, 0
  end,
  user = function()
    local me = mp:user { distinct_id = "u" }
    me:register { level = 3 }
    me:time_event "Played"
    return me:track("Played", deep), 1
  end,
}

-- Carries what was accepted, and answers with failures in between.
local replies = { 503, 200, 400, 200 }
local turn = 0
local function carry()
  local records = 0
  mp:flush(0)
  while true do
    local request = mp:next_request()
    if not request then
      return records
    end
    turn = turn + 1
    records = records + read(request.body)
    mp:answer(request.id, 200, {}, "1")
  end
end

local function exhaust(name, call, times)
  local n, failed = 0, true
  while failed do
    n = n + 1
    assert(n < most, name)
    begin()
    local before = mp:stats().accepted
    local ran, ok, count
    failed, ran, ok, count = attempt(n, times, call)
    collectgarbage()
    local accepted = mp:stats().accepted - before
    local expected = ran and ok and count or 0
    if accepted ~= expected then
      error(("%s, n = %d of %d: accepted %d, not %d"):format(name, n, times, accepted, expected))
    end
    -- Nothing is locked, nothing half written.
    assert(mp:track("After", { distinct_id = "u" }))
    if carry() ~= accepted + 1 then
      error(("%s, n = %d of %d: other records arrived"):format(name, n, times))
    end
  end
  return n - 1
end

local failures = 0

for name, call in pairs(calls) do
  for _, times in ipairs { 1, 2, 1000000 } do
    failures = failures + exhaust(name, call, times)
  end
end

-- Buffers grow at every place of a record.
for length = 1, 260 do
  local text = ("x"):rep(length)
  failures = failures
    + exhaust("track", function()
      return mp:track("Event", { distinct_id = "u", text = text }), 1
    end, 1)
    + exhaust("set", function()
      return mp.people:set("u", "text", text), 1
    end, 1)
end
assert(failures > 2000, failures)

-- What a request takes to be made and answered may be missing too: then the
-- records wait for the next.
for _, times in ipairs { 1, 2 } do
  local n, failed = 0, true
  while failed do
    n = n + 1
    assert(n < most)
    begin()
    assert(mp:track("Event", deep))
    mp:flush(0)
    local before = mp:stats()
    failed = attempt(n, times, function()
      local request = mp:next_request()
      turn = turn + 1
      local status = replies[turn % #replies + 1]
      mp:answer(request.id, status, { ["Retry-After"] = "0" }, '{"error":"a reason to be read"}')
      mp:poll()
    end)
    local after = mp:stats()
    assert(after.accepted == before.accepted)
    assert(after.delivered + after.rejected + after.queued + after.in_flight == after.accepted)
  end
end
