-- Asserts that a call returned nil, the message and the code "invalid":
-- refused("the reason", mp:track(...))
local assert = require "luassert"

return function(message, ...)
  local ok, why, code = ...
  assert.is_nil(ok)
  assert.equal(message, why)
  assert.equal("invalid", code)
end
