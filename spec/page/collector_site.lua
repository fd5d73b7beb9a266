-- An nginx with a collector that delivers to ARG 1, for pages of the origin ARG
-- 2; what only Mixpanel answers is passed on to ARG 3, as
-- examples/collector/pass.conf does. Prints its address; ends when its input does.
package.path = "./?.lua;" .. package.path
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"

local pass = process
  .slurp("examples/collector/pass.conf")
  :gsub("https://[%w.]+", arg[3])
  :gsub("%.collector:", ":")

local web = nginx.start {
  workers = 2,
  lua = {
    site = ([[
      local options = { api_host = %q, flush_interval = 0.05 }
      local client = require("mixpanel").new("projecttoken", options)
      local collector = require "mixpanel.collector"
      local site = collector.new(client, { origins = { %q } })
      site.shy = collector.new(client, { origins = { %q }, do_not_track = true })
      return site
    ]]):format(arg[1], arg[2], arg[2]),
  },
  http = [[
    limit_req_zone $binary_remote_addr zone=collect:1m rate=1000r/s;
    proxy_cache_path @DIR@/temp/libs keys_zone=sdk:1m;
    init_by_lua_block { require "site" }
  ]],
  server = [[
    client_max_body_size 1m;
    client_body_buffer_size 1m;
    header_filter_by_lua_block { require("site"):headers() }
    location ~ ^/mp/(track|engage|groups)/?$ {
      content_by_lua_block { require("site"):handle() }
    }
    location ~ ^/shy/(track|engage|groups)/?$ {
      content_by_lua_block { require("site").shy:handle() }
    }
  ]] .. pass,
}
print(web.url)
io.stdout:flush()
io.read "*a"
web:remove()
