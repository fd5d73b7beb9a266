-- mixpanel.love: what its events carry, and how its hooks live with a game's
-- own callbacks.
local cjson = require "cjson"
local BEGIN = require "spec.support.game_start"
local game = require "spec.support.game"
local sandbox = require "spec.support.sandbox"

describe("mixpanel.love", function()
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

  -- Plays to the end, once more if there was a game already; returns the
  -- events in order and what the game noted.
  local function run(main, without)
    play = play or game.new(BEGIN .. main, without)
    play:start { URL = server.url }
    local status = play:wait()
    return server:records "/track", play:read "notes" or "", status, play:read "log"
  end

  local function names(events)
    local list = {}
    for i, record in ipairs(events) do
      list[i] = record.event
    end
    return table.concat(list, ", ")
  end

  it("says what device and which session an event is from", function()
    local events = run [[
      local me = start { client = { properties = { level = 1, ["$os"] = "mine" } } }
      function love.update() me:track "Played" love.event.quit() end
    ]]
    assert.equal("Session Start, Played, Session End", names(events))
    for _, record in ipairs(events) do
      local p = record.properties
      assert.equal("p1", p.distinct_id)
      assert.equal("Linux", p["$os"])
      assert.equal("11.4.0", p.love_version)
      assert.equal(1024, p["$screen_width"]) -- as SDL's dummy driver says
      assert.equal(768, p["$screen_height"])
      assert.equal(events[1].properties.session_id, p.session_id)
      assert.truthy(p.session_id:find "^%x+%-%x+%-4%x+%-%x+%-%x+$")
      assert.equal(1, p.level)
      assert.is_nil(p.ip) -- the address is the player's
    end
    assert.equal("1", server:requests()[1].query.ip)
    local seconds = events[3].properties["$duration"]
    assert.is_true(seconds >= 0 and seconds < 20)
  end)

  it("adds that to what a function of the game's gives", function()
    local events = run [[
      local me = start { client = { properties = function(event)
        return event == "Played" and { level = 1, ["$os"] = "mine" } or nil
      end } }
      function love.update() me:track "Played" love.event.quit() end
    ]]
    assert.equal("Session Start, Played, Session End", names(events))
    for i, record in ipairs(events) do
      assert.equal("Linux", record.properties["$os"])
      assert.is_string(record.properties.session_id)
      assert.equal(i == 2 and 1 or nil, record.properties.level)
    end
  end)

  it("works without the modules window, system, timer and math", function()
    local events, _, status = run(
      [[
        local me = start()
        function love.update() me:track "Played" love.event.quit() end
      ]],
      { "window", "system", "timer", "math" }
    )
    assert.equal(0, status)
    assert.equal("Session Start, Played, Session End", names(events))
    local p = events[2].properties
    assert.equal("Linux", p["$os"])
    assert.is_nil(p["$screen_width"])
    assert.is_string(p.session_id)
  end)

  it("knows the device again, also when the game ended by os.exit", function()
    local main = [[
      local me = start { anonymous = true }
      function love.update() os.exit(0) end
    ]]
    run(main)
    local events = run(main)
    assert.equal("Session Start, Session Start", names(events))
    local first, second = events[1].properties, events[2].properties
    assert.equal(first["$device_id"], second["$device_id"])
    assert.equal("$device:" .. first["$device_id"], first.distinct_id)
    assert.equal(first.distinct_id, second.distinct_id)
    assert.are_not.equal(first.session_id, second.session_id)
  end)

  it("keeps who the player is, and whether they opted out", function()
    local main = [[
      local me = start { anonymous = true }
      if me:get_distinct_id() == "player-7" then
        me:opt_out_tracking()
      else
        me:identify "player-7"
      end
      function love.update() me:track "Played" love.event.quit() end
    ]]
    assert.equal("Session Start, $identify, Played, Session End", names((run(main))))
    server:reset()
    local events = run(main)
    assert.equal("Session Start", names(events))
    assert.equal("player-7", events[1].properties.distinct_id)
    server:reset()
    assert.equal("", names((run(main))))
  end)

  it("raises at its caller's line for an option that nobody knows", function()
    local _, notes = run [[
      local crowd = {}
      for i = 1, 254 do
        crowd["p" .. i] = i
      end
      for _, options in ipairs {
        { on_reports = print },
        { client = { api_hots = "x" } },
        { client = 5 },
        { on_report = true },
        { client = { properties = crowd } },
      } do
        note(select(2, pcall(function()
          local me = analytics.start("projecttoken", options)
          return me
        end)))
      end
      love.event.quit()
    ]]
    for _, word in ipairs {
      "on_reports",
      "api_hots",
      "'client': table",
      "'on_report': function",
      "254 properties",
    } do
      assert.truthy(notes:find("main.lua:%d+: bad argument[^\n]*" .. word), notes)
    end
  end)

  -- Seconds from the last frame to the end of a game that cannot send.
  local function time_offline(client)
    play = game.new(BEGIN .. ([[
      local me = analytics.start("projecttoken", {
        client = { api_host = "http://127.0.0.1:9", %s },
      })
      function love.update()
        me:track "Played"
        note(require("socket").gettime())
        love.event.quit()
      end
    ]]):format(client))
    play:start()
    local _, ended = play:wait()
    local began = tonumber(play:read "notes")
    play:remove()
    play = nil
    return ended - began
  end

  -- The least of three, unless one is short enough already.
  local function assert_ends_offline(client, least, most)
    local best = math.huge
    for _ = 1, 3 do
      best = math.min(best, time_offline(client))
      if best < most + 0.25 then
        break
      end
    end
    assert.is_true(best >= least and best < most + 0.25, best .. " s")
  end

  it("lets a player who is offline quit within a second, or as the game says", function()
    assert_ends_offline("", 0, 1)
    assert_ends_offline("exit_timeout = 0.3, spool = false", 0.3, 0.3)
  end)

  -- Each: how the first game ends, and what it had tracked by then.
  local ways = {
    quit = { "love.event.quit()", "Session Start, Played, Session End" },
    ["kill -9"] = { "os.execute 'kill -9 $PPID'", "Session Start, Played" },
  }
  for name, way in pairs(ways) do
    it("sends at the next start what was left by " .. name, function()
      local main = ([[
        local again = os.getenv "AGAIN"
        local me, mp = start { client = { flush_interval = 1, exit_timeout = again and 10 or 1 } }
        function love.update()
          local stats = mp:stats()
          if not again then
            me:track "Played"
            %s
          elseif stats.adopted > 0 and stats.spooled + stats.queued + stats.in_flight == 0 then
            love.event.quit()
          end
        end
      ]]):format(way[1])
      server:script { endpoint = "/track", times = 0, close = "before" }
      run(main)
      assert.same({}, server:records "/track")
      server:reset()
      play:start { URL = server.url, AGAIN = "yes" }
      play:wait()
      local left, seen = {}, {}
      local records = server:records "/track"
      local own = records[#records].properties.session_id -- "Session End" comes last
      for _, record in ipairs(records) do
        local id = record.properties["$insert_id"]
        assert.is_nil(seen[id], "twice")
        seen[id] = true
        left[#left + 1] = record.properties.session_id ~= own and record or nil
      end
      assert.equal(way[2], names(left))
    end)
  end

  it("keeps callbacks defined before and after it, also in love.load", function()
    local events, notes = run [[
      function love.quit() note "quit" end
      local me = start { on_report = function() end }
      function love.load(...)
        note "load"
        local before = love.update
        function love.update(dt)
          before(dt)
          love.event.quit()
        end
      end
      function love.update(dt) note("update " .. type(dt)) end
    ]]
    assert.equal("load\nupdate number\nquit\n", notes)
    assert.equal("Session Start, Session End", names(events))
  end)

  it("wraps a game's own love.run", function()
    local events, notes = run [[
      function love.run()
        return function()
          love.event.pump()
          for name in love.event.poll() do
            if name == "quit" and not love.quit() then return 7 end
          end
          note "frame"
          love.event.quit()
        end
      end
      start()
    ]]
    assert.equal("frame\n", notes)
    assert.equal("Session Start, Session End", names(events))
  end)

  it("leaves the session open when the game refuses to quit", function()
    local events = run [[
      local me = start()
      local asked = 0
      function love.update() love.event.quit() end
      function love.quit()
        asked = asked + 1
        me:track("Asked", { n = asked })
        return asked < 3
      end
    ]]
    assert.equal("Session Start, Asked, Asked, Asked, Session End", names(events))
  end)

  it("acts once when it is hooked around itself", function()
    local events = run [[
      local me = start()
      local hook = love.quit
      function love.quit() me:track "Mine" return hook() end
      function love.update() love.event.quit() end
    ]]
    assert.equal("Session Start, Mine, Session End", names(events))
  end)

  it("tracks a crash and lets the game's own handler show it", function()
    local events, notes, status = run [[
      local me = start()
      local function fail() local nothing = nil return nothing.x end
      function love.update() local x = fail() return x end
      function love.errorhandler(message) note(message) end
    ]]
    assert.equal(1, status)
    assert.equal("Session Start, Crash, Session End", names(events))
    local crash = events[2].properties
    assert.truthy(crash.message:find "main.lua:%d+: attempt to index local 'nothing'")
    assert.equal(crash.message .. "\n", notes)
    assert.truthy(crash.traceback[1]:find "main.lua:%d+: in function 'fail'", crash.traceback[1])
    assert.truthy(crash.traceback[2]:find "main.lua:%d+: in function 'update'")
  end)

  -- Each: what the game raises, and what the crash says of it.
  local objects = {
    ["that raises"] = {
      "setmetatable({}, { __tostring = function() error 'no' end })",
      "a table whose __tostring fails",
    },
    ["that gives no string"] = {
      "setmetatable({}, { __tostring = function() return 5 end })",
      "a table whose __tostring fails",
    },
    ["that gives a text"] = {
      "setmetatable({}, { __tostring = function() return 'so it is' end })",
      "so it is",
    },
  }
  for name, object in pairs(objects) do
    it("brings the game's handler an error object with a __tostring " .. name, function()
      local events, notes, status = run(([[
        start()
        local object = %s
        function love.update() error(object) end
        function love.errorhandler(message) note(tostring(message == object)) end
      ]]):format(object[1]))
      assert.equal(1, status)
      assert.equal("true\n", notes)
      assert.equal("Session Start, Crash, Session End", names(events))
      assert.equal(object[2], events[2].properties.message)
    end)
  end

  it("tracks a crash with a message that is long, or is no text", function()
    local events = run [[
      start()
      function love.update() error(("\195\164"):rep(1e6), 0) end
    ]]
    assert.equal("Session Start, Crash, Session End", names(events))
    assert.equal(("\195\164"):rep(127), events[2].properties.message)
    server:reset()
    play:remove()
    play = nil
    events = run [[
      start { client = { on_invalid = "reject" } }
      function love.update() error("\255", 0) end
    ]]
    assert.equal("Session Start, Crash, Session End", names(events))
    assert.is_nil(events[2].properties.message)
  end)

  it("shows the game's error whatever else fails", function()
    local _, notes, status = run [[
      start()
      string.gmatch = function() error "no lines" end
      function love.update() error("broken", 0) end
      function love.errorhandler(message) note(message) end
    ]]
    assert.equal(1, status)
    assert.equal("broken\n", notes)
  end)

  it("tracks the crash of a game that recurses without end", function()
    local events, notes, status = run [[
      start()
      local function deeper(n) return 1 + deeper(n + 1) end
      function love.update() deeper(1) end
      function love.errorhandler(message) note(message) end
    ]]
    assert.equal(1, status)
    assert.truthy(notes:find "stack overflow", notes)
    assert.equal("Session Start, Crash, Session End", names(events))
    assert.truthy(events[2].properties.message:find "main.lua:%d+: stack overflow")
    assert.is_nil(events[2].properties.traceback)
  end)

  it("starts once, but after a start that failed", function()
    local events, notes = run [[
      note(select(2, pcall(function() start { client = { api_hots = "x" } } end)))
      local me = start()
      note(select(2, pcall(function() start() end)))
      function love.update() me:track "Played" love.event.quit() end
    ]]
    assert.matches("did you mean 'api_host'", (notes:gsub("do you mean", "did you mean")))
    assert.matches("main.lua:%d+: start was called before", notes)
    assert.equal("Session Start, Played, Session End", names(events))
  end)

  it("shows errors as LÖVE does when the game has no handler", function()
    local events, _, status, log = run [[
      start()
      function love.update() error "broken" end
    ]]
    assert.equal(1, status)
    assert.truthy(log:find("Error: main.lua:%d+: broken", 1))
    assert.equal("Session Start, Crash, Session End", names(events))
  end)

  it("prints errors as LÖVE does when even LÖVE's own handler is gone", function()
    local events, _, status, log = run [[
      start()
      love.errorhandler, love.errhand = nil, nil
      function love.update() error "broken" end
    ]]
    assert.equal(1, status)
    assert.truthy(log:find("Error: main.lua:%d+: broken\nstack traceback:\n.*in function 'update'"))
    assert.equal("Session Start, Crash, Session End", names(events))
  end)

  it("hands reports to the game, once a frame", function()
    server:script {
      endpoint = "/track",
      status = 400,
      body = { error = "no such project", status = 0 },
    }
    local _, notes = run [[
      local _, mp = start {
        on_report = function(report)
          note(require("cjson").encode { outcome = report.outcome, message = report.message })
          love.event.quit()
        end,
      }
      mp:flush(0)
    ]]
    local report = cjson.decode(notes)
    assert.equal("rejected", report.outcome)
    assert.equal("no such project", report.message)
  end)
end)
