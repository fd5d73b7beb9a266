-- What a collector costs nginx, beside a plain proxy that passes each request on,
-- with the same requests of wrk: lua5.4 bench/collector.lua SINK SLOW DIR POSTS,
-- where SINK answers at once, SLOW in 2 s, and DIR is for `bench/sink bytes`.
package.path = "./?.lua;bench/?.lua;" .. package.path
local cjson = require "cjson"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"

local sink, slow, dir, posts = arg[1], arg[2], arg[3], tonumber(arg[4])
local ROUNDS, SECONDS = 3, 3
local PAUSE_MS = 10 -- at most, before each request of those that are not as fast as can be

local SITE = [[
  local client = require("mixpanel").new("projecttoken", {
    api_host = "%s", max_queue_bytes = 512 * 1024 * 1024,
  })
  return { client = client, collector = require("mixpanel.collector").new(client) }
]]

local COLLECTOR = [[
  location /track/ {
    client_body_buffer_size 64k;
    content_by_lua_block { require("site").collector:handle() }
    header_filter_by_lua_block { require("site").collector:headers() }
  }
  location = /flush {
    content_by_lua_block {
      local client = require("site").client
      assert(require("mixpanel.resty").flush(client, 120))
      ngx.print(client:stats().delivered)
    }
  }
]]

-- Connections to the sink are kept, as Mixpanel's own example does not.
local PROXY = [[
  location /track/ {
    proxy_pass http://sink;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  }
]]

local function start_collector(url)
  return nginx.start {
    workers = 1,
    lua = { site = SITE:format(url) },
    http = [[
      init_by_lua_block { require "site" }
      exit_worker_by_lua_block { require("mixpanel.resty").exit_worker(require("site").client) }
    ]],
    server = COLLECTOR,
  }
end

local function start_proxy()
  return nginx.start {
    workers = 1,
    http = ("upstream sink { server %s; keepalive 64; }"):format(sink:match "//(.*)"),
    server = PROXY,
  }
end

local function received()
  local requests, bytes = process.read("bench/sink bytes " .. dir):match "(%d+) (%d+)"
  return tonumber(requests), tonumber(bytes)
end

local UNITS = { us = 1, ms = 1e3, s = 1e6 }

local function wrk(host, seconds, pause)
  local command = "wrk -t1 -c32 -d%ds --latency -s bench/post.lua %s -- %s"
  local out = process.read(command:format(seconds, host.url, pause or ""))
  local p99, unit = out:match "99%%%s+([%d.]+)(%a+)"
  local count = tonumber(out:match "(%d+) requests in")
  assert(count and p99 and not out:find "Non%-2xx" and not out:find "Socket errors", out)
  return {
    count = count,
    rate = tonumber(out:match "Requests/sec:%s*([%d.]+)"),
    p99 = tonumber(p99) * UNITS[unit],
  }
end

local function keep_best(best, found)
  best.count = (best.count or 0) + found.count
  best.rate = math.max(best.rate or 0, found.rate)
  best.p99 = math.min(best.p99 or math.huge, found.p99)
end

local hosts = { collector = start_collector(sink), proxy = start_proxy() }
local late = start_collector(slow)

-- What the sink gets for each request that was posted.
local function measure(name, best)
  local host = hosts[name]
  local requests, bytes = received()
  local found = wrk(host, SECONDS)
  if name == "collector" then
    assert(host:get "/flush")
  end
  keep_best(best, found)
  local requests_after, bytes_after = received()
  best.requests = (requests_after - requests) / found.count
  best.bytes = (bytes_after - bytes) / found.count
end

-- The same load for all, below what any of them can take.
local function measure_paced(best)
  for name, host in pairs { collector = hosts.collector, proxy = hosts.proxy, late = late } do
    best[name].paced = best[name].paced or {}
    keep_best(best[name].paced, wrk(host, SECONDS, PAUSE_MS))
  end
end

local function resident(host)
  return process.status(host:workers()[1], "VmRSS")
end

-- Resident memory after a tenth of the posts, and after all.
local function grow()
  local host, done, first = hosts.collector, 0, nil
  repeat
    done = done + wrk(host, 5).count
    assert(host:get "/flush")
    if not first and done >= posts / 10 then
      first = resident(host)
    end
  until done >= posts
  return resident(host) / first, done
end

local function run()
  local best = { collector = {}, proxy = {}, late = {} }
  for _ = 1, ROUNDS do
    measure("collector", best.collector)
    measure("proxy", best.proxy)
    keep_best(best.late, wrk(late, SECONDS))
    measure_paced(best)
  end
  best.growth, best.posts = grow()
  return best
end

local ok, found = xpcall(run, debug.traceback)
for _, host in pairs { hosts.collector, hosts.proxy, late } do
  host:remove()
end
assert(ok, found)
print(cjson.encode(found))
