-- A file to import, or standard input: its bytes, unpacked.
local Context = require "mixpanel.cli.context"
local exit = require "mixpanel.cli.exit"
local uv = require "luv"

local Source = {}
Source.__index = Source

local HEAD = 65536 -- bytes that tell a file from another

local function check(path, value, why)
  if not value then
    Context.fail(exit.input, "%s: %s", path, Context.reason(why))
  end
  return value
end

-- A sum over bytes that changes with each of them and their order.
local function sum(text)
  local a, b = 1, 0
  for i = 1, #text do
    a = (a + text:byte(i)) % 65521
    b = (b + a) % 65521
  end
  return b * 65536 + a
end

local function unpack_through_gzip(self)
  local pipe, why = uv.pipe({ nonblock = false }, { nonblock = false })
  check(self.path, pipe, why)
  local errors = check(self.path, uv.pipe({ nonblock = false }, { nonblock = false }))
  local child
  child, why = uv.spawn("gzip", {
    args = { "-dc" },
    stdio = { self.fd, pipe.write, errors.write },
    detached = true, -- Ctrl-C is for this program
  }, function(code)
    self.status = code
    child:close()
  end)
  uv.fs_close(pipe.write)
  uv.fs_close(errors.write)
  check("gzip", child, why)
  self.packed, self.fd, self.errors, self.child = self.fd, pipe.read, errors.read, child
end

-- Opens a file; "-" is standard input.
function Source.open(path)
  local self = setmetatable({ path = path, position = 0 }, Source)
  if path == "-" then
    self.fd, self.path = 0, "standard input"
    return self
  end
  self.fd = check(path, uv.fs_open(path, "r", 0))
  local stat = check(path, uv.fs_fstat(self.fd))
  if stat.type == "directory" then
    Context.fail(exit.input, "%s: a directory", path)
  end
  if stat.type == "file" then
    local head = check(path, uv.fs_read(self.fd, HEAD, 0))
    self.size = stat.size
    self.identity = ("%d %d.%09d %d"):format(stat.size, stat.mtime.sec, stat.mtime.nsec, sum(head))
    if head:sub(1, 2) == "\31\139" then
      unpack_through_gzip(self)
    end
  end
  return self
end

-- Whether gzip unpacked all of it.
local function finish(self)
  if not self.packed or self.finished then
    return
  end
  self.finished = true
  local message = uv.fs_read(self.errors, 1000, -1) or ""
  while not self.status do
    uv.run "once"
  end
  if self.status ~= 0 then
    message = message:gsub("^%s*gzip: [^:]*: ", ""):gsub("%s+$", "")
    Context.fail(exit.input, "%s: %s", self.path, message)
  end
end

-- At most n bytes, fewer only at the end; "": there are no more.
function Source:read(n)
  local parts, got = {}, 0
  while got < n do
    local bytes, why = uv.fs_read(self.fd, n - got, -1)
    check(self.path, bytes, why)
    if bytes == "" then
      finish(self)
      break
    end
    parts[#parts + 1] = bytes
    got = got + #bytes
  end
  self.position = self.position + got
  return table.concat(parts)
end

function Source:skip(n)
  while n > 0 do
    local bytes = self:read(math.min(n, 1048576))
    if bytes == "" then
      Context.fail(exit.input, "%s: it is shorter than it was", self.path)
    end
    n = n - #bytes
  end
end

-- How much of the file was read, 0 to 1; nil where that is unknown.
function Source:fraction()
  local position = self.position
  if self.packed then
    local info = io.open("/proc/self/fdinfo/" .. self.packed)
    position = info and tonumber(info:read("*a"):match "pos:%s*(%d+)")
    if info then
      info:close()
    end
  end
  return self.size and self.size > 0 and position and math.min(position / self.size, 1) or nil
end

function Source:close()
  if self.child and not self.status then
    self.child:kill "sigterm"
    while not self.status do
      uv.run "once"
    end
  end
  if self.packed then
    uv.fs_close(self.packed)
    uv.fs_close(self.errors)
  end
  if self.fd ~= 0 then
    uv.fs_close(self.fd)
  end
end

return Source
