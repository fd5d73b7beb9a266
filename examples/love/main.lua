-- Catch the dot: press space while it is between the lines; escape quits. From
-- the root of the repository:
--
--     make luajit
--     MIXPANEL_TOKEN=... love examples/love
--
-- A game of yours has mixpanel.so and the folder src/mixpanel beside its
-- main.lua and needs neither of these two lines.
local source = love.filesystem.getSource()
package.path = source .. "/../../src/?.lua;" .. package.path
package.cpath = source .. "/../../build/5.1/?.so;" .. package.cpath

local analytics = require "mixpanel.love"

local sandbox = os.getenv "MIXPANEL_SANDBOX_URL"
local token = os.getenv "MIXPANEL_TOKEN" or sandbox and "projecttoken"
if not token then
  error "set MIXPANEL_TOKEN to the token of your project"
end

local me = analytics.start(token, {
  client = { api_host = sandbox },
  on_report = function(report)
    print(("mixpanel: %d %s: %s"):format(report.count, report.outcome, report.message or ""))
  end,
})

local LEFT, RIGHT = 0.42, 0.58 -- where the dot may be caught, of the width

local level, misses, position

local function start_level(number)
  level, misses, position = number, 0, 0
  me:track("Level Start", { level = level })
  me:time_event "Level End"
end

local function end_level()
  me:track("Level End", { level = level, misses = misses })
end

function love.load()
  start_level(1)
end

function love.update(dt)
  position = (position + dt * (0.3 + 0.1 * level)) % 1
end

function love.keypressed(key)
  if key == "escape" then
    love.event.quit()
  elseif key ~= "space" then
    return
  elseif position > LEFT and position < RIGHT then
    end_level()
    start_level(level + 1)
  else
    misses = misses + 1
  end
end

function love.draw()
  local width, height = love.graphics.getDimensions()
  love.graphics.print(("Level %d, %d misses"):format(level, misses), 20, 20)
  love.graphics.line(LEFT * width, 60, LEFT * width, height - 20)
  love.graphics.line(RIGHT * width, 60, RIGHT * width, height - 20)
  love.graphics.circle("fill", position * width, height / 2, 10)
end
