-- Clients of a project each, whose retries come soon.
local mixpanel = require "mixpanel"

local made = 0

return function(url, options)
  made = made + 1
  local all = { api_host = url, name = "project " .. made, max_retry_delay = 0.2 }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return mixpanel.new("projecttoken", all)
end
