-- examples/love as it stands, but without a screen, and played by a program.
local game = require "spec.support.game"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local MAIN = [[
  require "example"
  local update = love.update
  local frames = 0
  function love.update()
    update(0.1)
    frames = frames + 1
    -- The dot goes 4 % of the width a frame and is caught from 42 % on.
    if frames == 5 or frames == 12 then
      love.event.push("keypressed", "space", "space", false)
    elseif frames == 14 then
      love.event.push("keypressed", "escape", "escape", false)
    end
  end
]]

describe("examples/love", function()
  it("tracks level starts and ends", function()
    local server = sandbox.start()
    local play = game.new(MAIN)
    finally(function()
      play:remove()
      server:stop()
    end)
    play:write("example.lua", process.slurp "examples/love/main.lua")
    play:start { MIXPANEL_SANDBOX_URL = server.url }
    local status = play:wait()
    local log, events, ended = play:read "log", {}, nil
    for i, record in ipairs(server:records "/track") do
      events[i] = ("%s %d"):format(record.event, record.properties.level or 0)
      ended = record.event == "Level End" and record.properties or ended
    end
    assert.equal(0, status, log)
    assert.same({
      "Session Start 0",
      "Level Start 1",
      "Level End 1",
      "Level Start 2",
      "Session End 0",
    }, events)
    assert.equal(1, ended.misses)
    assert.is_number(ended["$duration"])
  end)
end)
