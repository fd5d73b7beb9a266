-- Flags while their process forks, and of processes that share a spool.
local definitions = require "spec.support.definitions"
local flag_process = require "spec.support.flag_process"

local flag = definitions.flag

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

  it("decides at once in children, which ask by themselves", function()
    run [[
      local mp = client { flags = { mode = "local", poll_interval = 0.1 } }
      local f = mp.local_flags
      assert(f:wait(20))
      for i = 1, 20 do
        in_child(function()
          assert(f:is_enabled("a", { distinct_id = "child " .. i }))
          assert(f:refresh(20))
          assert(mp:stats().flags.polls > 0)
          assert(f:is_enabled("a", { distinct_id = "child " .. i }))
          assert(mp:flush(20))
        end)
        f:refresh()
      end
      reap(20)
      assert(f:refresh(20))
    ]]
    assert.equal(20, #server:records "/track")
  end)

  it("reports each exposure once in a worker, by an id that all of them share", function()
    run [[
      local mp = client { flags = "local" }
      local f = mp.local_flags
      assert(f:wait(20))
      for _ = 1, 2 do
        in_child(function()
          for i = 1, 500000 do
            assert(f:is_enabled("a", { distinct_id = 1 + i % 1000 }))
          end
          assert(mp:stats().flags.evaluations == 500000)
          assert(mp:stats().flags.exposures == 1000)
          assert(mp:flush(20))
        end)
      end
      reap(2)
    ]]
    local events = server:records "/track"
    assert.equal(2000, #events)
    local users = {} -- by $insert_id
    for _, event in ipairs(events) do
      local properties = event.properties
      local id = properties["$insert_id"]
      assert.equal(users[id] or properties.distinct_id, properties.distinct_id)
      users[id] = properties.distinct_id
    end
    local ids = 0
    for _ in pairs(users) do
      ids = ids + 1
    end
    assert.equal(1000, ids)
  end)

  it("forks before its first call", function()
    run [[
      local mp = client { flags = "local" }
      for i = 1, 4 do
        in_child(function()
          assert(mp.local_flags:wait(20))
          assert(mp.local_flags:is_enabled("a", { distinct_id = i }))
          assert(mp:flush(20))
        end)
      end
      reap(4)
      assert(mp:stats().flags.polls == 0)
    ]]
    assert.equal(4, #server:records "/track")
    assert.equal(4, processes:fetches())
  end)

  describe("and a spool", function()
    local spool

    before_each(function()
      spool = os.tmpname()
      os.remove(spool)
    end)

    after_each(function()
      os.execute("rm -rf " .. spool)
    end)

    it("asks for all that share it", function()
      run(
        [[
        local mp = client { flags = { mode = "local", poll_interval = 0.1 }, spool = spool }
        local f = mp.local_flags
        assert(f:refresh(20)) -- has the lock from now on
        for i = 1, 4 do
          in_child(function()
            for _ = 1, 20 do
              assert(f:is_enabled("a", user))
              posix.sleep(0.02)
            end
            assert(mp:stats().flags.polls == 0)
            assert(mp:flush(20))
          end)
        end
        reap(4)
      ]],
        "",
        spool
      )
      local ids = {}
      for _, event in ipairs(server:records "/track") do
        ids[event.properties["$insert_id"]] = true
      end
      assert.is_truthy(next(ids))
      assert.is_nil(next(ids, (next(ids)))) -- equal exposures have one
    end)

    it("takes over from one that is gone", function()
      run(
        [[
        local function new()
          return client { flags = { mode = "local", poll_interval = 0.1 }, spool = spool }
        end
        in_child(function()
          assert(new().local_flags:refresh(20))
        end)
        reap(1)
        local mp = new()
        assert(mp.local_flags:is_enabled("a", user)) -- of the file
        while mp:stats().flags.polls < 2 do
          posix.sleep(0.01)
        end
        assert(mp:flush(20))
      ]],
        "",
        spool
      )
    end)

    it("has what another process fetches", function()
      run(
        [[
        local mp = client { flags = { mode = "local", poll_interval = 0.1 }, spool = spool }
        assert(mp.local_flags:refresh(20))
        in_child(function()
          assert(mp.local_flags:is_enabled("a", user, false))
          local deadline = os.time() + 20
          while not mp.local_flags:is_enabled("b", user, false) and os.time() < deadline do
            posix.sleep(0.01)
          end
          assert(mp.local_flags:is_enabled("b", user, false))
          assert(mp:stats().flags.polls == 0)
        end)
        local http = require "socket.http"
        local body = io.open(arg[2]):read "*a"
        assert(http.request(url .. "/sandbox/flags", body))
        reap(1)
      ]],
        (function()
          local cjson = require "cjson"
          local file = assert(io.open(spool .. ".json", "w"))
          file:write(cjson.encode { flags = { flag "b" } })
          file:close()
          return spool .. ".json"
        end)(),
        spool
      )
      os.remove(spool .. ".json")
    end)
  end)
end)
