-- A game for LÖVE, run without a screen, in a directory of its own with the
-- module and its companions beside main.lua.
local process = require "spec.support.process"
local socket = require "socket"

local CONF = [[
function love.conf(t)
  t.identity = "game"
  t.window = false
  for _, name in ipairs { "audio", "font", "graphics", "image", "joystick", "physics", "sound",
    "touch", "video", %s } do
    t.modules[name] = false
  end
end
]]

local Game = {}
Game.__index = Game

-- `main`: the text of main.lua; `without`: more modules that are off.
local function new(main, without)
  local self = setmetatable({ dir = process.read "mktemp -d" }, Game)
  process.run(("cp -r build/5.1/mixpanel.so src/mixpanel %s"):format(self.dir))
  local names = {}
  for i, name in ipairs(without or {}) do
    names[i] = ('"%s"'):format(name)
  end
  self:write("main.lua", main)
  self:write("conf.lua", CONF:format(table.concat(names, ", ")))
  return self
end

function Game:write(path, text)
  local file = assert(io.open(self.dir .. "/" .. path, "wb"))
  file:write(text)
  file:close()
end

function Game:read(path)
  return process.slurp(self.dir .. "/" .. path)
end

-- Starts LÖVE with these variables in its environment.
function Game:start(variables)
  local settings = {}
  for name, value in pairs(variables or {}) do
    settings[#settings + 1] = ("%s='%s'"):format(name, value)
  end
  process.run(("rm -f %s/status %s/pid"):format(self.dir, self.dir))
  process.run(
    -- The outer shell waits for LÖVE, so that its exit status is known.
    ("(cd %s; env %s DIR=%s XDG_DATA_HOME=%s/data SDL_VIDEODRIVER=dummy sh -c"):format(
      self.dir,
      table.concat(settings, " "),
      self.dir,
      self.dir
    )
      .. " 'echo $$ >pid; exec love .' >log 2>&1; echo $? >status) </dev/null >/dev/null 2>&1 &"
  )
  self.pid = process.wait_for(function()
    return tonumber(self:read "pid")
  end, "LÖVE")
end

-- Waits until the game has ended; returns its exit status and the time.
function Game:wait(timeout)
  process.wait_gone({ self.pid }, timeout)
  local now = socket.gettime()
  local status = process.wait_for(function()
    return tonumber(self:read "status")
  end, "the exit status")
  self.pid = nil
  return status, now
end

function Game:remove()
  if self.pid and process.alive(self.pid) then
    process.signal(self.pid, "KILL")
    self:wait()
  end
  process.run("rm -rf " .. self.dir)
end

return { new = new }
