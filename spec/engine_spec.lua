-- What a host may rely on: threads, signals, descriptors, and projects that
-- share the threads.
local mixpanel = require "mixpanel"
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"

describe("engine", function()
  local server

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  -- What a program does with the client, and which threads it has then.
  local THREADS = {
    { does = "tracks", names = { "mixpanel-send" } },
    { does = "keeps a state", names = { "mixpanel-disk" } },
    { does = "tracks into a spool", names = { "mixpanel-disk", "mixpanel-send" } },
    { does = "traces", names = { "mixpanel-disk", "mixpanel-send" } },
  }

  local program = [[
    local url, does, home = (table.unpack or unpack)(arg)
    local function threads()
      local pid = io.open("/proc/self/stat"):read "*n"
      local list = {}
      for tid in io.popen("ls /proc/" .. pid .. "/task"):lines() do
        list[tid] = io.open("/proc/self/task/" .. tid .. "/status"):read "*a"
      end
      return list
    end
    local mp = require("mixpanel").new("projecttoken", {
      api_host = url,
      spool = does:find "spool" and home .. "/spool" or nil,
      debug = does == "traces" and home .. "/trace" or nil,
    })
    mp:stats()
    local before = threads()
    if does == "keeps a state" then
      local me = mp:user { state = home .. "/state.json" }
      me:register { a = 1 }
      assert(me:save(10))
    else
      mp:track("A", { distinct_id = "u" })
      assert(mp:flush(10)) -- while a thread starts, the C library blocks more
    end
    local fresh = {}
    for tid, status in pairs(threads()) do
      if not before[tid] then
        fresh[#fresh + 1] = status:match "Name:%s*(%S+)" .. " " .. status:match "SigBlk:%s*(%x+)"
      end
    end
    table.sort(fresh)
    print(table.concat(fresh, "\n"))
  ]]

  for _, case in ipairs(THREADS) do
    it("that " .. case.does .. " has no thread too many, all signals blocked", function()
      local home = os.tmpname()
      os.remove(home)
      assert(os.execute("mkdir -m 700 " .. home))
      local printed, status = script.run(program, server.url, case.does, home)
      os.execute("rm -rf " .. home)
      assert.equal(0, status, printed)
      local names = {}
      for name, blocked in printed:gmatch "(mixpanel%S+) (%x+)\n" do
        names[#names + 1] = name
        -- SIGHUP to SIGSYS, but for SIGKILL (9) and SIGSTOP (19).
        assert.equal("7ffbfeff", blocked:sub(-8))
      end
      assert.same(case.names, names, printed)
    end)
  end

  it("leaves no connection to programs that the host executes", function()
    local printed, status = script.run(
      [[
        local mp = require("mixpanel").new("projecttoken", { api_host = arg[1] })
        mp:track("A", { distinct_id = "u" })
        assert(mp:flush(10))
        local tcp = io.open("/proc/net/tcp"):read "*a"
        local function connections(pid)
          local n = 0
          for line in io.popen("ls -l /proc/" .. pid .. "/fd"):lines() do
            local inode = line:match "socket:%[(%d+)%]"
            n = n + ((inode and tcp:find(" " .. inode .. " ", 1, true)) and 1 or 0)
          end
          return n
        end
        print(connections(io.open("/proc/self/stat"):read "*n"), connections "self")
      ]],
      server.url
    )
    assert.equal(0, status, printed)
    local own, inherited = printed:match "(%d+)%s+(%d+)"
    assert.equal("1", own)
    assert.equal("0", inherited)
  end)

  it("serves more projects than transfers may run", function()
    server:script { times = 0, status = 200, body = "1", delay_ms = 50, ingest = true }
    local clients = {}
    for i = 1, 70 do
      clients[i] =
        mixpanel.new("projecttoken", { api_host = server.url, name = "one of 70: " .. i })
      clients[i]:track("A", { distinct_id = "u", i = i })
    end
    for _, mp in ipairs(clients) do
      assert(mp:flush(20))
      assert.equal(1, mp:stats().delivered)
      assert.equal(1, mp:stats().requests)
    end
  end)

  it("keeps a project until its records have ended, whoever forgot it", function()
    local options = { api_host = server.url, name = "forgotten", flush_interval = 0.3 }
    mixpanel.new("projecttoken", options):track("A", { distinct_id = "u" })
    collectgarbage()
    collectgarbage()
    server:wait(1)
    assert.equal(1, #server:records "/track")
  end)

  it("has one project for one key, and its latest settings", function()
    local options = { api_host = server.url, name = "same", max_queue_bytes = 65536 }
    local first = mixpanel.new("projecttoken", options)
    first:track("A", { distinct_id = "u" })
    options.max_queue_bytes = nil
    options.flush_interval = 0
    local second = mixpanel.new("projecttoken", options)
    assert.equal(1, second:stats().accepted)
    assert(second:close(10))
    assert.equal(1, first:stats().delivered)
    assert(first:track("B", { distinct_id = "u" })) -- only the second is closed
    server:wait(2) -- with the second's flush_interval
    assert(first:flush(10))
    first:close()
  end)
end)
