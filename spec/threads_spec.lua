-- Many Lua states in many threads of one process track, poll, flush and close
-- at once: in one project, and in projects of their own.
local sandbox = require "spec.support.sandbox"

local threads, rounds, events = 4, 4, 200

-- The status of a command and what it printed.
local function run(command)
  local pipe = assert(io.popen(command .. " 2>&1; echo $?"))
  local output = pipe:read "*a"
  pipe:close()
  return tonumber(output:match "(%d+)%s*$"), output
end

describe("threads", function()
  local server

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  it("lose nothing and send nothing twice", function()
    server:script {
      { endpoint = "/track", match = "poison", times = 0, body = "0" },
      { endpoint = "/track", chance = 0.1, times = 0, status = 503 },
      { endpoint = "/engage", chance = 0.1, times = 0, status = 429 },
    }
    local build = os.getenv "BUILD" or "build"
    local status, output = run(
      ("%s/spec/threads %d spec/support/threads.lua '%s/5.4/?.so' %s %d %d"):format(
        build,
        threads,
        build,
        server.url,
        rounds,
        events
      )
    )
    assert.equal(0, status, output)
    local rejected = 0
    for n in output:gmatch "rejected (%d+)" do
      rejected = rejected + tonumber(n)
    end
    assert.equal(threads * rounds * events / 50, rejected)
    local seen, total = {}, 0
    for _, record in ipairs(server:records "/track") do
      local id = record.properties["$insert_id"]
      assert.is_nil(seen[id])
      seen[id] = true
      total = total + 1
    end
    assert.equal(2 * threads * rounds * events, total)
    assert.equal(threads * rounds * events, #server:records "/engage")
  end)
end)
