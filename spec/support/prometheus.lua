-- A Prometheus of its own for a spec, from Debian's package, which is unpacked
-- and not installed.
local cjson = require "cjson"
local http = require "socket.http"
local process = require "spec.support.process"
local url = require "socket.url"

local BIN = "build/prometheus/root/usr/bin"

local CONFIG = [[
global: { scrape_interval: 200ms, scrape_timeout: 200ms }
scrape_configs:
  - job_name: mixpanel
    metrics_path: %s
    static_configs: [ { targets: [ "127.0.0.1:%d" ] } ]
]]

local Prometheus = {}
Prometheus.__index = Prometheus

local prometheus = {}

function prometheus.unpack()
  process.run ".ci/prometheus"
end

-- What promtool finds wrong with metrics; "" when nothing is.
function prometheus.check(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  local printed =
    process.read(("%s/promtool check metrics <%s 2>&1 || echo 'status 1'"):format(BIN, path))
  os.remove(path)
  return printed
end

-- Scrapes a path on a port of this machine, five times a second.
function prometheus.start(port, path)
  local self = setmetatable({ dir = process.read "mktemp -d" }, Prometheus)
  local file = assert(io.open(self.dir .. "/prometheus.yml", "w"))
  file:write(CONFIG:format(path, port))
  file:close()
  return process.with_free_port(function(own_port)
    self.port = own_port
    local command = (
      "%s/prometheus --config.file=%s/prometheus.yml --storage.tsdb.path=%s/data"
      .. " --web.listen-address=127.0.0.1:%d --log.level=warn"
    ):format(BIN, self.dir, self.dir, own_port)
    self.pid =
      tonumber(process.read(("exec 3>%s/log; %s >&3 2>&3 & echo $!"):format(self.dir, command)))
    local alive
    process.wait_for(function()
      local _, status = http.request(("http://127.0.0.1:%d/-/ready"):format(own_port))
      alive = process.alive(self.pid)
      return not alive or status == 200
    end, "Prometheus")
    return alive and self, process.slurp(self.dir .. "/log")
  end)
end

local function get(self, path)
  local body = assert(http.request(("http://127.0.0.1:%d/api/v1/%s"):format(self.port, path)))
  local reply = cjson.decode(body)
  assert(reply.status == "success", body)
  return reply.data
end

-- The result of an instant query: a list of { metric, value = { time, text } }.
function Prometheus:query(expression)
  return get(self, "query?query=" .. url.escape(expression)).result
end

-- What is scraped: { health = "up", lastError = "" }.
function Prometheus:target()
  return get(self, "targets").activeTargets[1]
end

function Prometheus:stop()
  process.signal(self.pid, "TERM")
  process.wait_gone { self.pid }
  process.run("rm -rf " .. self.dir)
end

return prometheus
