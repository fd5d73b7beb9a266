-- An outage of Mixpanel's, in which nginx reads its configuration anew and a
-- worker is killed: what becomes of events that browsers post to a collector, and
-- to a proxy that passes on what it gets. COLLECTOR_OUTAGE: its seconds.
local http = require "socket.http"
local ltn12 = require "ltn12"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local socket = require "socket"

local SECONDS = tonumber(os.getenv "COLLECTOR_OUTAGE") or 3
local EVENT = '{"event":"E","properties":{"token":"projecttoken","time":%d,"$insert_id":"%s"}}'
local PAUSE = 0.01 -- seconds between two events

local SITE = [[
  local client = require("mixpanel").new("projecttoken", {
    api_host = "%s", spool = "@OUT@/spool", flush_interval = 0.2,
  })
  return { client = client, collector = require("mixpanel.collector").new(client) }
]]

local HTTP = [[
  init_by_lua_block { require "site" }
  exit_worker_by_lua_block { require("mixpanel.resty").exit_worker(require("site").client) }
]]

describe("in an outage of Mixpanel's", function()
  local server, hosts

  setup(function()
    server = sandbox.start()
    hosts = {
      collector = nginx.start {
        workers = 2,
        lua = { site = SITE:format(server.url) },
        http = HTTP,
        server = [[
          location /track { content_by_lua_block { require("site").collector:handle() } }
        ]],
      },
      proxy = nginx.start {
        workers = 2,
        server = ("location /track { proxy_pass %s; }"):format(server.url),
      },
    }
  end)

  teardown(function()
    for _, host in pairs(hosts) do
      host:remove()
    end
    server:stop()
  end)

  -- True if the reply says that the event was taken.
  local function post(host, id)
    local text = EVENT:format(os.time(), id)
    local parts = {}
    local _, status = http.request {
      url = host.url .. "/track",
      method = "POST",
      headers = { ["Content-Length"] = #text },
      source = ltn12.source.string(text),
      sink = ltn12.sink.table(parts),
    }
    return status == 200 and table.concat(parts) == "1"
  end

  local function kill_worker(host)
    local before = host:workers()
    process.signal(before[1], "KILL")
    process.wait_for(function()
      local now = host:workers()
      return #now == #before and now[1] ~= before[1] and now[2] ~= before[1]
    end, "another worker")
  end

  local function is_gone(taken)
    for _, record in ipairs(server:records "/track") do
      taken[record.properties["$insert_id"]] = nil
    end
    return next(taken) == nil
  end

  local function count(set)
    local n = 0
    for _ in pairs(set) do
      n = n + 1
    end
    return n
  end

  it("a collector loses nothing that it said it took", function()
    server:script { { endpoint = "/track", status = 503, times = 1000000 } }
    local taken, sent = { collector = {}, proxy = {} }, 0
    local start = socket.gettime()
    local acts = {
      {
        1 / 3,
        function(host)
          host:reload()
        end,
      },
      { 2 / 3, kill_worker },
    }
    while socket.gettime() - start < SECONDS or acts[1] do
      sent = sent + 1
      for name, host in pairs(hosts) do
        local id = name .. "-" .. sent
        taken[name][id] = post(host, id) or nil
      end
      if acts[1] and socket.gettime() - start >= acts[1][1] * SECONDS then
        local act = table.remove(acts, 1)
        for _, host in pairs(hosts) do
          act[2](host)
        end
      end
      socket.sleep(PAUSE)
    end
    local accepted = { collector = count(taken.collector), proxy = count(taken.proxy) }
    -- A reply may be cut off by the worker's death, with the event taken or not.
    assert.is_true(accepted.collector >= sent - 10, accepted.collector)
    assert.equal(0, #server:records "/track")
    server:reset() -- the API is back
    process.wait_for(function()
      return is_gone(taken.collector)
    end, "all that was taken", 60 + 2 * SECONDS)
    is_gone(taken.proxy)
    local line = "# measured: of %d events in %g s of outage lost: collector %d of %d that it took,"
      .. " plain proxy %d (it took %d)"
    local lost = sent - accepted.proxy + count(taken.proxy)
    print(
      line:format(sent, SECONDS, count(taken.collector), accepted.collector, lost, accepted.proxy)
    )
    assert.is_true(lost > sent / 2, lost)
  end)
end)
