-- Runs the command line of the checkout, with the interpreter under test.
local process = require "spec.support.process"
local script = require "spec.support.script"

local cli = {}

function cli.quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

-- The shell's words for a run: `arguments` is a list, `environment` a table.
-- What the surroundings say of Mixpanel does not count.
function cli.command(arguments, environment)
  local words = { "env -u MIXPANEL_TOKEN -u MIXPANEL_API_HOST -u MIXPANEL_RESIDENCY" }
  for name, value in pairs(environment or {}) do
    words[#words + 1] = name .. "=" .. cli.quote(value)
  end
  words[#words + 1] = script.interpreter .. " bin/mixpanel"
  for _, argument in ipairs(arguments) do
    words[#words + 1] = cli.quote(argument)
  end
  return table.concat(words, " ")
end

-- What it printed, what it complained of, its exit status. One that hangs is
-- ended after two minutes, with the status 124. `input`: a shell's redirection.
function cli.run(arguments, environment, input)
  local errors = os.tmpname()
  local output, status = script.shell(
    ("timeout 120 %s 2>%s %s"):format(cli.command(arguments, environment), errors, input or "")
  )
  local complaints = process.slurp(errors)
  os.remove(errors)
  return output, complaints, status
end

-- A new folder, which the caller removes.
function cli.folder()
  local path = os.tmpname()
  os.remove(path)
  process.run("mkdir -m 700 " .. path)
  return path
end

function cli.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  file:close()
  return path
end

return cli
