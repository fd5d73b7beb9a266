-- What the figures are to be, and whether they are.
local Targets = {}

local targets

local function target(name, figure, limit, format)
  targets[#targets + 1] = {
    name,
    (format or "%.3f"):format(figure),
    "≤ " .. (format or "%.3f"):format(limit),
    figure <= limit and "holds" or "**missed**",
  }
end

local function worst(latencies, kind, field)
  local most = 0
  for _, server in ipairs { "slow", "failing", "dead" } do
    most = math.max(most, latencies[server][kind][field])
  end
  return most
end

-- A list of { what, measured, target, verdict } from what was measured.
function Targets.of(m)
  local i, l, d = m.instructions, m.lua, m.deliveries
  targets = {}
  for _, shape in ipairs { "typical", "precise" } do
    local track = i["track " .. shape]
    target(("`track`, %s event: instructions"):format(shape), track, 9000, "%d")
    target(
      ("`track`, %s event: instructions of `cjson.encode`"):format(shape),
      track / i["encode " .. shape],
      0.30
    )
    target(
      ("`track`, %s event: instructions of merge, `cjson.encode`, queue"):format(shape),
      track / i["merge " .. shape],
      0.15
    )
    target(
      ("`track`, %s event: time of `cjson.encode`"):format(shape),
      l["track " .. shape] / l["encode " .. shape],
      0.30
    )
  end
  target(
    "`track`, typical event: time of merge, `cjson.encode`, queue",
    l["track typical"] / l["merge typical"],
    0.15
  )
  target(
    "`track` with a spool: instructions of those without",
    i["spool typical"] / i["track typical"],
    1.25
  )
  target(
    "`track` with a spool: time of that without",
    l["spool typical"] / l["track typical"],
    1.25
  )
  target("CPU per event without gzip, of the Node SDK's", d.plain.cpu_ns / d.node.cpu_ns, 0.2)
  target("CPU per event with gzip, of mixpanel-import's", d.gzip.cpu_ns / d.import.cpu_ns, 0.25)
  target("CPU per event with gzip, to a bus, of that by curl", m.bus.bus_ns / m.bus.curl_ns, 1)
  for _, file in ipairs(m.files.files) do
    local name = ("`mixpanel import` of %s, "):format(file.kind)
    local ours, peer = file.ours, file.peer
    target(name .. "CPU, of mixpanel-import's", ours.cpu_ns / peer.cpu_ns, 0.25)
    target(name .. "real time, of mixpanel-import's", ours.wall_ns / peer.wall_ns, 0.25)
    target(name .. "memory, of mixpanel-import's", ours.peak_kib / peer.peak_kib, 0.25)
  end
  for _, flag in ipairs { { "plain", "without a rule" }, { "ruled", "with a rule" } } do
    target(
      ("decision of a flag %s, %.0f ns: time of the Node SDK's"):format(
        flag[2],
        m.flags.ours[flag[1]]
      ),
      m.flags.ours[flag[1]] / m.flags.node[flag[1]],
      1 / 15
    )
  end
  for _, kind in ipairs { "wall", "cpu" } do
    target(
      ("p99.99 of a decision of a flag, %s: silent server, of the healthy one's"):format(
        kind == "wall" and "real time" or "CPU"
      ),
      m.flags_latency.silent[kind] / m.flags_latency.healthy[kind],
      1.5
    )
  end
  target("bytes on the wire, of the Node SDK's", d.gzip.bytes / d.node.bytes, 0.25)
  for _, entry in ipairs { { "unpaced", m.unpaced }, { "200 a frame", m.frames } } do
    local name, latencies = entry[1], entry[2]
    for _, kind in ipairs { "wall", "cpu" } do
      target(
        ("p99.99 of `track`, %s, %s: worst server, of the healthy one's"):format(
          name,
          kind == "wall" and "real time" or "CPU"
        ),
        worst(latencies, kind, "p9999") / latencies.healthy[kind].p9999,
        1.5
      )
    end
    local most = 0
    for _, server in ipairs { "healthy", "slow", "failing", "dead" } do
      most = math.max(most, latencies[server].longest)
    end
    target(
      ("longest call, %s, µs of its thread's CPU (one that does nothing: %.1f)"):format(
        name,
        latencies.none.longest / 1e3
      ),
      most / 1e3,
      100,
      "%.1f"
    )
  end
  local thread = "nginx: CPU of the worker's main thread per request"
  target(thread, m.nginx.alone.ratio, 1.10)
  target(thread .. ", neighbours alike", m.nginx.beside.ratio, 1.10)
  target(
    "`collect` of a browser's event: time of `cjson.decode` and `track`",
    l["collect one"] / l["decode and track one"],
    1 / 3
  )
  local ours, proxy = m.collector.collector, m.collector.proxy
  target("requests/s of a plain proxy, of the collector's", proxy.rate / ours.rate, 1 / 0.9)
  target(
    "p99 of the collector's replies, of a plain proxy's with the same load",
    ours.paced.p99 / proxy.paced.p99,
    1
  )
  target(
    "requests to Mixpanel by the collector, of a plain proxy's",
    ours.requests / proxy.requests,
    1 / 20,
    "%.4f"
  )
  target("bytes to Mixpanel by the collector, of a plain proxy's", ours.bytes / proxy.bytes, 1 / 4)
  target(
    "p99 of the collector's replies, Mixpanel answers in 2 s, of the healthy one's",
    m.collector.late.paced.p99 / ours.paced.p99,
    1.25
  )
  target(
    ("the collector's resident memory after %d posts, of that after a tenth"):format(
      m.collector.posts
    ),
    m.collector.growth,
    1.05
  )
  local many = m.many
  for _, n in ipairs { 1000, 10000 } do
    target(
      ("CPU of a request beside %d idle projects, of that beside one"):format(n),
      many.requests[n] / many.requests[1],
      1.2
    )
  end
  target(
    "longest call beside a million profiles that wait, fastest of three rounds, CPU, ms",
    many.ids.ms,
    1
  )
  target("CPU to open 10 000 projects, ms", many.open, 150, "%.0f")
  target("resident memory of a project 15 s after a burst, KiB", many.memory, 64, "%.0f")
  target(
    ("fork with 5 000 projects, ms (with one: %.1f)"):format(many.fork.alone),
    many.fork.figure,
    15,
    "%.1f"
  )
  local memory = m.growth[#m.growth].memory
  target("resident memory after 10 million events, of that after one", memory[10] / memory[1], 1.1)
  return targets
end

return Targets
