std = "min"
max_line_length = 100
exclude_files = { "build", "node_modules", "bench/node_modules" }
files["spec"] = { std = "+busted" }
files["sandbox"] = { std = "+ngx_lua" }
files["src/mixpanel/resty.lua"] = { std = "+ngx_lua" }
files["src/mixpanel/collector.lua"] = { std = "+ngx_lua" }
files["src/mixpanel/collector"] = { std = "+ngx_lua" }
files["src/mixpanel/resty"] = { std = "+ngx_lua" }
files["examples/openresty"] = { std = "+ngx_lua" }
files["src/mixpanel/love.lua"] = { std = "+love", read_globals = { "jit" }, ignore = { "143/love" } }
files["examples/collector"] = { std = "+ngx_lua" }
files["examples/testing"] = { std = "+busted" }
files["examples/love"] = { std = "+love" }
files["bin"] = { std = "max" }
files["bench"] = { std = "lua54" }
