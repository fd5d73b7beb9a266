-- A long outage, then a new process: the backlog drains with bounded memory
-- while new records keep flowing. SPOOL_BACKLOG_MB says how much waits on
-- disk: 32 by default.
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local sandbox = require "spec.support.sandbox"
local socket = require "socket"

local megabytes = tonumber(os.getenv "SPOOL_BACKLOG_MB") or 32
local queue = 16 * 1024 * 1024

local function resident() -- bytes
  for line in io.lines "/proc/self/status" do
    local kilobytes = line:match "^VmRSS:%s*(%d+)"
    if kilobytes then
      return tonumber(kilobytes) * 1024
    end
  end
end

describe("a backlog on disk", function()
  local server, home

  setup(function()
    server = sandbox.start()
    home = os.tmpname()
    os.remove(home)
    assert(os.execute("mkdir -m 700 " .. home))
  end)

  teardown(function()
    server:stop()
    os.execute("rm -rf " .. home)
  end)

  -- A process that fills the spool while it can reach nobody, and is killed.
  -- Its events can hardly be compressed.
  local function fill()
    local path = home .. "/fill.lua"
    local file = assert(io.open(path, "w"))
    file:write(
      ("package.cpath = %q\n"):format(package.cpath),
      ("local options = require('cjson').decode(%q)\n"):format(cjson.encode {
        spool = home .. "/spool",
        api_host = server.url,
        max_queue_bytes = queue,
        spool_max_bytes = 2 * megabytes * 1048576 + 8388608,
        max_retry_delay = 3600,
        flush_interval = 60,
      }),
      ("local enough = %d * 1048576\n"):format(megabytes),
      [[
local socket = require "socket"
local mp = require("mixpanel").new("projecttoken", options)
local pool = {}
for i = 1, 1024 do
  local noise = {}
  for k = 1, 500 do
    noise[k] = ("%08x"):format(math.random(0, 2 ^ 31 - 1))
  end
  pool[i] = table.concat(noise)
end
local n = 0
while n % 200 ~= 0 or mp:stats().spooled_bytes < enough do
  if mp:track("Old", { distinct_id = "u", n = n, noise = pool[math.random(#pool)] }) then
    n = n + 1
  else
    socket.sleep(0.002)
  end
end
print(n)
io.stdout:flush()
os.execute "kill -9 $PPID"
]]
    )
    file:close()
    server:script { status = 503, times = 0, forget = true }
    local pipe = io.popen("lua5.4 " .. path .. " 2>&1")
    local n = tonumber(pipe:read "*l")
    pipe:close()
    server:reset()
    return n
  end

  it("drains with bounded memory while new records keep flowing", function()
    local records = assert(fill())
    local size = io.popen(("du -sm %s/spool"):format(home)):read "*n"
    server:script { forget = true, times = 0, status = 200, body = { status = 1 } }
    local before, most, new = resident(), 0, 0
    local mp = mixpanel.new("projecttoken", {
      api_host = server.url,
      spool = home .. "/spool",
      max_queue_bytes = queue,
      flush_interval = 0.05,
      spool_max_bytes = 2 * megabytes * 1048576 + 8388608,
    })
    local start = socket.gettime()
    local waited = 0 -- the longest that a new record took while a backlog was there
    repeat
      assert(mp:track("New", { distinct_id = "u", n = new }))
      new = new + 1
      if new % 40 == 0 then
        local t = socket.gettime()
        assert.is_true(mp:flush(20))
        waited = math.max(waited, socket.gettime() - t)
      end
      socket.sleep(0.002)
      most = math.max(most, resident() - before)
      local s = mp:stats()
      assert.is_true(s.queue_bytes <= queue)
    until (s.adopted > 0 and s.spooled + s.queued + s.in_flight == 0)
      or socket.gettime() > start + 60 + megabytes
    assert.is_true(mp:flush(20))
    local stats = mp:stats()
    local seconds = socket.gettime() - start
    assert.is_true(stats.adopted >= records - 2000 and stats.adopted <= records)
    assert.equal(stats.accepted + stats.adopted, stats.delivered)
    assert.equal(new, stats.accepted)
    assert.is_true(most < queue + 48 * 1024 * 1024, ("%d bytes"):format(most))
    print(
      (
        "# %d MB on disk, %d records: %.1f s, %d new ones meanwhile "
        .. "(flush: %.2f s at most), %.1f MB more memory at most"
      ):format(size, stats.adopted, seconds, new, waited, most / 1048576)
    )
    mp:close()
  end)
end)
