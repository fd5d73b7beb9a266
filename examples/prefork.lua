-- A prefork server: one client, made before the fork, serves every process.
-- The thread that sends starts in each of them with its first record.
--
-- Runs on LuaJIT, whose ffi can fork; plain Lua needs a library for that, such
-- as lua-posix. LuaSocket serves: `luajit examples/prefork.lua [PORT [WORKERS]]`.
-- It talks to a sandbox when MIXPANEL_SANDBOX_URL is set, else to Mixpanel under
-- the token in MIXPANEL_TOKEN, and ends with Ctrl-C or SIGTERM.
local ffi = require "ffi"
local mixpanel = require "mixpanel"
local socket = require "socket"

-- The numbers below are Linux's.
ffi.cdef [[
typedef struct { unsigned long bits[16]; } sigset_t;
struct timespec { long sec, nsec; };
int fork(void);
int getpid(void);
int kill(int pid, int signal);
int waitpid(int pid, int *status, int options);
int sigemptyset(sigset_t *set);
int sigaddset(sigset_t *set, int signal);
int sigprocmask(int how, const sigset_t *set, sigset_t *old);
int sigtimedwait(const sigset_t *set, void *info, const struct timespec *timeout);
]]
local SIGINT, SIGTERM, SIG_BLOCK, WNOHANG = 2, 15, 0, 1

local sandbox = os.getenv "MIXPANEL_SANDBOX_URL"
local token = os.getenv "MIXPANEL_TOKEN" or sandbox and "projecttoken"
if not token then
  io.stderr:write "set MIXPANEL_TOKEN to the token of your project\n"
  os.exit(1)
end

local mp = mixpanel.new(token, { api_host = sandbox, flush_interval = 1 })
local server = assert(socket.bind("127.0.0.1", tonumber(arg[1]) or 0))
local _, port = server:getsockname()

-- SIGTERM would end a process at once, with what it has queued. So it waits
-- here until somebody asks for it.
local signals = ffi.new "sigset_t"
ffi.C.sigemptyset(signals)
ffi.C.sigaddset(signals, SIGINT)
ffi.C.sigaddset(signals, SIGTERM)
ffi.C.sigprocmask(SIG_BLOCK, signals, nil)

local function is_asked_to_end(seconds)
  local timeout = ffi.new("struct timespec", { 0, seconds * 1e9 })
  return ffi.C.sigtimedwait(signals, nil, timeout) > 0
end

local function answer(client)
  local start = socket.gettime()
  client:settimeout(1)
  local path = (client:receive "*l" or ""):match "^%u+ (%S+)"
  repeat
    local line = client:receive "*l"
  until not line or line == ""
  client:send "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
  client:close()
  if path then
    mp:track("Request", {
      distinct_id = "visitor",
      path = path,
      worker = ffi.C.getpid(),
      seconds = socket.gettime() - start,
    })
  end
end

local function serve()
  server:settimeout(0.1)
  while not is_asked_to_end(0) do
    local client = server:accept()
    if client then
      answer(client)
    end
  end
  -- os.exit alone would do: the end of a process waits for exit_timeout, too.
  local ok, why = mp:close(5)
  if not ok then
    io.stderr:write("not everything was delivered: ", why, "\n")
  end
  os.exit(ok and 0 or 1, true)
end

local workers = {}

local function start_worker()
  local pid = ffi.C.fork()
  assert(pid >= 0, "fork failed")
  if pid == 0 then
    serve()
  end
  workers[pid] = true
end

-- The parent may track as well: what it queued before a fork is delivered by
-- the parent alone.
mp:track("Server started", { distinct_id = "server", port = tonumber(port) })
for _ = 1, tonumber(arg[2]) or 2 do
  start_worker()
end
print(("listening on http://127.0.0.1:%d"):format(port))
io.stdout:flush()

local status = ffi.new "int[1]"
while not is_asked_to_end(0.2) do
  local pid = ffi.C.waitpid(-1, status, WNOHANG)
  if pid > 0 and workers[pid] then
    workers[pid] = nil
    mp:track("Worker died", { distinct_id = "server", status = status[0] })
    start_worker()
  end
end
for pid in pairs(workers) do
  ffi.C.kill(pid, SIGTERM)
end
for pid in pairs(workers) do
  ffi.C.waitpid(pid, status, 0)
end
mp:close()
