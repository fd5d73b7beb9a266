-- Asserts that a function raises the message, at the line of its own that comes
-- first in its body.
local function raises(message, call)
  local info = debug.getinfo(call, "S")
  local ok, err = pcall(call)
  if ok then
    error("nothing was raised", 2)
  end
  local expected = ("%s:%d: %s"):format(info.short_src, info.linedefined + 1, message)
  if err ~= expected then
    error(("raised:   %s\nexpected: %s"):format(tostring(err), expected), 2)
  end
end

return raises
