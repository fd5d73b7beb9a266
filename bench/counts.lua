-- Counts that do not depend on how busy the machine is: instructions, system
-- calls and allocations of the thread that runs a Lua program. The program
-- gets its arguments and, as the last, how often to do what is counted.
local Counts = {}
Counts.__index = Counts

local function run(...)
  local command = string.format(...)
  local pipe = assert(io.popen(command))
  local out = pipe:read "a"
  assert(pipe:close(), command)
  return out
end
Counts.run = run

-- Needs a directory for itself, which `close` removes.
function Counts.new()
  local dir = os.tmpname()
  os.remove(dir)
  run("mkdir %s", dir)
  return setmetatable({ dir = dir }, Counts)
end

function Counts:close()
  run("rm -rf %s build/bench/spool", self.dir)
end

-- An empty environment and a stopped clock make runs equal.
local function under(tool, program, n)
  return ("env -i PATH='%s' LD_PRELOAD=$PWD/build/bench/count_malloc.so %s lua5.4 %s %d"):format(
    os.getenv "PATH",
    tool,
    program,
    n
  )
end

local function total(dir, program, n)
  local out = dir .. "/callgrind"
  local tool = "valgrind --quiet --tool=callgrind --separate-threads=yes --callgrind-out-file="
  run("%s 2>&1", under(tool .. out, program, n))
  local sum
  for line in io.lines(out .. "-01") do -- the thread that runs Lua
    sum = line:match "^totals: (%d+)" or sum
  end
  return tonumber(sum)
end

-- Instructions of one call, from the difference of two runs.
function Counts:instructions(program)
  local few, many = 1000, 9000
  local more = total(self.dir, program, many) - total(self.dir, program, few)
  return math.floor(more / (many - few) + 0.5)
end

-- Those between two files that are not there.
local function count_traced(path)
  local inside, thread, count = false, nil, 0
  for line in io.lines(path) do
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

-- System calls of `n` calls, in the best of three runs: in the others the two
-- threads may have met at the lock.
function Counts:system_calls(program, n)
  local out, least = self.dir .. "/strace", math.huge
  for _ = 1, 3 do
    run("%s", under("strace -f -o " .. out, program, n))
    least = math.min(least, count_traced(out))
  end
  return least
end

-- As the program prints them.
function Counts.allocations(program, n)
  return tonumber(run("%s", under("", program, n)):match "allocations (%d+)")
end

return Counts
