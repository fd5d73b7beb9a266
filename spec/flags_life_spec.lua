-- Flags while their process ends. Forks are in spec/storm.
local flag_process = require "spec.support.flag_process"

local PATH = "/flags/definitions"

describe("a process with flags", function()
  local processes, server

  setup(function()
    processes = flag_process.start()
    server = processes.server
  end)

  teardown(function()
    processes:stop()
  end)

  before_each(function()
    processes:reset()
  end)

  local function run(...)
    return processes:run(...)
  end

  local ways = {
    ["returns"] = "",
    ["exits"] = "os.exit(0)",
    ["closes its state"] = "os.exit(0, true)",
    ["collects the client"] = "mp, f = nil, nil; collectgarbage()",
    ["closes the client"] = "mp:close()",
  }
  for way, ending in pairs(ways) do
    it("ends while a server says nothing: it " .. way, function()
      server:script { endpoint = PATH, delay_ms = 20000, times = 0 }
      local seconds = run([[
        local mp = client { flags = "local", exit_timeout = 5 }
        local f = mp.local_flags
        assert(not f:is_enabled("a", user))
        f:wait(0.2) -- the request is under way
      ]] .. ending)
      assert.is_true(seconds < 4, seconds)
    end)

    it("ends while it polls as fast as it may: it " .. way, function()
      run([[
        local mp = client { flags = { mode = "local", poll_interval = 0.1, exposure = "always" } }
        local f = mp.local_flags
        assert(f:wait(20))
        for _ = 1, 1000 do
          assert(f:is_enabled("a", user, false))
        end
        f:is_enabled("a", user)
      ]] .. ending)
      local exposures = #server:records "/track"
      assert.equal(1, exposures)
    end)
  end
end)
