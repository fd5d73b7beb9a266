-- One dead process left very many small batches: memory, the first delivery and
-- the end of the process that adopts them stay bounded. SPOOL_FILES says how many,
-- 20000 by default; each takes a block of the disk.
local process = require "spec.support.process"
local socket = require "socket"
local spooled = require "spec.support.spooled"

local files = tonumber(os.getenv "SPOOL_FILES") or 20000
local exit_timeout = 1
local most = 4194304 -- spool_max_bytes

describe("very many batch files", function()
  local here = spooled()

  -- Leaves a sealed batch of one event, n times.
  local function leave(n)
    here.server:reset()
    here.server:script { status = 503, times = -1 }
    here.crash [[
      mp:track("Old", { distinct_id = "u" })
      mp:flush(0) -- which seals it
      for _ = 1, 1000 do
        if mp:stats().retried > 0 then break end
        require("socket").sleep(0.01)
      end]]
    here.server:reset()
    here.server:script { status = 200, times = -1, body = { status = 1 }, forget = true }
    local path = here.files("*.json.gz"):match "^[^\n]+"
    local content = process.slurp(path)
    local before, first, after = path:match "^(.*%-)(%d+)(%-1%-[^/]*)$"
    for i = 1, n - 1 do
      local to = ("%s%012d%s"):format(before, tonumber(first) + i, after)
      local file = assert(io.open(to, "wb"))
      file:write(content)
      file:close()
    end
  end

  -- Tracks, and with `waits` waits until something old was delivered. Returns the
  -- peak of its memory in KiB, how long that took, and how long its end.
  local function adopt(waits)
    local text = here.run(
      {
        spool = here.spool,
        api_host = here.server.url,
        spool_max_bytes = most,
        exit_timeout = exit_timeout,
      },
      ([[
        local socket = require "socket"
        local start = socket.gettime()
        mp:track("New", { distinct_id = "u" })
        while %s and mp:stats().delivered < 2 and socket.gettime() < start + 60 do
          socket.sleep(0.001)
        end
        local s, peak = mp:stats(), nil
        for line in io.lines "/proc/self/status" do
          peak = peak or line:match "^VmHWM:%%s*(%%d+)"
        end
        print(peak, socket.gettime() - start, socket.gettime(), s.spooled_bytes, s.delivered)
      ]]):format(waits)
    )
    local ended = socket.gettime()
    local peak, took, ending, bytes, delivered = text:match "^(%d+)\t(%S+)\t(%S+)\t(%d+)\t(%d+)\n$"
    assert(peak, text)
    assert.is_true(tonumber(bytes) <= most / 2)
    assert.is_true(not waits or tonumber(delivered) >= 2)
    return tonumber(peak), tonumber(took), ended - tonumber(ending)
  end

  it("cost little memory, and hold up no exit", function()
    leave(2)
    local few, first_of_few = adopt(true)
    os.execute("rm -rf " .. here.spool)
    leave(files)
    local many, first = adopt(true)
    -- But for the batches under way, which are as large for few.
    local bytes = (many - few - most / 1024) * 1024 / files
    assert.is_true(bytes <= 200, bytes .. " bytes a file")
    local ending = math.huge
    for _ = 1, 3 do
      local _, _, took = adopt(false)
      ending = math.min(ending, took)
    end
    assert.is_true(ending < exit_timeout + 0.25, ending)
    print(
      ("# %d files: %d KiB of memory more than for few (%d), "):format(files, many - few, few),
      ("first delivery %.2f s (few: %.2f s), end %.2f s"):format(first, first_of_few, ending)
    )
  end)
end)
