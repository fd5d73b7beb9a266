--- resty.stats(mp) for Prometheus, summed over the workers of nginx.
---
--- In the shared dict a counter is one number, named as its series, to which
--- each worker adds what it counted since it last did; so it never goes back,
--- whichever worker dies. A worker's entry, "worker:PID", keeps what was added
--- already, and its gauges, which count while the entry is fresh.
local mixpanel = require "mixpanel"
local counters = require "mixpanel.resty.counters"
local prefers = require "mixpanel.resty.accept"
local resty = require "mixpanel.resty"

local INTERVAL = 1 -- seconds between two additions of a worker
local FRESH = 5 -- seconds after which a silent worker has no gauges any more
local KEPT = 24 * 3600 -- seconds that its entry is kept

local TEXT = "text/plain; version=0.0.4; charset=utf-8"
local OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

local families = {
  { name = "mixpanel_build_info", fold = "max", help = "The version of the module" },
  { name = "mixpanel_workers", fold = "sum", help = "Workers that were heard of lately" },
}
for _, counter in ipairs(counters) do
  families[#families + 1] = counter
end

local folds = {
  sum = function(a, b)
    return a + b
  end,
  max = math.max,
  min = math.min,
}

local family_of = {}
for _, family in ipairs(families) do
  family_of[family.name] = family
end

local function is_counter(family)
  return family.fold == nil
end

local function find_family(series)
  return family_of[series:match "^[%w_]+"]
end

local function escape(text)
  return (tostring(text):gsub('[\\"\n]', { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }))
end

-- `name{a="x",b="y"}` of { { "a", "x" }, { "b", "y" } }; a label without a
-- value is left out.
local function make_series(name, labels)
  local parts = {}
  for _, label in ipairs(labels) do
    parts[#parts + 1] = label[2] and ('%s="%s"'):format(label[1], escape(label[2]))
  end
  return #parts > 0 and name .. "{" .. table.concat(parts, ",") .. "}" or name
end

local function add_stats(samples, stats, client, worker)
  for _, counter in ipairs(counters) do
    local values = stats[counter.key] or counter.default
    if type(values) ~= "table" then
      values = { values }
    end
    for label, value in pairs(values) do
      local labels = {
        { "client", client },
        { "worker", worker },
        { counter.label, counter.label and label },
      }
      samples[make_series(counter.name, labels)] = value
    end
  end
end

-- series -> value, of this worker.
local function sample(self, worker)
  local labels = { { "worker", worker } }
  local samples = {
    [make_series("mixpanel_workers", labels)] = 1,
    [make_series("mixpanel_build_info", { { "version", mixpanel._VERSION }, labels[1] })] = 1,
  }
  if type(self.clients) ~= "table" then
    add_stats(samples, resty.stats(self.clients), nil, worker)
    return samples
  end
  for name, client in pairs(self.clients) do
    add_stats(samples, resty.stats(client), name, worker)
  end
  return samples
end

-- A worker's entry: the time on the first line, then a sample on each.
local function write_entry(time, samples)
  local lines = { ("%.3f"):format(time) }
  for series, value in pairs(samples) do
    lines[#lines + 1] = ("%s %.17g"):format(series, value)
  end
  return table.concat(lines, "\n")
end

local function read_entry(text)
  local samples = {}
  for series, value in (text or ""):gmatch "\n([^\n]+) ([^\n ]+)" do
    samples[series] = tonumber(value)
  end
  return samples, tonumber((text or ""):match "^[^\n]*") or 0
end

local function check_stored(ok, why, forced)
  if not ok or forced then
    ngx.log(
      ngx.ERR,
      "mixpanel: the shared dict for metrics is too small: ",
      why or "a key made room"
    )
  end
end

local function entry_key()
  return "worker:" .. ngx.worker.pid()
end

-- Adds what this worker counted since the last time.
local function publish(self)
  local dict, key = self.dict, entry_key()
  local samples, before = sample(self), read_entry(dict:get(key))
  for series, value in pairs(samples) do
    if is_counter(find_family(series)) then
      local added = before[series] or 0
      -- Less than before: another process had this pid.
      check_stored(dict:incr(series, added <= value and value - added or value, 0))
    end
  end
  check_stored(dict:set(key, write_entry(ngx.now(), samples), KEPT))
end

local function add_gauges(totals, samples)
  for series, value in pairs(samples) do
    local family = find_family(series)
    if family and not is_counter(family) then
      totals[series] = totals[series] and folds[family.fold](totals[series], value) or value
    end
  end
end

-- series -> value, of all workers.
local function collect(self)
  publish(self)
  local totals = {}
  for _, key in ipairs(self.dict:get_keys(0)) do
    local value = self.dict:get(key) -- may have gone meanwhile
    if value and key:find "^worker:" then
      local samples, time = read_entry(value)
      if math.abs(ngx.now() - time) <= FRESH then
        add_gauges(totals, samples)
      end
    elseif value and find_family(key) then
      totals[key] = value
    end
  end
  return totals
end

-- family name -> its lines, sorted.
local function sort_lines(samples)
  local lines = {}
  for series, value in pairs(samples) do
    local name = find_family(series).name
    lines[name] = lines[name] or {}
    table.insert(lines[name], ("%s %.17g"):format(series, value))
  end
  for _, list in pairs(lines) do
    table.sort(list)
  end
  return lines
end

---@class mixpanel.Metrics
local methods = {}

--- For init_worker_by_lua: from then on the worker adds to the shared dict each
--- second what it counted. Without a dict there is nothing to do.
function methods:init_worker()
  if self.dict then
    publish(self)
    ngx.timer.every(INTERVAL, function(premature)
      if not premature then
        publish(self)
      end
    end)
  end
end

--- For exit_worker_by_lua, behind resty.exit_worker: adds what the worker
--- counted last, and takes its gauges away.
function methods:exit_worker()
  if self.dict then
    publish(self)
    self.dict:delete(entry_key())
  end
end

--- The metrics as text: to be put together with those of somebody else.
---@param openmetrics? boolean in the OpenMetrics format, without its last line
---@return string
function methods:render(openmetrics)
  local samples = self.dict and collect(self) or sample(self, tostring(ngx.worker.id() or 0))
  local lines, out = sort_lines(samples), {}
  for _, family in ipairs(families) do
    if lines[family.name] then
      local kind = is_counter(family) and "counter" or "gauge"
      local name = openmetrics and family.name:gsub("_total$", "") or family.name
      out[#out + 1] = ("# HELP %s %s."):format(name, family.help)
      out[#out + 1] = ("# TYPE %s %s"):format(name, kind)
      out[#out + 1] = table.concat(lines[family.name], "\n")
    end
  end
  return table.concat(out, "\n") .. "\n"
end

--- For content_by_lua: answers with the metrics, in the OpenMetrics format if
--- the request would rather have that.
function methods:answer()
  local openmetrics = prefers(ngx.var.http_accept, "application/openmetrics-text", "text/plain")
  ngx.header["Content-Type"] = openmetrics and OPENMETRICS or TEXT
  ngx.header["Cache-Control"] = "no-store"
  ngx.print(self:render(openmetrics), openmetrics and "# EOF\n" or "")
end

local Exporter = { __index = methods }
local metrics = {}

--- Makes an exporter of one client, or of several by name, which then have the
--- label `client`.
---@param clients mixpanel.Client|table<string, mixpanel.Client>
---@param dict? string name of a lua_shared_dict of its own, in which the workers
--- are summed; without one the metrics are those of the worker that answers, and
--- have the label `worker`
---@return mixpanel.Metrics
function metrics.new(clients, dict)
  if dict ~= nil and not ngx.shared[dict] then
    error(("bad argument #2 to 'new' (no lua_shared_dict '%s')"):format(tostring(dict)), 2)
  end
  return setmetatable({
    clients = clients,
    dict = dict and ngx.shared[dict],
  }, Exporter)
end

return metrics
