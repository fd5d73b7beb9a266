-- Called in a describe whose specs have a spool. What it returns has the `server`
-- (a sandbox), a directory `home` for all of them, and in it `spool`, which is
-- another path for each.
local assert = require "luassert"
local busted = require "busted"
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local sandbox = require "spec.support.sandbox"
local socket = require "socket"

local interpreter = rawget(_G, "jit") and "luajit" or "lua5.4"

-- What a shell command prints.
local function output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

-- Waits until the statistics of a client are as `done` wants them.
local function wait(mp, done, what)
  local deadline = socket.gettime() + 20
  while not done(mp:stats()) do
    assert(socket.gettime() < deadline, what .. ": " .. cjson.encode(mp:stats()))
    socket.sleep(0.01)
  end
end

local function wait_empty(mp)
  wait(mp, function(s)
    return s.adopted > 0 and s.queued + s.in_flight + s.spooled == 0
  end, "adopted records did not end")
end

return function()
  local here = { interpreter = interpreter, output = output, wait = wait, wait_empty = wait_empty }
  local made = 0

  busted.setup(function()
    here.server = sandbox.start()
    here.home = os.tmpname()
    os.remove(here.home)
    assert(os.execute("mkdir -m 700 " .. here.home))
  end)

  busted.teardown(function()
    here.server:stop()
    os.execute("rm -rf " .. here.home)
  end)

  busted.before_each(function()
    here.server:reset()
    made = made + 1
    here.spool = here.home .. "/" .. made
  end)

  function here.client(options)
    options = options or {}
    options.api_host = options.api_host or here.server.url
    options.max_retry_delay = options.max_retry_delay or 0.2
    options.spool = here.spool
    return mixpanel.new("projecttoken", options)
  end

  -- Runs Lua in another process; `mp` is a client there, `die()` kills it.
  function here.run(options, code)
    local path = here.home .. "/program.lua"
    local file = assert(io.open(path, "w"))
    file:write(
      ("package.cpath = %q\n"):format(package.cpath),
      "local function die() os.execute 'kill -9 $PPID' end\n",
      "local mixpanel = require 'mixpanel'\n",
      ("local options = require('cjson').decode(%q)\n"):format(cjson.encode(options)),
      "local mp = mixpanel.new('projecttoken', options)\n",
      code
    )
    file:close()
    return output(interpreter .. " " .. path .. " 2>&1")
  end

  -- A process that tracks and is killed while it can reach nobody.
  function here.crash(code, options)
    options = options or {}
    options.spool = here.spool
    options.api_host = options.api_host or here.server.url
    options.flush_interval = 3600
    here.run(options, code .. "\ndie()")
  end

  function here.files(pattern)
    return output(("find %s -type f -name '%s' 2>/dev/null | sort"):format(here.spool, pattern))
  end

  return here
end
