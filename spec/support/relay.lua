-- A relay: nginx with a collector that answers what the servers of NATS have stored.
local nginx = require "spec.support.nginx"
local script = require "spec.support.script"

local SITE = [[
  local client = require("mixpanel").new("%s", {
    transport = "nats", bus = { servers = { "%s" } }, max_retry_delay = 0.1,
  })
  return {
    client = client,
    collector = require("mixpanel.collector").new(client, { confirm = 2 }),
  }
]]

local HTTP = [[
  init_by_lua_block { require "site" }
  exit_worker_by_lua_block { require("mixpanel.resty").exit_worker(require("site").client) }
]]

local SERVER = [[
  location /track { content_by_lua_block { require('site').collector:handle() } }
  location = /left {
    content_by_lua_block {
      local stats = require('site').client:stats()
      ngx.say(stats.queued + stats.in_flight)
    }
  }
]]

-- Returns an nginx, see nginx.lua.
return function(servers, workers, token)
  return nginx.start {
    workers = workers,
    libraries = { script.build .. "/mixpanel_nats.so" },
    lua = { site = SITE:format(token or "projecttoken", table.concat(servers.urls, '", "')) },
    http = HTTP,
    server = SERVER,
  }
end
