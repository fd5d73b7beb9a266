-- Many Lua states in many threads of one process ask Mixpanel for flags at once.
local definitions = require "spec.support.definitions"
local sandbox = require "spec.support.sandbox"

local THREADS, ROUNDS, EVENTS = 4, 3, 60

describe("threads", function()
  it("share what Mixpanel decided", function()
    local server = sandbox.start()
    server:flags { flags = { definitions.flag "a" } }
    local build = os.getenv "BUILD" or "build"
    local command = "%s/spec/threads %d spec/support/flag_threads.lua '%s/5.4/?.so' %s %d %d 2>&1"
    command = command:format(build, THREADS, build, server.url, ROUNDS, EVENTS)
    local pipe = assert(io.popen(command .. "; echo $?"))
    local output = pipe:read "*a"
    pipe:close()
    server:stop()
    assert.equal("0", output:match "(%d+)%s*$", output)
  end)
end)
