-- Checks that includes run one way. A file includes only files of its own
-- folder and of folders that stand below it in the list; what belongs to one
-- place (Lua, libcurl, the operating system) is included there only. Prints
-- each breach; the exit status says whether there was one.
local folders = { -- a folder includes only those behind it
  "binding/client",
  "binding/user",
  "binding/profile",
  "binding/event",
  "binding/encode",
  "binding/lua",
  "core/engine",
  "core/project",
  "core/lane",
  "core/transport",
  "core/spool",
  "core/user",
  "core/wire",
  "core/record",
  "core/config",
  "core/os",
  "core/base",
}

-- Beginnings of the paths that may include a header, with blanks between.
local homes = {
  ["lua.h"] = "src/binding/",
  ["lauxlib.h"] = "src/binding/",
  ["lualib.h"] = "src/binding/",
  ["curl/curl.h"] = "src/core/transport/",
  ["jansson.h"] = "src/core/record/parse.h",
  ["libdeflate.h"] = "src/core/base/gzip.c",
  ["fcntl.h"] = "src/core/os/ src/core/transport/trace.c",
  ["sys/stat.h"] = "src/core/os/",
  ["sys/file.h"] = "src/core/os/",
  ["dirent.h"] = "src/core/os/",
  ["sys/mman.h"] = "src/core/os/",
  ["pthread.h"] = "src/core/os/",
}
local openers = { "fopen", "fdopen", "freopen", "opendir", "tmpfile" }
local may_open = "src/core/os/ src/core/transport/trace.c src/core/config/settings.c"

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
  for start in home:gmatch "%S+" do
    if path:sub(1, #start) == start then
      return true
    end
  end
  return false
end

local function check_include(path, folder, include)
  local other = include:match "^(.+)/[^/]+$"
  if not place[other] then
    breach("%s: includes %s, whose folder is not in the list", path, include)
  elseif place[other] < place[folder] then
    breach("%s: includes %s, which is above it", path, include)
  end
end

local function check_line(path, folder, line)
  local system = line:match "^%s*#%s*include%s*<([^>]+)>"
  local own = line:match '^%s*#%s*include%s*"([^"]+)"'
  if system and homes[system] and not belongs(path, homes[system]) then
    breach("%s: includes <%s>, which belongs to %s", path, system, homes[system])
  elseif own then
    check_include(path, folder, own)
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
