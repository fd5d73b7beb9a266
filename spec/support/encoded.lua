-- The sandbox of `sandboxed`, which also tells what the encoder makes of values.
local assert = require "luassert"
local json = require "spec.support.json"
local sandboxed = require "spec.support.sandboxed"

local function in_order()
  return { max_in_flight = 1 }
end

return function(name)
  local here = sandboxed(name, in_order)

  -- The JSON of each value, as the property of an event of its own.
  function here.texts(list)
    for i = 1, #list do
      assert(here.mp:track("v", { v = list[i] }))
    end
    assert(here.mp:flush(10))
    local found = {}
    for i, line in ipairs(here.server:lines "/track") do
      json.read(line)
      found[i] = line:match '"v":(.*)}}$'
    end
    assert.equal(#list, #found)
    here.server:reset()
    return found
  end

  function here.text(value)
    return here.texts({ value })[1]
  end

  -- The message with which a value is refused as the property v.
  function here.refusal(value)
    local ok, message, code = here.mp:track("v", { v = value })
    assert.is_nil(ok)
    assert.equal("invalid", code)
    return message
  end

  return here
end
