-- Called in a describe whose specs send to the sandbox. What it returns has the
-- `server`, started once and reset before each spec, and `mp`, a client that each
-- spec has anew.
local assert = require "luassert"
local busted = require "busted"
local cjson = require "cjson"
local json = require "spec.support.json"
local mixpanel = require "mixpanel"
local sandbox = require "spec.support.sandbox"

-- `name`: another one in each describe. `options`: a function that returns those
-- of `mp`.
return function(name, options)
  local here = { clients = 0 }

  busted.setup(function()
    here.server = sandbox.start()
  end)

  busted.teardown(function()
    here.server:stop()
  end)

  -- Another client, which the caller closes.
  function here.new(given)
    here.clients = here.clients + 1 -- of another name each, so that each has its own counters
    given = given or {}
    given.api_host = given.api_host or here.server.url
    given.name = name .. " " .. here.clients
    return mixpanel.new("projecttoken", given)
  end

  busted.before_each(function()
    here.server:reset()
    here.mp = here.new(options and options())
  end)

  busted.after_each(function()
    here.mp:close()
  end)

  -- The records that arrived, and the paths that they went to. Every line is
  -- read strictly, so that no key stands twice in any.
  function here.arrived(client)
    assert((client or here.mp):flush(10))
    local records, paths = {}, {}
    for _, request in ipairs(here.server:requests()) do
      for _, line in ipairs(here.server:lines(request.path)) do
        json.read(line)
      end
      for _, record in ipairs(cjson.decode(request.body)) do
        records[#records + 1] = record
        paths[#paths + 1] = request.path
      end
    end
    here.server:reset()
    return records, paths
  end

  return here
end
