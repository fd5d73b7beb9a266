-- Checks that includes run one way. A file includes only files of its own
-- folder and of folders that stand below it in the list; what belongs to one
-- place (Lua, libcurl, the operating system) is included there only. Prints
-- each breach; the exit status says whether there was one.
local folders = { -- a folder includes only those behind it
  "nats/lua",
  "nats",
  "binding/client",
  "binding/ingest",
  "binding/user",
  "binding/flags",
  "binding/profile",
  "binding/event",
  "binding/encode",
  "binding/lua",
  "core/engine",
  "core/project",
  "core/lane",
  "core/flags",
  "core/transport",
  "core/spool",
  "core/user",
  "core/wire",
  "core/ingest",
  "core/record",
  "core/config",
  "core/os",
  "core/base",
}

-- What C11 itself has may be included anywhere but for its time.h and
-- threads.h: time comes from core/os/clock.h, dates from core/base/date.h,
-- locks from core/os/lock.h. Anything else belongs to a path that begins as
-- its home does.
local anywhere = {}
for name in
  ([[ assert ctype errno float inttypes limits math stdarg stdatomic
      stdbool stddef stdint stdio stdlib string ]]):gmatch "%S+"
do
  anywhere[name .. ".h"] = true
end
local homes = {
  ["lua.h"] = "src/binding/",
  ["lauxlib.h"] = "src/binding/",
  ["curl/curl.h"] = "src/core/transport/",
  ["jansson.h"] = "src/core/record/parse.h",
  ["libdeflate.h"] = "src/core/base/gzip.c",
}
local system_home = "src/core/os/"
local openers = { "fopen", "fdopen", "freopen", "opendir", "tmpfile" }
local may_open = "src/core/config/settings.c"

-- A driver of a bus is a library of its own, and asks the operating system itself.
-- Behind each folder of one stands what else it may include than its own files.
local drivers_interface = "core/transport/bus_driver.h"
local drivers = {
  ["nats"] = { [drivers_interface] = true },
  ["nats/lua"] = { [drivers_interface] = true, ["binding/lua/compat.h"] = true },
}

local breaches = 0

local function breach(...)
  breaches = breaches + 1
  io.stderr:write(string.format(...), "\n")
end

local place = {}
for i, folder in ipairs(folders) do
  place[folder] = i
end

local function belongs(path, home)
  return path:sub(1, #home) == home
end

local function check_include(path, folder, include)
  local other = include:match "^(.+)/[^/]+$"
  if drivers[folder] then
    if not drivers[other] and not drivers[folder][include] then
      breach("%s: includes %s, which a driver does not know", path, include)
    end
  elseif drivers[other] then
    breach("%s: includes %s of a driver", path, include)
  end
  if not place[other] then
    breach("%s: includes %s, whose folder is not in the list", path, include)
  elseif place[other] < place[folder] then
    breach("%s: includes %s, which is above it", path, include)
  end
end

local function check_line(path, folder, line)
  local system = line:match "^%s*#%s*include%s*<([^>]+)>"
  local own = line:match '^%s*#%s*include%s*"([^"]+)"'
  local home = homes[system] or system_home
  if own then
    check_include(path, folder, own)
  end
  if drivers[folder] then
    return
  end
  if system and not anywhere[system] and not belongs(path, home) then
    breach("%s: includes <%s>, which belongs to %s", path, system, home)
  end
  if line:find "%f[%w_]pthread_" and not belongs(path, system_home) then
    breach("%s: knows of pthread_*, which belongs to %s", path, system_home)
  end
  for _, name in ipairs(openers) do
    if line:find("%f[%w_]" .. name .. "%s*%(") and not belongs(path, may_open) then
      breach("%s: calls %s", path, name)
    end
  end
end

local files = assert(io.popen "find src -name '*.[ch]' | sort")
for path in files:lines() do
  local folder = path:match "^src/(.+)/[^/]+$"
  if not place[folder] then
    breach("%s: its folder is not in the list", path)
  else
    for line in io.lines(path) do
      check_line(path, folder, line)
    end
  end
end
files:close()
os.exit(breaches == 0)
