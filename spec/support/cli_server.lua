-- Called in a describe whose specs run the command line against a sandbox. What
-- it returns has the `server`, which forgets everything before each spec, and a
-- `folder` for each, which goes after it.
local busted = require "busted"
local cli = require "spec.support.cli"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

return function()
  local here = {}

  busted.setup(function()
    here.server = sandbox.start()
  end)

  busted.teardown(function()
    here.server:stop()
  end)

  busted.before_each(function()
    here.server:reset()
    here.folder = cli.folder()
  end)

  busted.after_each(function()
    process.run("rm -rf " .. here.folder)
  end)

  -- What the command line is told by its surroundings, with `changes`.
  function here.environment(changes)
    local environment = { MIXPANEL_API_HOST = here.server.url, MIXPANEL_TOKEN = "projecttoken" }
    for name, value in pairs(changes or {}) do
      environment[name] = value or nil
    end
    return environment
  end

  function here.run(arguments, changes, input)
    return cli.run(arguments, here.environment(changes), input)
  end

  function here.import(arguments, input)
    table.insert(arguments, 1, "import")
    return here.run(arguments, nil, input)
  end

  -- The pid of an import in the background; its output is in `folder`/out.
  function here.start_import(arguments)
    table.insert(arguments, 1, "import")
    local command = cli.command(arguments, here.environment())
    return tonumber(
      process.read(("{ exec %s; } >%s/out 2>&1 & echo $!"):format(command, here.folder))
    )
  end

  -- The path of a new file.
  function here.file(name, text)
    return cli.write(here.folder .. "/" .. name, text)
  end

  -- What the table at the end of an import says.
  function here.counts(output)
    local found = {}
    for _, name in ipairs { "read", "delivered", "rejected", "left" } do
      found[#found + 1] = tonumber(output:match(name .. " +(%d+)"))
    end
    return found
  end

  return here
end
