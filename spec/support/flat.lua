-- Whether long-lived processes stay as large as they are: memory, descriptors, threads.
local process = require "spec.support.process"
local socket = require "socket"

local Flat = {}
Flat.__index = Flat

local EVERY_S = 2
local ENOUGH = 60 -- samples, of which a quarter tells something
-- What the mean of the last quarter may be: so many times that of the second, and so
-- many more, as connections come and go.
local BOUNDS = {
  rss = { times = 1.25, more = 4096 }, -- KiB
  fds = { times = 1.25, more = 4 },
  threads = { times = 1.25, more = 2 },
}

-- `pids`: by name.
function Flat.new(pids)
  return setmetatable({ pids = pids, samples = {}, due = 0 }, Flat)
end

local function look(pid)
  local fds = process.read(("ls /proc/%d/fd | wc -l"):format(pid))
  return {
    rss = process.status(pid, "VmRSS"),
    fds = tonumber(fds),
    threads = process.status(pid, "Threads"),
  }
end

-- Often: takes a sample when one is due.
function Flat:look()
  local now = socket.gettime()
  if now < self.due then
    return
  end
  self.due = now + EVERY_S
  local sample = {}
  for name, pid in pairs(self.pids) do
    sample[name] = look(pid)
  end
  self.samples[#self.samples + 1] = sample
end

local function mean(self, name, what, quarter)
  local n = #self.samples
  local first, last = math.floor((quarter - 1) * n / 4) + 1, math.floor(quarter * n / 4)
  local sum = 0
  for i = first, last do
    sum = sum + self.samples[i][name][what]
  end
  return sum / (last - first + 1)
end

-- What was seen, a line for each process; and what of it has grown, nil: nothing.
function Flat:judge()
  local lines, grown = {}, nil
  for name in pairs(self.pids) do
    local parts = {}
    for what, bound in pairs(BOUNDS) do
      local first, last = self.samples[1][name][what], self.samples[#self.samples][name][what]
      local text = ("%s %s %d to %d"):format(name, what, first, last)
      if #self.samples >= ENOUGH then
        local before, after = mean(self, name, what, 2), mean(self, name, what, 4)
        text = ("%s, quarters 2 and 4: %.1f and %.1f"):format(text, before, after)
        grown = after > before * bound.times + bound.more and text or grown
      end
      parts[#parts + 1] = text
    end
    table.sort(parts)
    lines[#lines + 1] = table.concat(parts, "; ")
  end
  table.sort(lines)
  return lines, grown
end

return Flat
