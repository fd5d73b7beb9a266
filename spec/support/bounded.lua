-- Runs spec/support/bounds.lua and judges what it prints: no call, and no end
-- of the process, outlasts its timeout by more than 250 ms. On a loaded machine
-- the best of three tries counts, for each of them.
local assert = require "luassert"
local socket = require "socket"

local TIMEOUT, SLACK, TRIES = 0.2, 0.25, 3

local bounded = {}

-- The one that runs the specs.
function bounded.interpreter()
  local i = 0
  while arg[i - 1] do
    i = i - 1
  end
  return arg[i]
end

-- Seconds by which each call outlasted its timeout, and the process its own;
-- then the exit status and all that was printed.
local function run(prefix, url, ca_file, mode)
  local command = ("%s %s spec/support/bounds.lua '%s' %s '%s' %s %s 2>&1; echo status $?"):format(
    prefix,
    bounded.interpreter(),
    package.cpath,
    url,
    ca_file or "",
    TIMEOUT,
    mode
  )
  local pipe = assert(io.popen(command))
  local output = pipe:read "*a"
  local ended = socket.gettime()
  pipe:close()
  local late = {}
  for name, seconds in output:gmatch "([%w%(%)]+) (%-?[%d%.]+)\n" do
    late[name] = tonumber(seconds)
  end
  local status = late.status
  late.status = nil
  if late.exit then
    late.exit = ended - late.exit - TIMEOUT
  end
  return late, status, output
end

-- The call that was late by the most, and by how much.
local function worst(late)
  local name, most = nil, -math.huge
  for call, seconds in pairs(late) do
    if seconds > most then
      name, most = call, seconds
    end
  end
  return name, most
end

-- `prefix` is put before the command. Returns the exit status, 0 or 77.
function bounded.check(url, ca_file, prefix)
  for _, mode in ipairs { "calls", "" } do
    local name, most, status, output, late
    local best = {}
    for _ = 1, TRIES do
      late, status, output = run(prefix or "", url, ca_file, mode)
      if status ~= 0 then
        break
      end
      for call, seconds in pairs(late) do
        best[call] = math.min(best[call] or seconds, seconds)
      end
      name, most = worst(best)
      if most <= SLACK then
        break
      end
    end
    if status == 77 then
      return status
    end
    assert.equal(0, status, output)
    assert.is_truthy(late.exit, output)
    assert.is_true(mode == "" or late["close()"] ~= nil, output)
    assert.is_true(most <= SLACK, ("%s was %.3f s late\n%s"):format(name, most, output))
  end
  return 0
end

return bounded
