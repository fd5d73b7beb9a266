-- Writes what was measured as results.md.
local targets = require "targets"
local run = require("counts").run

local Results = {}

local lines

local function say(format, ...)
  lines[#lines + 1] = string.format(format, ...)
end

local function row(...)
  local cells = { ... }
  for i, cell in ipairs(cells) do
    cells[i] = tostring(cell)
  end
  lines[#lines + 1] = "| " .. table.concat(cells, " | ") .. " |"
end

local function head(...)
  row(...)
  local rule = {}
  for i = 1, select("#", ...) do
    rule[i] = i == 1 and "---" or "---:"
  end
  row(table.unpack(rule))
end

local function ratio(a, b)
  return ("%.3f"):format(a / b)
end

local function ns(value)
  return ("%.0f"):format(value)
end

local function us(value)
  return value < 1e6 and ("%.1f µs"):format(value / 1e3) or ("%.1f ms"):format(value / 1e6)
end

-- ---- the machine ----

local function machine(measured)
  local function version(command)
    return run("%s 2>&1 | head -n 1", command):gsub("\n", "")
  end
  local processor = run("grep -m 1 'model name' /proc/cpuinfo || echo unknown")
  say "# Results\n"
  say "Written by `make bench`, from one run. Times of a busy machine say little by"
  say "themselves; read the ratios.\n"
  say("- %s, %s", os.date "%Y-%m-%d", run("uname -srm"):gsub("\n", ""))
  say(
    "- %s processors: %s",
    run("nproc"):gsub("\n", ""),
    processor:gsub("^[^:]*:%s*", ""):gsub("\n", "")
  )
  say("- load averages before and after: %s, %s", measured.load, measured.load_after)
  say("- %s; %s; %s", version "cc --version", version "lua5.4 -v", version "luajit -v")
  say(
    "- Node %s; the sink is %s",
    version "node --version",
    version "build/nginx/root/usr/sbin/nginx -v"
  )
  say("- %.0f minutes", measured.minutes)
  if measured.scale ~= 1 then
    say("- BENCH_SCALE=%g: fewer events than a full run sends", measured.scale)
  end
  say ""
end

local function write_targets(m)
  say "## Targets\n"
  head("what", "measured", "target", "")
  for _, cells in ipairs(targets.of(m)) do
    row(table.unpack(cells))
  end
  say ""
end

-- ---- calls ----

local shapes = {
  { "typical", "10 flat properties, 17 fields, 461 bytes" },
  { "precise", "the same, floats with all their digits" },
  { "p1", "1 property" },
  { "p10", "10 properties with long names" },
  { "p50", "50 properties" },
  { "p200", "200 properties" },
  { "nested", "objects and lists" },
  { "long", "a text of 1 KB" },
  { "escaped", "text to escape" },
  { "unicode", "text that is not ASCII" },
  { "int64", "64-bit integers" },
}

local function write_calls(m)
  say "## One call\n"
  say "CPU time of the calling thread in ns, and as a ratio to `cjson.encode` of a table"
  say "that somebody merged before. The table of properties is built outside of what"
  say "is measured. Read only: walking through the table by Lua's API, without writing"
  say "anything. Debian's lua-cjson rounds floats to 14 digits.\n"
  head("event", "read only", "`cjson.encode`", "`track`", "ratio", "`track` on LuaJIT", "ratio")
  for _, shape in ipairs(shapes) do
    local name, text = table.unpack(shape)
    local track, encode = m.lua["track " .. name], m.lua["encode " .. name]
    local jit, jit_encode = m.luajit["track " .. name], m.luajit["encode " .. name]
    row(
      text,
      ns(m.lua["walk " .. name]),
      ns(encode),
      ns(track),
      ratio(track, encode),
      ns(jit),
      ratio(jit, jit_encode)
    )
  end
  say ""
  local base, jit_base = m.lua["encode typical"], m.luajit["encode typical"]
  head("other", "Lua 5.4", "of `cjson.encode`, typical", "LuaJIT", "ratio")
  for _, name in ipairs {
    "empty",
    "build",
    "merge typical",
    "spool typical",
    "people:set",
    "track_batch",
    "import_batch",
    "collect",
    "decode and track",
    "collect one",
    "collect form",
    "decode and track one",
  } do
    local texts = {
      empty = "a call into C that does nothing",
      build = "building the table of the typical event",
      ["merge typical"] = "merge, `cjson.encode`, queue",
      ["spool typical"] = "`track` of the typical event with a spool",
      ["people:set"] = "`people:set`, the same 10 properties",
      track_batch = "`track_batch` of 2000, per event",
      import_batch = "`import_batch` of 2000, per event",
      collect = "`collect` of 50, per event",
      ["collect one"] = "`collect` of a browser's event, as JSON",
      ["collect form"] = "`collect` of a browser's event, as a form with base64",
      ["decode and track one"] = "`cjson.decode` of a browser's event and `track`",
      ["decode and track"] = "`cjson.decode` of 50 and `track`, per event",
    }
    row(
      texts[name],
      ns(m.lua[name]),
      ratio(m.lua[name], base),
      ns(m.luajit[name]),
      ratio(m.luajit[name], jit_base)
    )
  end
  say ""
  say "Instructions on Lua 5.4 (callgrind):\n"
  head(
    "event",
    "read only",
    "`cjson.encode`",
    "merge, encode, queue",
    "`track`",
    "of encode",
    "of merge"
  )
  for _, shape in ipairs { "typical", "precise" } do
    local i = m.instructions
    local track, encode, merge = i["track " .. shape], i["encode " .. shape], i["merge " .. shape]
    row(shape, i["walk " .. shape], encode, merge, track, ratio(track, encode), ratio(track, merge))
  end
  say ""
end

-- ---- delivery ----

local function mib(kib)
  return ("%.0f MiB"):format(kib / 1024)
end

local function write_deliveries(m)
  local d = m.deliveries
  say "## From the program to the sink\n"
  say(
    "%d typical events, built in a loop and delivered; CPU of the whole process.\n",
    d.plain.events
  )
  head(
    "",
    "CPU per event",
    "ratio",
    "real time per event",
    "bytes per event",
    "requests",
    "peak memory"
  )
  for _, entry in ipairs {
    { "mixpanel for Lua, no gzip", "plain", "node" },
    { "mixpanel for Lua, gzip 1 (default)", "gzip", "import" },
    { "mixpanel for Lua, gzip 6", "gzip6", "import" },
    { "Node SDK `mixpanel`, `track_batch`", "node", "node" },
    { "npm `mixpanel-import`, gzip (its default)", "import", "import" },
    { "npm `mixpanel-import`, no gzip", "import_plain", "import" },
  } do
    local result, base = d[entry[2]], d[entry[3]]
    row(
      entry[1],
      us(result.cpu_ns),
      ratio(result.cpu_ns, base.cpu_ns) .. " of " .. entry[3],
      us(result.wall_ns),
      ns(result.bytes),
      result.requests,
      mib(result.peak_kib)
    )
  end
  say ""
  say "By way of a bus, gzip 1: a client that hands its events to a server of NATS, one"
  say "that sends as many to the sink, in turn with it, and `mixpanel forward`, which"
  say "brings them from that server to the sink:\n"
  head("", "CPU per event", "ratio")
  for _, entry in ipairs {
    { "by curl", m.bus.curl_ns },
    { "to the bus", m.bus.bus_ns },
    { "from the bus to the sink", m.bus.forwarded_ns },
  } do
    row(entry[1], us(entry[2]), ratio(entry[2], m.bus.curl_ns))
  end
  say ""
  say "How the cost changes with the number of events, gzip 1:\n"
  head("events", "CPU per event", "real time per event", "peak memory", "memory at each tenth, MiB")
  for _, result in ipairs(m.growth) do
    local steps = {}
    for i, kib in ipairs(result.memory) do
      steps[i] = ("%.0f"):format(kib / 1024)
    end
    row(
      ("%d"):format(result.events),
      us(result.cpu_ns),
      us(result.wall_ns),
      mib(result.peak_kib),
      table.concat(steps, " ")
    )
  end
  say ""
  say("And with clients that take turns, %d events:\n", d.plain.events)
  head("clients", "projects", "CPU per event", "ratio", "peak memory")
  for _, entry in ipairs(m.crowd) do
    row(
      entry.clients,
      entry.projects or 1,
      us(entry.result.cpu_ns),
      ratio(entry.result.cpu_ns, m.crowd[1].result.cpu_ns),
      mib(entry.result.peak_kib)
    )
  end
  say ""
end

local function write_files(m)
  say "## From a file to the sink\n"
  say("`mixpanel import` and npm `mixpanel-import` with its defaults, from start to end,")
  say("%d events; CPU and memory of all processes that take part.\n", m.files.events)
  head("file", "bytes", "CPU per event", "ratio", "real time per event", "ratio", "peak memory")
  for _, file in ipairs(m.files.files) do
    for _, who in ipairs { "ours", "peer" } do
      local result, peer = file[who], file.peer
      row(
        file.kind .. (who == "ours" and ", `mixpanel import`" or ", npm `mixpanel-import`"),
        ("%.0f"):format(file.bytes),
        us(result.cpu_ns),
        ratio(result.cpu_ns, peer.cpu_ns),
        us(result.wall_ns),
        ratio(result.wall_ns, peer.wall_ns),
        mib(result.peak_kib)
      )
    end
  end
  say ""
end

local function write_nginx(m)
  say "## nginx\n"
  say "CPU of a worker's main thread per request, the least of nine rounds. The"
  say "neighbour is a process that tracks as many events, to the same sink.\n"
  head("`log_by_lua` gives a table of properties to", "CPU per request", "`track`, of that")
  local alone, beside = m.nginx.alone, m.nginx.beside
  row("`track`", ("%.2f µs"):format(alone.track_us), "1")
  row(
    "a C function that does nothing",
    ("%.2f µs"):format(alone.empty_us),
    ("%.3f"):format(alone.ratio)
  )
  row(
    "the same, beside a neighbour",
    ("%.2f µs"):format(beside.empty_us),
    ("%.3f"):format(beside.ratio)
  )
  say ""
end

local function write_collector(m)
  local found = m.collector
  say "## Collector\n"
  say "wrk posts single events, as browsers do, over 32 connections to one worker of"
  say "nginx: as fast as it can, and the same load for all, where a connection pauses up"
  say "to 10 ms before each request; the best of three rounds in turn. Requests and"
  say "bytes are those that reach Mixpanel's place for each event.\n"
  head("", "requests/s", "p99", "requests", "bytes", "requests/s, paced", "p99, paced")
  for _, entry in ipairs {
    { "the collector", found.collector },
    { "a plain proxy, its connections kept", found.proxy },
    { "the collector, Mixpanel answers in 2 s", found.late },
  } do
    local result = entry[2]
    row(
      entry[1],
      ("%.0f"):format(result.rate),
      ("%.1f ms"):format(result.p99 / 1e3),
      result.requests and ("%.4f"):format(result.requests) or "",
      result.bytes and ("%.0f"):format(result.bytes) or "",
      ("%.0f"):format(result.paced.rate),
      ("%.2f ms"):format(result.paced.p99 / 1e3)
    )
  end
  say ""
end

-- ---- single calls ----

local function write_latencies(title, latencies)
  say("%s\n", title)
  head(
    "server",
    "p50",
    "p99",
    "p99.99",
    "of healthy",
    "max",
    "p99.99 CPU",
    "max CPU",
    "longest in every run, CPU",
    "first call CPU"
  )
  for _, server in ipairs { "none", "healthy", "slow", "failing", "dead" } do
    local wall, cpu = latencies[server].wall, latencies[server].cpu
    row(
      server == "none" and "a call that does nothing" or server,
      us(wall.p50),
      us(wall.p99),
      us(wall.p9999),
      ratio(wall.p9999, latencies.healthy.wall.p9999),
      us(wall.max),
      us(cpu.p9999),
      us(cpu.max),
      us(latencies[server].longest),
      us(latencies[server].first)
    )
  end
  say ""
end

local function write_spooled(title, latencies, list)
  say("%s\n", title)
  head(
    "spool, disk",
    "server",
    "p50",
    "p99",
    "p99.99",
    "of without",
    "max",
    "p99.99 CPU",
    "max CPU"
  )
  for _, entry in ipairs(list) do
    local wall, cpu = entry.result.wall, entry.result.cpu
    row(
      entry.disk,
      entry.server,
      us(wall.p50),
      us(wall.p99),
      us(wall.p9999),
      ratio(wall.p9999, latencies[entry.server].wall.p9999),
      us(wall.max),
      us(cpu.p9999),
      us(cpu.max)
    )
  end
  say ""
end

function Results.write(path, measured)
  lines = {}
  machine(measured)
  write_targets(measured)
  write_calls(measured)
  write_deliveries(measured)
  write_files(measured)
  write_nginx(measured)
  write_collector(measured)
  say "## How long single calls take\n"
  say "The clocks are read around every call, which is in the figures. Real time holds"
  say "what the scheduler gave to others; the CPU time is the calling thread's own. The"
  say "first call of a process starts the sending thread and is shown apart."
  say "Healthy, slow (2 s for a reply), failing (503), dead (nobody listens); the run in"
  say "the middle of three that took turns. What made a call long only in some of them"
  say "was not the call: the longest in every run is the least of the three maxima.\n"
  write_latencies("A million calls without a pause:", measured.unpaced)
  write_latencies("200 calls in each frame, 60 frames a second:", measured.frames)
  say "With a spool, one run each; a busy disk is one to which somebody writes and syncs"
  say "64 MiB again and again:\n"
  write_spooled("A million calls without a pause:", measured.unpaced, measured.unpaced_spool)
  write_spooled("200 calls in each frame:", measured.frames, measured.frames_spool)
  local file = assert(io.open(path, "w"))
  file:write(table.concat(lines, "\n"))
  file:close()
end

return Results
