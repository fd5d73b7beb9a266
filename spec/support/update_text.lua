-- For specs of people: function(here, mp, ...) with `here` as of `sandboxed`, and
-- what a call of that client's people returned. Returns the text behind the ids
-- of the one update that the call made, without the time of the call: what it
-- must be without geolocation, and that the API takes it.
local assert = require "luassert"
local json = require "spec.support.json"

return function(here, mp, ...)
  assert.is_true(...)
  assert(mp:flush(10))
  local requests = here.server:requests()
  assert.equal(1, #requests)
  assert.equal("/engage", requests[1].path)
  assert.equal(1, requests[1].accepted)
  local line = here.server:lines("/engage")[1]
  json.read(line)
  here.server:reset()
  local time = line:match '"%$time":(%d+)'
  if time and math.abs(tonumber(time) / 1000 - os.time()) < 3600 then
    line = line:gsub('"%$time":%d+,', "", 1)
  end
  return line:match '^{"%$token":"projecttoken","%$distinct_id":"u","%$ip":"0",(.*)}$' or line
end
