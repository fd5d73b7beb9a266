-- What `track` costs in counts, compared with baseline.txt; ends with
-- "N passed, N failed".
--
-- Instructions depend on the compiler and on the packages of Lua; with others
-- than the baseline's they are only reported. With --record as argument the
-- baseline is written anew.
package.path = "bench/?.lua"
local Counts = require "counts"

local allowed = 1.03 -- times the baseline
local baseline_path = "bench/baseline.txt"

-- What a version of one of these changes, it changes for everybody.
local packages = { "lua5.4", "libc6", "valgrind" }

-- So many calls that no segment runs full meanwhile.
local within = { typical = 1500, large = 300 }

local function versions()
  local list = { Counts.run("cc --version"):match "[^\n]*" }
  for _, package in ipairs(packages) do
    local query = "dpkg-query -W -f '${Version}' %s 2>/dev/null || echo unknown"
    list[#list + 1] = package .. " " .. Counts.run(query, package)
  end
  return table.concat(list, ", ")
end

-- Name and value of each, in the order of the baseline.
local function measure(counts)
  local list = {}
  local function add(kind, shape, value)
    list[#list + 1] = { name = kind .. " " .. shape, kind = kind, value = value }
  end
  for _, shape in ipairs { "typical", "precise", "large" } do
    add("instructions", shape, counts:instructions("bench/subject.lua track " .. shape))
  end
  add("instructions", "spool", counts:instructions "bench/subject.lua spool typical")
  for _, what in ipairs { "track typical", "track large", "spool typical" } do
    local program, shape = "bench/subject.lua " .. what, what:match "%w+$"
    add("system-calls", what, counts:system_calls(program, within[shape]))
    add("allocations", what, Counts.allocations(program, within[shape]))
  end
  return list
end

local function record(list)
  local file = assert(io.open(baseline_path, "w"))
  file:write("versions: ", versions(), "\n")
  for _, count in ipairs(list) do
    file:write(count.name, ": ", count.value, "\n")
  end
  file:close()
end

local function read_baseline()
  local baseline = {}
  for line in io.lines(baseline_path) do
    local name, value = line:match "^([^:]+): (.+)$"
    baseline[name] = tonumber(value) or value
  end
  return baseline
end

local function judge(list)
  local baseline, here = read_baseline(), versions()
  local same = here == baseline.versions
  if not same then
    print(("instructions are only reported: measured here with %s"):format(here))
    print(("the baseline is of %s"):format(baseline.versions))
  end
  local passed, failed = 0, 0
  for _, count in ipairs(list) do
    local known = assert(baseline[count.name], count.name)
    local verdict = "ok"
    if not same and count.kind == "instructions" then
      verdict = "reported"
    elseif count.value > known * allowed then
      verdict = "WORSE"
      failed = failed + 1
    else
      passed = passed + 1
    end
    print(("%-28s %7d, baseline %7d: %s"):format(count.name, count.value, known, verdict))
  end
  print(("%d passed, %d failed"):format(passed, failed))
  return failed == 0
end

local counts = Counts.new()
local ok, list = pcall(measure, counts)
counts:close()
assert(ok, list)
if arg[1] == "--record" then
  record(list)
else
  os.exit(judge(list))
end
