-- How a game of the specs begins: `start` with the sandbox, and `note` for what
-- the spec reads.
return [[
  local dir = os.getenv "DIR"
  local function note(text)
    local file = assert(io.open(dir .. "/notes", "a"))
    file:write(text, "\n")
    file:close()
  end
  local analytics = require "mixpanel.love"
  local function start(options)
    options = options or {}
    options.distinct_id = not options.anonymous and "p1" or nil
    options.anonymous = nil
    options.client = options.client or {}
    options.client.api_host = os.getenv "URL"
    options.client.exit_timeout = options.client.exit_timeout or 10 -- all is to arrive
    return analytics.start("projecttoken", options)
  end
]]
