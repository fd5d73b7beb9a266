-- Called in a describe whose specs forward from a server of NATS to the sandbox. What
-- it returns has the `servers` and the `server`, started once, and a `fleet` that each
-- spec has anew, as if nothing had ever been on the bus.
local assert = require "luassert"
local busted = require "busted"
local cjson = require "cjson"
local forward = require "spec.support.forward"
local mixpanel = require "mixpanel"
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

-- `more`: configuration of the server.
return function(more)
  local here = { TOKEN = "projecttoken" }
  local cpath

  busted.setup(function()
    cpath = package.cpath
    package.cpath = cpath .. ";" .. nats.drivers
    here.servers = nats.start(1, more)
    here.server = sandbox.start()
  end)

  busted.teardown(function()
    here.server:stop()
    here.servers:stop()
    package.cpath = cpath
  end)

  busted.before_each(function()
    here.server:reset()
    here.fleet = forward.new(here.servers, here.server)
    here.fleet:create_anew()
    here.fleet:projects { { token = here.TOKEN } }
  end)

  busted.after_each(function()
    here.fleet:remove()
  end)

  -- Calls a function with a client of the bus, and waits until the bus has all.
  function here.publish(calls, token, options)
    local mp = here.servers:client(options, token)
    calls(mp)
    nats.drain(mp)
    mp:close(20)
  end

  -- Starts a forwarder that keeps its lease while it, or the bus, stands still for up to
  -- 20 s: a third of its TTL, after which it renews it.
  function here.start_lasting()
    return here.fleet:start {
      environment = { LUA_INIT = "@spec/support/forward_faults.lua", FORWARD_TTL = 60 },
    }
  end

  -- The subject of a lane of the project.
  function here.subject(lane, token)
    return ("%s.%s"):format(mixpanel.bus_subject(token or here.TOKEN), lane)
  end

  -- Puts a list of records on a lane, as a message of its own.
  function here.put(lane, records, headers)
    local body = type(records) == "string" and records or cjson.encode(records)
    return here.fleet:put(here.subject(lane), body, headers)
  end

  function here.event(name, properties)
    local record = { event = name, properties = { token = here.TOKEN, time = os.time() * 1000 } }
    record.properties["$insert_id"] = name
    for key, value in pairs(properties or {}) do
      record.properties[key] = value
    end
    return record
  end

  -- Puts events on the bus, each as a message: E<first> to E<last>.
  function here.put_events(first, last)
    for n = first, last do
      here.put("events", { here.event("E" .. n) })
    end
  end

  function here.gzip(text)
    local path = os.tmpname()
    nats.write(path, text)
    local zipped = process.read("gzip -c " .. path)
    os.remove(path)
    return zipped
  end

  -- The names of the events that an endpoint got, sorted.
  function here.names(endpoint)
    local names = {}
    for i, record in ipairs(here.server:records(endpoint or "/track")) do
      names[i] = record.event
    end
    table.sort(names)
    return names
  end

  -- The names of events that `put_events` puts.
  function here.names_of(first, last)
    local list = {}
    for n = first, last do
      list[#list + 1] = "E" .. n
    end
    return list
  end

  -- How many requests an endpoint got.
  function here.requests(endpoint)
    local count = 0
    for _, request in ipairs(here.server:requests()) do
      count = count + (request.path == endpoint and 1 or 0)
    end
    return count
  end

  -- Each event has arrived as often as it says; none other has.
  function here.same_names(expected, endpoint)
    table.sort(expected)
    assert.same(expected, here.names(endpoint))
  end

  return here
end
