-- What `track` costs in counts that do not depend on how busy the machine is:
-- instructions, system calls and allocations of the thread that calls it.
-- Compares them with baseline.txt and ends with "N passed, N failed".
--
-- Instructions depend on the compiler and on the packages of Lua; with others
-- than the baseline's they are only reported. With --record as argument the
-- baseline is written anew.
local allowed = 1.03 -- times the baseline
local baseline_path = "bench/baseline.txt"
local dir = os.tmpname()
os.remove(dir)

-- What a version of one of these changes, it changes for everybody.
local packages = { "lua5.4", "libc6", "valgrind" }

-- So many calls that no segment runs full meanwhile.
local within = { typical = 1500, large = 300 }

local function run(...)
  local command = string.format(...)
  local pipe = assert(io.popen(command))
  local out = pipe:read "a"
  assert(pipe:close(), command)
  return out
end

-- The program under test; an empty environment and a stopped clock make runs
-- equal. Nobody listens where it sends to.
local function subject(shape, n, tool)
  return ("env -i PATH='%s' LD_PRELOAD=$PWD/build/bench/count_malloc.so %s lua5.4 %s %s %d"):format(
    os.getenv "PATH",
    tool or "",
    "bench/subject.lua",
    shape,
    n
  )
end

-- ---- what is counted ----

local function total(shape, n)
  local out = dir .. "/callgrind"
  local tool = "valgrind --quiet --tool=callgrind --separate-threads=yes --callgrind-out-file="
  run("%s 2>&1", subject(shape, n, tool .. out))
  local sum
  for line in io.lines(out .. "-01") do -- the thread that runs Lua
    sum = line:match "^totals: (%d+)" or sum
  end
  return tonumber(sum)
end

-- Instructions of one call, from the difference of two runs, over several
-- segments.
local function instructions(shape)
  local few, many = 1000, 9000
  return math.floor((total(shape, many) - total(shape, few)) / (many - few) + 0.5)
end

-- System calls of `n` calls: those between two files that are not there.
local function system_calls(shape, n)
  local out = dir .. "/strace"
  run("%s", subject(shape, n, "strace -f -o " .. out))
  local inside, thread, count = false, nil, 0
  for line in io.lines(out) do
    local id = line:match "^%d+"
    if line:find "/bench/begin" then
      inside, thread = true, id
    elseif line:find "/bench/end" then
      return count
    elseif inside and id == thread and not line:find " resumed>" then
      count = count + 1
    end
  end
  error "the trace has no end"
end

local function allocations(shape, n)
  return tonumber(run(subject(shape, n)):match "allocations (%d+)")
end

-- ---- the counts ----

local function versions()
  local list = { run("cc --version"):match "[^\n]*" }
  for _, package in ipairs(packages) do
    list[#list + 1] = package
      .. " "
      .. run("dpkg-query -W -f '${Version}' %s 2>/dev/null || echo unknown", package)
  end
  return table.concat(list, ", ")
end

-- Name and value of each, in the order of the baseline.
local function measure()
  local counts = {}
  local function add(name, value)
    counts[#counts + 1] = { name = name, value = value }
  end
  for _, shape in ipairs { "typical", "precise", "large" } do
    add("instructions " .. shape, instructions(shape))
  end
  for _, shape in ipairs { "typical", "large" } do
    add("system-calls " .. shape, system_calls(shape, within[shape]))
    add("allocations " .. shape, allocations(shape, within[shape]))
  end
  return counts
end

local function record(counts)
  local file = assert(io.open(baseline_path, "w"))
  file:write("versions: ", versions(), "\n")
  for _, count in ipairs(counts) do
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

-- What has no instruction count in its name depends on no version.
local function judge(counts)
  local baseline, here = read_baseline(), versions()
  local same = here == baseline.versions
  if not same then
    print(("instructions are only reported: measured here with %s"):format(here))
    print(("the baseline is of %s"):format(baseline.versions))
  end
  local passed, failed = 0, 0
  for _, count in ipairs(counts) do
    local known = assert(baseline[count.name], count.name)
    local binding = same or not count.name:find "^instructions"
    local verdict = "ok"
    if not binding then
      verdict = "reported"
    elseif count.value > known * allowed then
      verdict = "WORSE"
      failed = failed + 1
    else
      passed = passed + 1
    end
    print(("%-24s %7d, baseline %7d: %s"):format(count.name, count.value, known, verdict))
  end
  print(("%d passed, %d failed"):format(passed, failed))
  return failed == 0
end

run("mkdir %s", dir)
local ok, counts = pcall(measure)
run("rm -r %s", dir)
assert(ok, counts)
if arg[1] == "--record" then
  record(counts)
else
  os.exit(judge(counts))
end
