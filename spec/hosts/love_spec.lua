-- LÖVE without a screen: every way in which a game ends, threads, and
-- mixpanel.love.
local game = require "spec.support.game"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local socket = require "socket"

local EXIT_TIMEOUT = 0.5 -- seconds, when nobody answers
local ENOUGH = 10 -- when all is to arrive
local GRACE = 0.25

-- Ends as HOW says in its third frame; `ending` holds the moment before.
local MAIN = [[
  local analytics = require "mixpanel.love"
  local how, dir = os.getenv "HOW", os.getenv "DIR"
  local me = analytics.start("projecttoken", {
    distinct_id = "p1",
    client = {
      api_host = os.getenv "URL",
      exit_timeout = tonumber(os.getenv "EXIT_TIMEOUT"),
      flush_interval = 60,
    },
  })

  local function write(name, text)
    local file = assert(io.open(dir .. "/" .. name, "a"))
    file:write(text)
    file:close()
  end

  local function is_first_run()
    local file = io.open(dir .. "/runs")
    if file then
      file:close()
    end
    write("runs", "x")
    return not file
  end

  local first = is_first_run()
  local frames = 0

  local function stop_clock()
    write("ending", ("%.3f\n"):format(require("socket").gettime()))
  end

  local ends = {
    quit = function() love.event.quit(0) end,
    restart = function() love.event.quit(first and "restart" or 0) end,
    error = function() error "the game is broken" end,
    ["os.exit"] = function() os.exit(0) end,
    SIGTERM = function() end,
    thread = function()
      local thread = love.thread.newThread "thread.lua"
      thread:start()
      thread:wait()
      assert(not thread:getError(), thread:getError())
      love.event.quit(0)
    end,
  }

  function love.load()
    me:track("Loaded")
  end

  function love.update()
    frames = frames + 1
    if frames == 3 then
      me:track("Level", { level = frames })
      if how ~= "thread" then
        stop_clock()
      end
      ends[how]()
      if how == "thread" then
        stop_clock()
      end
    end
  end

  function love.quit()
    me:track("Quit")
  end
]]

local THREAD = [[
  local mp = require("mixpanel").new("projecttoken", {
    api_host = os.getenv "URL",
    exit_timeout = tonumber(os.getenv "EXIT_TIMEOUT"), -- the latest client's options hold
    spool = love.filesystem.getSaveDirectory() .. "/mixpanel/spool",
    flush_interval = 60,
  })
  for i = 1, 20 do
    assert(mp:track("Thread", { distinct_id = "p1", n = i }))
  end
]]

describe("a LÖVE game", function()
  local server, play

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  after_each(function()
    if play then
      play:remove()
      play = nil
    end
  end)

  local function count_events()
    local counts, last = {}, {}
    for _, record in ipairs(server:records "/track") do
      counts[record.event] = (counts[record.event] or 0) + 1
      last[record.event] = record.properties
    end
    return counts, last
  end

  -- Plays until the game has ended as `how`; returns its exit status and how
  -- many seconds the end took.
  local function run(how, url, exit_timeout)
    play = game.new(MAIN)
    play:write("thread.lua", THREAD)
    play:start { HOW = how, URL = url, EXIT_TIMEOUT = exit_timeout }
    local start
    if how == "SIGTERM" then
      process.wait_for(function()
        return play:read "ending"
      end, "the third frame")
      start = socket.gettime()
      process.signal(play.pid, "TERM")
    end
    local status, ended = play:wait()
    local log = play:read "log"
    assert(play:read "ending", log)
    start = start or tonumber(play:read("ending"):match "([%d.]+)\n$")
    play:remove()
    play = nil
    return status, ended - start, log
  end

  local ways = {
    { "quit", 0, { ["Session Start"] = 1, Loaded = 1, Level = 1, Quit = 1, ["Session End"] = 1 } },
    {
      "restart",
      0,
      { ["Session Start"] = 2, Loaded = 2, Level = 2, Quit = 2, ["Session End"] = 2 },
    },
    {
      "thread",
      0,
      { ["Session Start"] = 1, Loaded = 1, Level = 1, Quit = 1, ["Session End"] = 1, Thread = 20 },
    },
    {
      "error",
      1,
      { ["Session Start"] = 1, Loaded = 1, Level = 1, Crash = 1, ["Session End"] = 1 },
    },
    { "os.exit", 0, { ["Session Start"] = 1, Loaded = 1, Level = 1 } },
    {
      "SIGTERM",
      0,
      { ["Session Start"] = 1, Loaded = 1, Level = 1, Quit = 1, ["Session End"] = 1 },
    },
  }

  for _, way in ipairs(ways) do
    local how, expected_status, expected = way[1], way[2], way[3]

    it("has its events delivered when it ends by " .. how, function()
      local status, _, log = run(how, server.url, ENOUGH)
      assert.equal(expected_status, status, log)
      assert.same(expected, (count_events()))
    end)

    it(("ends in time by %s when nobody answers"):format(how), function()
      local hole = assert(socket.bind("127.0.0.1", 0)) -- it never accepts
      local _, port = hole:getsockname()
      local best = math.huge
      for _ = 1, 3 do
        local status, seconds, log = run(how, "http://127.0.0.1:" .. port, EXIT_TIMEOUT)
        assert.equal(expected_status, status, log)
        best = math.min(best, seconds)
        if best <= EXIT_TIMEOUT + GRACE then
          break
        end
      end
      hole:close()
      assert.is_true(best <= EXIT_TIMEOUT + GRACE, best .. " s")
    end)
  end
end)
