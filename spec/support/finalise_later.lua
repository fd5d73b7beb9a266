-- Calls a function once the garbage is collected.
local newproxy = rawget(_G, "newproxy") -- Lua 5.1, whose tables have no finalisers

return function(finalise)
  if newproxy then
    getmetatable(newproxy(true)).__gc = finalise
  else
    setmetatable({}, { __gc = finalise })
  end
end
