-- How far an import or a delivery is: one line that is written over on a
-- terminal, a line a second elsewhere.
local uv = require "luv"

local Progress = {}
Progress.__index = Progress

-- On standard error. `patient`: nothing of what takes less than a second.
function Progress.new(quiet, patient)
  local now = uv.hrtime() / 1e9
  local self = { quiet = quiet, start = now, last = patient and now + 0.8 or 0 }
  setmetatable(self, Progress)
  if uv.guess_handle(2) == "tty" then
    self.tty = uv.new_tty(2, false)
  end
  return self
end

local function width(self)
  local columns = self.tty and self.tty:get_winsize()
  return columns and columns > 0 and columns or 80
end

-- 12 345 678 as 12.3M.
local function short(n)
  for _, unit in ipairs { { 1e9, "G" }, { 1e6, "M" }, { 1e4, "k" } } do
    if n >= unit[1] then
      local value = n / (unit[2] == "k" and 1e3 or unit[1])
      return (value < 100 and "%.1f%s" or "%.0f%s"):format(value, unit[2])
    end
  end
  return ("%.0f"):format(n)
end

local function clock(seconds)
  local minutes = math.floor(seconds / 60)
  if minutes < 60 then
    return ("%d:%02d"):format(minutes, math.floor(seconds % 60))
  end
  return ("%d:%02d:%02d"):format(math.floor(minutes / 60), minutes % 60, math.floor(seconds % 60))
end

-- The parts that fit, the most telling ones first.
function Progress.fit(parts, columns)
  local line = ""
  for _, part in ipairs(parts) do
    local longer = line == "" and part or line .. "  " .. part
    if #longer < columns then
      line = longer
    end
  end
  return line
end

-- `state`: counts of records that are delivered, that were `before`, and that are
-- rejected; where they are known the fraction that has an outcome, and that had
-- one when it `begun`, the records that wait, and bytes that were read.
function Progress:show(state, finally)
  local now = uv.hrtime() / 1e9
  local every = self.tty and 0.2 or 1
  if self.quiet or (now - self.last < every and not finally) then
    return
  end
  self.last = now
  local seconds = math.max(now - self.start, 0.001)
  local parts = {}
  if state.fraction then
    parts[1] = ("%3.0f %%"):format(100 * state.fraction)
  end
  parts[#parts + 1] = short(state.delivered) .. " delivered"
  parts[#parts + 1] = short((state.delivered - state.before) / seconds) .. "/s"
  if state.rejected > 0 then
    parts[#parts + 1] = short(state.rejected) .. " rejected"
  end
  if state.waiting then
    parts[#parts + 1] = short(state.waiting) .. " waiting"
  end
  if state.fraction and state.fraction > state.begun and not finally then
    local left = seconds * (1 - state.fraction) / (state.fraction - state.begun)
    parts[#parts + 1] = clock(left) .. " left"
  end
  if state.bytes then
    parts[#parts + 1] = short(state.bytes / seconds) .. "B/s"
  end
  local line = Progress.fit(parts, self.tty and width(self) or 200)
  io.stderr:write(self.tty and "\r\27[K" .. line or line .. "\n")
  io.stderr:flush()
  self.drawn = true
end

-- Takes the line away, so that others can be written.
function Progress:clear()
  if self.tty and self.drawn then
    io.stderr:write "\r\27[K"
    io.stderr:flush()
  end
end

return Progress
