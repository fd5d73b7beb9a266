-- What every program of the benchmarks begins with: where the modules are,
-- and how a result is told: one line of JSON.
local abi = _VERSION:match "%d%.%d"
package.cpath = ("build/%s/?.so;build/bench/%s/?.so;build/?.so;%s"):format(abi, abi, package.cpath)

local setup = {
  meter = require "meter",
  mixpanel = require "mixpanel",
  cjson = require "cjson",
  shapes = require "shapes",
  token = "a1b2c3d4e5f60718293a4b5c6d7e8f90",
}

function setup.tell(result)
  io.write(setup.cjson.encode(result), "\n")
end

-- VmRSS or VmHWM of this process, in KiB.
function setup.memory(field)
  for line in io.lines "/proc/self/status" do
    local kib = line:match("^" .. field .. ":%s*(%d+) kB")
    if kib then
      return tonumber(kib)
    end
  end
end

return setup
