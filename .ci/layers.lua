-- Checks that includes run one way: a file of src/core includes only files of
-- rows above its own or to its left in its own row, only src/binding sees
-- Lua, and libcurl, jansson, libdeflate and threads stay where they belong.
-- Prints each breach; the exit status says whether there was one.
local rows = {
  { "err", "buf", "clock", "rng", "wait", "version", "phase", "dict" },
  { "num", "json", "parse", "ids", "timers", "gzip", "retry", "retry_after", "config", "exchange" },
  { "file", "report", "segment", "http", "trace", "answer", "saves" },
  { "stored", "line", "run", "spool", "queue", "batch", "held", "user", "user_text" },
  { "lane", "request" },
  { "project", "projects" },
  { "worker", "carrier" },
  { "engine" },
}

-- What several files share a name and a place with.
local parts = {
  file_system = "file",
  lane_state = "lane",
  lane_disk = "lane",
  lane_report = "lane",
  lane_send = "lane",
  lane_settle = "lane",
  num_pow10 = "num",
  project_state = "project",
  spool_state = "spool",
  spool_open = "spool",
  spool_store = "spool",
  spool_adopt = "spool",
  project_carry = "project",
  project_disk = "project",
  project_spill = "project",
  project_tend = "project",
  project_push = "project",
  project_manual = "project",
  project_save = "project",
}

local homes = {
  ["lua.h"] = "src/binding/",
  ["lauxlib.h"] = "src/binding/",
  ["lualib.h"] = "src/binding/",
  ["curl/curl.h"] = "src/core/http.c",
  ["jansson.h"] = "src/core/parse.h",
  ["libdeflate.h"] = "src/core/gzip.c",
  -- Files: beside the one access to them only the trace, which appends, the
  -- certificates that `new` reads, and the memory of a segment.
  ["fcntl.h"] = "src/core/file. src/core/file_system.c src/core/trace.c",
  ["sys/stat.h"] = "src/core/file. src/core/file_system.c",
  ["sys/file.h"] = "src/core/file. src/core/file_system.c",
  ["dirent.h"] = "src/core/file.",
  ["sys/mman.h"] = "src/core/file. src/core/file_system.c src/core/segment.c",
}
local openers = { "fopen", "fdopen", "freopen", "opendir", "tmpfile" }
local may_open = "src/core/file. src/core/trace.c src/core/config.c"

local threads = { wait = true, projects = true, worker = true, carrier = true, engine = true }
local breaches = 0

local function breach(...)
  breaches = breaches + 1
  io.stderr:write(string.format(...), "\n")
end

local place = {} -- file name without suffix -> row * 100 + column
for row, names in ipairs(rows) do
  for column, name in ipairs(names) do
    place[name] = row * 100 + column
  end
end

local function check_core(path, name, include)
  local own, other = place[parts[name] or name], place[parts[include] or include]
  if not own then
    breach("%s: not in the table of layers", path)
  elseif not other then
    breach("%s: includes %s.h, which is not in the table of layers", path, include)
  elseif other > own then
    breach("%s: includes %s.h from a row below or to its right", path, include)
  end
end

-- `home`: the beginnings of the paths that may, with blanks between them.
local function belongs(path, home)
  for start in home:gmatch "%S+" do
    if path:sub(1, #start) == start then
      return true
    end
  end
  return false
end

local function check_calls(path, line)
  for _, name in ipairs(openers) do
    if line:find("%f[%w_]" .. name .. "%s*%(") and not belongs(path, may_open) then
      breach("%s: calls %s", path, name)
    end
  end
end

local function check(path)
  local core = path:match "^src/core/([%w_]+)%.[ch]$"
  for line in io.lines(path) do
    local system = line:match "^%s*#%s*include%s*<([^>]+)>"
    local own = line:match '^%s*#%s*include%s*"([^"]+)%.h"'
    local home = homes[system]
    if home and not belongs(path, home) then
      breach("%s: includes <%s>, which belongs to %s", path, system, home)
    elseif system == "pthread.h" and not threads[core] then
      breach("%s: includes <pthread.h>", path)
    end
    check_calls(path, line)
    if own and core then
      check_core(path, core, own:match "[^/]+$")
    end
  end
end

local files = assert(io.popen "ls src/core/*.[ch] src/binding/*.[ch]")
for path in files:lines() do
  check(path)
end
files:close()
os.exit(breaches == 0)
