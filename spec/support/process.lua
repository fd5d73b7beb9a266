-- Other programs, by their pid.
local socket = require "socket"

local process = {}

-- Runs a shell command that must succeed.
function process.run(command)
  local ok = os.execute(command) -- true, or 0 from Lua 5.1
  assert(ok == true or ok == 0, command)
end

-- What a shell command prints, without the last end of line.
function process.read(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return (text:gsub("\n$", ""))
end

local function slurp(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local text = file:read "*a"
  file:close()
  return text
end

process.slurp = slurp

-- A process that ended and was not waited for is not alive. One whose first thread has
-- ended is until all have: it keeps its files and their locks.
function process.alive(pid)
  local stat = slurp(("/proc/%d/stat"):format(pid))
  local state, threads = (stat or ""):match("%) (%a)" .. (" %S+"):rep(16) .. " (%d+)")
  return state ~= nil and (not state:find "[ZX]" or tonumber(threads) > 1)
end

-- Whether one of its threads does not stand still.
local function goes_on(pid)
  return process.read(("cat /proc/%d/task/*/stat 2>/dev/null"):format(pid)):find "%) [RSD] "
end

-- STOP: it stands still on return.
function process.signal(pid, name)
  process.run(("kill -%s %d"):format(name, pid))
  while name == "STOP" and goes_on(pid) do
    socket.sleep(0.005)
  end
end

-- The pids of its children.
function process.children(pid)
  local pids = {}
  local text = slurp(("/proc/%d/task/%d/children"):format(pid, pid)) or ""
  for child in text:gmatch "%d+" do
    pids[#pids + 1] = tonumber(child)
  end
  return pids
end

-- Waits until `condition` returns something true and returns that.
function process.wait_for(condition, what, timeout)
  local deadline = socket.gettime() + (timeout or 60)
  while true do
    local value = condition()
    if value then
      return value
    end
    assert(socket.gettime() < deadline, "waited in vain: " .. what)
    socket.sleep(0.005)
  end
end

-- Waits until all of them have ended and returns how long that took.
function process.wait_gone(pids, timeout)
  local start = socket.gettime()
  process.wait_for(function()
    for _, pid in ipairs(pids) do
      if process.alive(pid) then
        return false
      end
    end
    return true
  end, "the end of processes", timeout)
  return socket.gettime() - start
end

-- A number of the process, or "self", in /proc/PID/status, such as "VmRSS" in KiB.
function process.status(pid, field)
  local text = slurp(("/proc/%s/status"):format(pid)) or ""
  return tonumber(text:match(field .. ":%s*(%d+)"))
end

-- Seconds of CPU that the process's first thread has used.
function process.main_thread_cpu(pid)
  local text = assert(slurp(("/proc/%d/task/%d/schedstat"):format(pid, pid)))
  return tonumber(text:match "^%d+") / 1e9
end

function process.free_port()
  local server = assert(socket.bind("127.0.0.1", 0))
  local _, port = server:getsockname()
  server:close()
  return tonumber(port)
end

-- Sockets on one port of 127.0.0.1 and, where there is IPv6, ::1 which refuse all
-- connections until the caller closes them. A port that was only found free may become
-- another's, or that of who connects to it.
function process.dead_port()
  local four, six, why = assert(socket.tcp4()), socket.tcp6()
  assert(four:bind("127.0.0.1", 0))
  local dead = { port = tonumber((select(2, four:getsockname()))) }
  function dead.close()
    four:close()
    if six then
      six:close()
    end
  end
  if six then
    why = select(2, six:bind("::1", dead.port))
  end
  if why == "address already in use" then
    local another = process.dead_port()
    dead.close()
    return another
  end
  return dead
end

-- Tries `start` with one free port after the other, which somebody may take before
-- it does; returns what it returned. It returns nil, and why, where it did not start.
function process.with_free_port(start)
  local result, why
  for _ = 1, 5 do
    result, why = start(process.free_port())
    if result then
      return result
    end
  end
  error("it did not start: " .. tostring(why))
end

return process
