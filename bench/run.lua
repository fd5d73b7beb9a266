-- Everything that is measured, in one run, as a table of ratios: results.md.
-- `make bench` builds and installs what this needs.
package.path = "bench/?.lua"
local cjson = require "cjson"
local Counts = require "counts"
local Table = require "results"
local run = Counts.run

local scale = tonumber(os.getenv "BENCH_SCALE" or 1) -- 0.1: a tenth of the events
local million = math.floor(1e6 * scale)

local sink = {}
for line in run("bench/sink start"):gmatch "[^\n]+" do
  local key, value = line:match "^(%w+)=(.*)$"
  sink[key] = value
end

-- The results that a program tells, one a line.
local function results(...)
  local list = {}
  for line in run(...):gmatch "[^\n]+" do
    if line:find "^{" then
      list[#list + 1] = cjson.decode(line)
    end
  end
  assert(#list > 0, string.format(...))
  return list
end

local function note(...)
  io.stderr:write(os.date "%H:%M:%S ", string.format(...), "\n")
end

-- ---- single parts ----

local function calls(lua)
  note("calls on %s", lua)
  local ns = {}
  for _, result in ipairs(results("%s bench/calls.lua %s", lua, sink.url)) do
    ns[result.name] = result.ns
  end
  return ns
end

local function instructions(counts)
  note "instructions"
  local list = {}
  for _, shape in ipairs { "typical", "precise" } do
    for _, what in ipairs { "track", "encode", "merge", "walk" } do
      local program = ("bench/subject.lua %s %s"):format(what, shape)
      list[what .. " " .. shape] = counts:instructions(program)
    end
  end
  list["spool typical"] = counts:instructions "bench/subject.lua spool typical"
  return list
end

local function received()
  local requests, bytes = run("bench/sink bytes %s", sink.dir):match "(%d+) (%d+)"
  return tonumber(requests), tonumber(bytes)
end

-- What a program that sends `n` events costs, and what the sink got.
local function delivery(name, n, command, ...)
  note("%s, %d events", name, n)
  local requests, bytes = received()
  local result = results(command, ...)[1]
  local requests_after, bytes_after = received()
  result.requests, result.bytes = requests_after - requests, (bytes_after - bytes) / n
  return result
end

local function ours(n, gzip, clients, apart)
  return delivery(
    ("mixpanel for Lua, gzip %s, %d clients"):format(gzip, clients or 1),
    n,
    "lua5.4 bench/deliver.lua %s %d %s %d %s",
    sink.url,
    n,
    gzip,
    clients or 1,
    apart and "projects" or ""
  )
end

local function deliveries()
  return {
    plain = ours(million, "off"),
    gzip = ours(million, "1"),
    gzip6 = ours(million, "6"),
    node = delivery(
      "Node SDK",
      million,
      "cd bench && node track_batch.js %s %d",
      sink.url,
      million
    ),
    import = delivery(
      "mixpanel-import, gzip",
      million,
      "cd bench && node mixpanel_import.js %s %d default",
      sink.url,
      million
    ),
    import_plain = delivery(
      "mixpanel-import",
      million,
      "cd bench && node mixpanel_import.js %s %d off",
      sink.url,
      million
    ),
  }
end

local function bus()
  note "to a bus"
  local found = results("bench/bus lua5.4 bench/bus_rounds.lua %s %d", sink.url, million)[1]
  local forwarded = results("bench/bus lua5.4 bench/forward.lua %s %d", sink.url, million)
  found.forwarded_ns = forwarded[1].cpu_ns
  return found
end

-- Nanoseconds of a decision, with a rule and without; the two take turns.
local function flags()
  note "flags"
  local best = { ours = {}, node = {} }
  for _ = 1, 3 do
    local list = {
      ours = results "lua5.4 bench/flags.lua",
      node = results "cd bench && node flags.js",
    }
    for who, found in pairs(list) do
      for _, result in ipairs(found) do
        best[who][result.name] = math.min(best[who][result.name] or math.huge, result.ns)
      end
    end
  end
  return best
end

-- Percentiles of single decisions while the server of the definitions answers
-- and while it is silent.
local function flags_latency()
  note "latency of flags"
  local found = {}
  for _, result in
    ipairs(
      results(
        "sandbox/sandbox run -- sh -c 'lua5.4 bench/flags_latency.lua $MIXPANEL_SANDBOX_URL %d'",
        million
      )
    )
  do
    found[result.name] = result
  end
  return found
end

local function growth()
  local list = {}
  for _, n in ipairs { 1000, 10000, 100000, million, 10 * million } do
    list[#list + 1] = ours(n, "1")
  end
  return list
end

local function crowd()
  local list = {}
  for _, clients in ipairs { 1, 4, 16, 64 } do
    list[#list + 1] = { clients = clients, result = ours(million, "1", clients) }
    if clients > 1 then
      local result = ours(million, "1", clients, true)
      list[#list + 1] = { clients = clients, projects = clients, result = result }
    end
  end
  return list
end

local servers = { "none", "healthy", "slow", "failing", "dead" }

-- Percentiles for each server, and for calls that do nothing, of runs that take
-- turns: for each the run whose p99.99 is in the middle, and in `longest` the
-- CPU of the longest call in the run where that was shortest: what does not
-- come back in every run is not the call's.
local function latencies(n, burst, runs)
  local found = { none = {}, healthy = {}, slow = {}, failing = {}, dead = {} }
  local urls = { none = "none", healthy = sink.url, slow = sink.slow }
  urls.failing, urls.dead = sink.failing, sink.dead
  for i = 1, runs do
    for _, server in ipairs(servers) do
      note("single calls, %s server, run %d of %d", server, i, runs)
      local command = "lua5.4 bench/latency.lua %s %d %d"
      found[server][i] = results(command, urls[server], n, burst)[1]
    end
  end
  for _, server in ipairs(servers) do
    local longest = math.huge
    for _, result in ipairs(found[server]) do
      longest = math.min(longest, result.cpu.max)
    end
    table.sort(found[server], function(a, b)
      return a.wall.p9999 < b.wall.p9999
    end)
    found[server] = found[server][(runs + 1) // 2]
    found[server].longest = longest
  end
  return found
end

-- The same with a spool, on a disk that is idle or that somebody else keeps
-- busy, by a healthy and by a dead server.
local function spooled(n, burst)
  local list = {}
  local folder = run("mktemp -d build/bench/spool.XXXXXX"):gsub("\n", "")
  for _, disk in ipairs { "idle", "busy" } do
    local load = disk == "busy"
      and run("bench/busy_disk %s >/dev/null 2>&1 & echo $!", folder):gsub("\n", "")
    for _, server in ipairs { "healthy", "dead" } do
      note("single calls with a spool, %s disk, %s server", disk, server)
      local command = "lua5.4 bench/latency.lua %s %d %d %s/%s.%s"
      local result = results(command, sink[server] or sink.url, n, burst, folder, disk, server)[1]
      list[#list + 1] = { disk = disk, server = server, result = result }
    end
    if load then
      run("kill %s; while kill -0 %s 2>/dev/null; do sleep 0.1; done", load, load)
    end
  end
  run("rm -rf %s", folder)
  return list
end

-- What the spec of nginx measures: CPU of a worker's main thread per request,
-- with `track` in log_by_lua and with an empty C function in its place.
local function nginx()
  note "nginx"
  local spec = "CPU_ROUNDS=9 lua5.4 $(command -v busted) spec/hosts/nginx_cpu_spec.lua 2>&1 || true"
  local out = run("%s", spec)
  local function read(label)
    local pattern = "empty C function" .. label .. ": ([%d.]+) %(([%d.]+) / ([%d.]+) us%)"
    local ratio, track, empty = out:match(pattern)
    assert(ratio, out)
    return { ratio = tonumber(ratio), track_us = tonumber(track), empty_us = tonumber(empty) }
  end
  return { alone = read "", beside = read " beside a neighbour" }
end

-- A collector of what browsers post, and a proxy that passes it on.
local function collector()
  note "collector"
  local command = "lua5.4 bench/collector.lua %s %s %s %d"
  return results(command, sink.url, sink.slow, sink.dir, million)[1]
end

-- Files through the command line, and through npm mixpanel-import.
local function files()
  note "files"
  return results("lua5.4 bench/import.lua %s %d 2>/dev/null", sink.url, million)[1]
end

-- Many projects in one process. The first three take turns.
local function many()
  note "many projects"
  local function measure(what, n)
    return results("lua5.4 bench/scale.lua %s %s %s", sink.url, what, n or "")[1]
  end
  local found = { requests = {}, fork = measure "fork", memory = measure("memory").figure }
  for _ = 1, 5 do
    for _, n in ipairs { 1, 1000, 10000 } do
      local us = measure("requests", n).figure
      found.requests[n] = math.min(found.requests[n] or math.huge, us)
    end
    found.open = math.min(found.open or math.huge, measure("open").figure)
  end
  note("%d profiles that wait", million)
  found.ids = results("lua5.4 bench/ids.lua %d", million)[1]
  return found
end

-- ---- all ----

local function measure(counts)
  local began = os.time()
  local load = run("cat /proc/loadavg"):match "%S+ %S+ %S+"
  return {
    instructions = instructions(counts),
    lua = calls "lua5.4",
    luajit = calls "luajit",
    deliveries = deliveries(),
    bus = bus(),
    files = files(),
    flags = flags(),
    flags_latency = flags_latency(),
    growth = growth(),
    crowd = crowd(),
    unpaced = latencies(million, 0, 3),
    frames = latencies(math.floor(120000 * scale), 200, 3),
    unpaced_spool = spooled(million, 0),
    frames_spool = spooled(math.floor(120000 * scale), 200),
    nginx = nginx(),
    collector = collector(),
    many = many(),
    load = load,
    load_after = run("cat /proc/loadavg"):match "%S+ %S+ %S+",
    minutes = (os.time() - began) / 60,
    scale = scale,
  }
end

local counts = Counts.new()
local ok, measured = xpcall(measure, debug.traceback, counts)
counts:close()
run("bench/sink stop %s", sink.dir)
assert(ok, measured)
Table.write("bench/results.md", measured)
note("%.0f minutes; see bench/results.md", measured.minutes)
