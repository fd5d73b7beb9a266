-- Runs Lua programs with the interpreter and the module under test.
local socket = require "socket"

local script = {}

script.build = os.getenv "BUILD" or "build"

-- Where a Lua of this version finds the module, and `spec_posix` (spec_posix.c).
function script.cpath_of(version)
  return ("./%s/%s/?.so;./%s/spec/%s/?.so;"):format(script.build, version, script.build, version)
end

local version = _VERSION:match "%d%.%d"

local function find_interpreter()
  local i = -1
  while arg[i - 1] do
    i = i - 1
  end
  return arg[i]
end

script.interpreter = find_interpreter()

-- Writes the program to a file that the caller removes, and returns its path.
function script.write(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(("package.cpath = %q .. package.cpath\n"):format(script.cpath_of(version)), text)
  file:close()
  return path
end

-- Runs a shell command: what it printed on both outputs, its exit status (128
-- and more: a signal), and how many seconds it took.
function script.shell(command)
  local start = socket.gettime()
  local pipe = assert(io.popen(('( %s ) 2>&1; echo "status $?"'):format(command)))
  local text = pipe:read "*a"
  pipe:close()
  local printed, status = text:match "^(.*)status (%d+)\n$"
  return printed, tonumber(status), socket.gettime() - start
end

-- Runs a program to its end, with arguments; results as above. One that hangs
-- is ended after that many seconds, with the status 124.
function script.run_within(limit, text, ...)
  local path = script.write(text)
  local command = { "timeout", limit, script.interpreter, path, ... }
  for i, word in ipairs(command) do
    command[i] = "'" .. tostring(word):gsub("'", "'\\''") .. "'"
  end
  local printed, status, seconds = script.shell(table.concat(command, " "))
  os.remove(path)
  return printed, status, seconds
end

-- The same, with a limit of a minute.
function script.run(text, ...)
  return script.run_within(60, text, ...)
end

return script
