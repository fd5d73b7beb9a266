-- An nginx with a status page, whose client meets an API that answers with
-- markup. Prints its address; ends when its input does.
package.path = "./?.lua;" .. package.path
local nginx = require "spec.support.nginx"

local web = nginx.start {
  workers = 1,
  lua = {
    analytics = ([[
      return require("mixpanel").new("projecttoken", { api_host = %q, flush_interval = 0.05 })
    ]]):format(arg[1]),
  },
  http = [[init_by_lua_block { require "analytics" }]],
  server = [[
    location = /track {
      content_by_lua_block {
        for _ = 1, 1234 do
          require("analytics"):track("Hit", { distinct_id = "u" })
        end
      }
    }
    location = /status {
      content_by_lua_block { require("mixpanel.resty").status(require "analytics") }
    }
  ]],
}
print(web.url)
io.stdout:flush()
io.read "*a"
web:remove()
