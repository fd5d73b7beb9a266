-- Every way in which a program may end: records leave, nothing is leaked or
-- touched after its end. It is the sanitizers and valgrind that see that.
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"

local program = [[
local url, ca_file, way = (table.unpack or unpack)(arg)
local mixpanel = require "mixpanel"
local options = { api_host = url, ca_file = ca_file, exit_timeout = 20, properties = { a = 1 } }
local mp = mixpanel.new("projecttoken", options)
local by_hand = mixpanel.new("projecttoken", { transport = "manual" })
for i = 1, 20 do
  assert(mp:track("Exit", { distinct_id = "u", i = i }))
  assert(mp.people:set("u", { i = i }))
  by_hand:track("Exit")
end
by_hand:flush()
by_hand:answer(by_hand:next_request().id, 200, nil, "1")
by_hand:track("Exit")
by_hand:flush()
by_hand:next_request() -- and never answered
assert(not mp:track("Exit", { bad = print }))
if way == "flush" then
  assert(mp:flush(20))
elseif way == "close" then
  assert(mp:close(20))
  assert(mp:stats().delivered == 40)
elseif way == "collect" then
  mp, by_hand = nil, nil
  collectgarbage()
elseif way == "os.exit" then
  os.exit(0)
elseif way == "lua_close" then
  os.exit(0, true)
elseif way == "error" then
  error "on purpose"
end
]]

describe("a program that ends by", function()
  local server

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  for _, way in ipairs { "flush", "close", "collect", "os.exit", "lua_close", "error" } do
    it(way .. " delivers everything", function()
      server:reset()
      local printed, status = script.run(program, server.tls_url, server.ca_file, way)
      assert.equal(way == "error" and 1 or 0, status, printed)
      if way == "error" then
        assert.matches("^[^\n]*on purpose\nstack traceback:[%s%w%[%]:/_.'?]*$", printed)
      else
        assert.equal("", printed)
      end
      assert.equal(20, #server:records "/track")
      assert.equal(20, #server:records "/engage")
    end)
  end
end)
