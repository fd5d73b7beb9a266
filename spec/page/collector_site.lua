-- An nginx with a collector for pages of the origin in the second argument;
-- what only Mixpanel answers is answered here. Prints its address; ends when
-- its input does.
package.path = "./?.lua;" .. package.path
local nginx = require "spec.support.nginx"

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
  http = [[init_by_lua_block { require "site" }]],
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
    location ~ ^/mp/(record|flags|settings)(/|$) {
      access_by_lua_block { require("site"):check() }
      content_by_lua_block {
        ngx.header["Content-Type"] = "application/json"
        ngx.header["Access-Control-Allow-Origin"] = "https://api.mixpanel.com"
        ngx.say '{"code":200,"status":"OK","flags":{}}'
      }
    }
  ]],
}
print(web.url)
io.stdout:flush()
io.read "*a"
web:remove()
