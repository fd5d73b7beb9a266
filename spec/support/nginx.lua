-- An nginx of its own for a spec: the one that the sandbox unpacked, with the
-- module and its companions in a directory that every user may read.
local http = require "socket.http"
local ltn12 = require "ltn12"
local process = require "spec.support.process"

local ROOT = "build/nginx/root"

local TEMPLATE = [[
load_module @ROOT@/usr/lib/nginx/modules/ndk_http_module.so;
load_module @ROOT@/usr/lib/nginx/modules/ngx_http_lua_module.so;
@USER@
worker_processes @WORKERS@;
pid nginx.pid;
error_log error.log warn;
@MAIN@
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path @DIR@/temp;
  proxy_temp_path @DIR@/temp;
  fastcgi_temp_path @DIR@/temp;
  uwsgi_temp_path @DIR@/temp;
  scgi_temp_path @DIR@/temp;
  lua_package_path "@DIR@/lua/?.lua;;";
  lua_package_cpath "@DIR@/lib/?.so;;";
  @HTTP@
  server {
    # With reuseport the kernel spreads connections over the workers.
    listen 127.0.0.1:@PORT@ reuseport;
    @SERVER@
  }
}
]]

local Nginx = {}
Nginx.__index = Nginx

local function is_root()
  return process.read "id -u" == "0"
end

local function unpack_into(dir, libraries)
  process.run("chmod 755 " .. dir)
  process.run(("mkdir -m 777 %s/out %s/temp && mkdir %s/lib %s/lua"):format(dir, dir, dir, dir))
  process.run(("cp -r %s/usr/share/lua/5.1/. src/mixpanel %s/lua"):format(ROOT, dir))
  process.run(("cp build/5.1/mixpanel.so %s/usr/lib/*/lua/5.1/cjson.so %s/lib"):format(ROOT, dir))
  for _, path in ipairs(libraries or {}) do
    process.run(("cp %s %s/lib"):format(path, dir))
  end
end

-- The shell command that is nginx with these arguments.
local function command(arguments)
  local root = process.read "pwd" .. "/" .. ROOT
  return (
    "for d in %s/usr/lib/*-linux-gnu %s/lib/*-linux-gnu; do libs=$libs:$d; done;"
    .. " LD_LIBRARY_PATH=$libs exec %s/usr/sbin/nginx %s"
  ):format(root, root, root, arguments)
end

function Nginx:write(path, text)
  local file = assert(io.open(self.dir .. "/" .. path, "wb"))
  file:write(text)
  file:close()
end

function Nginx:read(path)
  return process.slurp(self.dir .. "/" .. path)
end

-- Writes nginx.conf from `main`, `http` and `server` (texts; @DIR@ and @OUT@
-- stand for directories, the second writable for workers), `lua` (module name
-- -> text), `workers`. `start` takes `libraries`, too: paths of what package.cpath
-- is to find.
function Nginx:configure(settings)
  for name, text in pairs(settings.lua or {}) do
    self:write(("lua/%s.lua"):format(name), (text:gsub("@OUT@", self.dir .. "/out")))
  end
  local values = {
    ROOT = process.read "pwd" .. "/" .. ROOT,
    USER = is_root() and "user www-data;" or "",
    WORKERS = settings.workers or 2,
    MAIN = settings.main or "",
    HTTP = settings.http or "",
    SERVER = settings.server or "",
    PORT = self.port,
    DIR = self.dir,
    OUT = self.dir .. "/out",
  }
  local text = TEMPLATE
  for _ = 1, 2 do -- the texts hold names themselves
    text = text:gsub("@(%u+)@", values)
  end
  self:write("nginx.conf", text)
end

local function start(settings)
  local self = setmetatable({ dir = process.read "mktemp -d" }, Nginx)
  unpack_into(self.dir, settings.libraries)
  for _ = 1, 5 do -- somebody may take the port before nginx does
    self.port = process.free_port()
    self.url = "http://127.0.0.1:" .. self.port
    self:configure(settings)
    local printed = process.read(
      ("(%s) 2>&1 && echo started"):format(
        command(("-p %s -c nginx.conf -e error.log"):format(self.dir))
      )
    )
    if printed:find "started$" then
      self.pid = tonumber(self:read "nginx.pid")
      process.wait_for(function()
        return #self:workers() == (settings.workers or 2)
      end, "nginx's workers")
      return self
    end
    self.failure = printed
  end
  error("nginx did not start: " .. self.failure)
end

-- Without the processes that look after a cache.
function Nginx:workers()
  local workers = {}
  for _, pid in ipairs(process.children(self.pid)) do
    local title = process.slurp(("/proc/%d/cmdline"):format(pid)) or ""
    if title:find("worker process", 1, true) then
      workers[#workers + 1] = pid
    end
  end
  return workers
end

-- A request, a POST if it has a body, unless `method` says otherwise: the body,
-- the status and the headers of the reply. Redirects are not followed.
function Nginx:ask(path, headers, body, method)
  local parts, sent = {}, {}
  for name, value in pairs(headers or {}) do
    sent[name] = value
  end
  sent["Content-Length"] = body and #body
  local ok, status, seen = http.request {
    url = self.url .. path,
    method = method or (body and "POST" or "GET"),
    headers = sent,
    source = body and ltn12.source.string(body),
    sink = ltn12.sink.table(parts),
    redirect = false,
  }
  assert(ok, status)
  return table.concat(parts), status, seen
end

-- The body of the reply, which must be 200; or nil and why.
function Nginx:get(path, headers)
  local parts = {}
  local ok, status = http.request {
    url = self.url .. path,
    headers = headers,
    sink = function(part)
      parts[#parts + 1] = part
      return 1
    end,
  }
  if not ok or status ~= 200 then
    return nil, ("%s: %s"):format(path, tostring(status))
  end
  return table.concat(parts)
end

function Nginx:signal(name)
  process.signal(self.pid, name)
end

-- Reads the configuration anew and waits until new workers alone serve.
function Nginx:reload()
  local old = {}
  for _, pid in ipairs(self:workers()) do
    old[pid] = true
  end
  self:signal "HUP"
  process.wait_for(function()
    local workers = self:workers()
    for _, pid in ipairs(workers) do
      if old[pid] then
        return false
      end
    end
    return #workers > 0
  end, "new workers")
end

-- Ends nginx with a signal; returns the seconds that took.
function Nginx:finish(name)
  local pids = self:workers()
  pids[#pids + 1] = self.pid
  self:signal(name)
  local seconds = process.wait_gone(pids)
  self.pid = nil
  return seconds
end

-- Removes everything; nginx is ended if it still runs.
function Nginx:remove()
  if self.pid and process.alive(self.pid) then
    self:finish "TERM"
  end
  process.run("rm -rf " .. self.dir)
end

return { start = start, command = command, is_root = is_root, ROOT = ROOT }
