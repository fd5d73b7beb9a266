-- What a forwarder counts, as a file for Prometheus (node exporter's textfile
-- collector): https://prometheus.io/docs/instrumenting/exposition_formats/
local counters = require "mixpanel.resty.counters"

local metrics = {}

local INTERVAL_S = 5

-- Of a project's counts.
local FORWARDED = {
  { "messages", "Messages that were read" },
  { "records", "Records of these messages" },
  { "redelivered", "Of these records, those that an earlier reader may have delivered" },
  { "refused", "Records that have no place in Mixpanel" },
  { "quarantined", "Messages that are no batch" },
  { "newer", "Times that a message of a newer format had the project left to others" },
  { "settled", "Messages of which each record has an outcome" },
  { "dead", "Dead letters that were stored" },
  { "let_go", "Records without an outcome when the project was given up or the process ended" },
  { "untold", "Records that ended without a dead letter" },
  { "gaps", "Times that messages had left the stream unread" },
  { "tenures", "Times that this process got the project" },
}

local function add(out, name, kind, help, values)
  if #values == 0 then
    return
  end
  out[#out + 1] = ("# HELP %s %s."):format(name, help)
  out[#out + 1] = ("# TYPE %s %s"):format(name, kind)
  for _, value in ipairs(values) do
    out[#out + 1] = ("%s{%s} %.17g"):format(name, value[1], value[2])
  end
end

local function label(project, more)
  return ('project="%s"%s'):format(project.name, more or "")
end

local function add_forwarded(out, forwarder)
  for _, row in ipairs(FORWARDED) do
    local values = {}
    for i, project in ipairs(forwarder.projects) do
      values[i] = { label(project), project.counts[row[1]] }
    end
    add(out, ("mixpanel_forward_%s_total"):format(row[1]), "counter", row[2], values)
  end
end

local function add_state(out, forwarder)
  local owned, waiting, held = {}, {}, {}
  for i, project in ipairs(forwarder.projects) do
    owned[i] = { label(project), project.tenure and 1 or 0 }
    for _, reader in ipairs(project.tenure and project.tenure.readers or {}) do
      local lane = label(project, (',lane="%s"'):format(reader.lane))
      waiting[#waiting + 1] = { lane, reader.waiting }
      held[#held + 1] = { lane, reader.last - reader.first + 1 }
    end
  end
  add(out, "mixpanel_forward_owned", "gauge", "Whether this process has the project", owned)
  add(
    out,
    "mixpanel_forward_waiting_messages",
    "gauge",
    "Messages that were not read when the bus was last asked, once a minute",
    waiting
  )
  add(out, "mixpanel_forward_held_messages", "gauge", "Messages without an outcome", held)
end

-- Calls `visit(key, value)` for each number of a counter, whose value is one or a
-- table of them.
local function each_value(counter, value, visit)
  if type(value) ~= "table" then
    return value and visit("", value)
  end
  for name, part in pairs(value) do
    visit((',%s="%s"'):format(counter.label, name), part)
  end
end

-- Adds what a client counted that sends no more to what those before it counted, in
-- `ended`, a table of the project's: a process may get a project again and again.
function metrics.add_ended(ended, stats)
  for _, counter in ipairs(counters) do
    if not counter.fold then
      local sums = ended[counter.key] or {}
      each_value(counter, stats[counter.key], function(key, value)
        sums[key] = (sums[key] or 0) + value
      end)
      ended[counter.key] = sums
    end
  end
end

-- Of the clients of a project so far: counters of all of them, gauges of the one that
-- is there now.
local function values_of(project, counter, stats)
  local sums = {}
  for key, value in pairs(project.ended[counter.key] or {}) do
    sums[key] = value
  end
  local now = stats and (stats[counter.key] or counter.default)
  each_value(counter, now, function(key, value)
    sums[key] = (sums[key] or 0) + value
  end)
  return sums
end

local function add_clients(out, forwarder)
  local stats = {}
  for i, project in ipairs(forwarder.projects) do
    stats[i] = project.tenure and project.tenure.client:stats() or false
  end
  for _, counter in ipairs(counters) do
    local values = {}
    for i, project in ipairs(forwarder.projects) do
      for key, value in pairs(values_of(project, counter, stats[i])) do
        values[#values + 1] = { label(project, key), value }
      end
    end
    add(out, counter.name, counter.fold and "gauge" or "counter", counter.help, values)
  end
end

function metrics.render(forwarder)
  local out = {}
  add_forwarded(out, forwarder)
  add_state(out, forwarder)
  add_clients(out, forwarder)
  local unknown = 0
  for _, of in pairs(forwarder.unknown) do
    unknown = unknown + of.count
  end
  local name = "mixpanel_forward_unknown_messages"
  out[#out + 1] = ("# HELP %s Messages on subjects that are not read here."):format(name)
  out[#out + 1] = ("# TYPE %s gauge\n%s %.17g"):format(name, name, unknown)
  return table.concat(out, "\n") .. "\n"
end

-- Whoever reads the file gets the old one or the new one, whole.
local function write(path, text)
  local file, why = io.open(path .. ".new", "w")
  if not file then
    return why
  end
  local written, unwritten = file:write(text)
  local closed, unclosed = file:close()
  if not (written and closed) then
    os.remove(path .. ".new")
    return ("%s.new: %s"):format(path, unwritten or unclosed)
  end
  local renamed, unnamed = os.rename(path .. ".new", path)
  if not renamed then
    os.remove(path .. ".new")
    return ("%s: %s"):format(path, unnamed:match ": (.*)$" or unnamed)
  end
end

-- A function that writes the file of a forwarder when it is due, or `at_once`.
function metrics.writer(path, note)
  local due, told = 0, false
  return function(forwarder, at_once)
    local now = forwarder.tasks.clock()
    if now < due and not at_once then
      return
    end
    due = now + INTERVAL_S
    local why = write(path, metrics.render(forwarder))
    if why and not told then
      told = true
      note(("metrics cannot be written: %s"):format(why))
    end
  end
end

return metrics
