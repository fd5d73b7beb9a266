-- The system calls of a client with a spool, as strace shows them.
local spooled = require "spec.support.spooled"

describe("a client with a spool", function()
  local here = spooled()
  local interpreter, output = here.interpreter, here.output
  local home, spool

  before_each(function()
    home, spool = here.home, here.spool
  end)

  -- The system calls of the main thread between BEGIN and END but for those that
  -- sleep and those of Lua's heap, and how many of them are wake-ups.
  local function count(trace)
    local main, calls, inside = nil, {}, false
    for line in io.lines(trace) do
      local pid, call = line:match "^(%d+) +(%w+)%("
      main = main or pid
      if pid == main then
        if line:find('"BEGIN', 1, true) then
          inside = true
        elseif line:find('"END', 1, true) then
          inside = false
        elseif inside then
          calls[call] = (calls[call] or 0) + 1
        end
      end
    end
    calls.clock_nanosleep, calls.nanosleep, calls.select, calls.pselect6 = nil, nil, nil, nil
    calls.futex = nil
    calls.brk, calls.mmap, calls.munmap = nil, nil, nil
    local wakes = (calls.sendto or 0) + (calls.write or 0)
    calls.sendto, calls.write = nil, nil
    return calls, wakes
  end

  it("makes no system call for a record, but a wake-up for each segment", function()
    if interpreter ~= "lua5.4" then
      return -- once is enough for what strace shows
    end
    local program, trace = home .. "/calls.lua", home .. "/trace"
    local file = assert(io.open(program, "w"))
    file:write(
      ("package.cpath = %q\nlocal mp = require('mixpanel').new('t', "):format(package.cpath),
      ("{ spool = %q, api_host = 'http://127.0.0.1:9', max_retry_delay = 3600, "):format(spool),
      "flush_interval = 3600, exit_timeout = 0 })\n",
      [[
local sleep = require("socket").sleep
mp:track("E", { distinct_id = "u" })
sleep(1)
io.stderr:write "BEGIN\n"
for i = 1, 7999 do
  mp:track("E", { distinct_id = "u", n = i })
  if i % 1000 == 0 then
    sleep(0.4) -- for the sender to prepare the next segment
  end
end
io.stderr:write "END\n"
]]
    )
    file:close()
    local calls, wakes
    for _ = 1, 10 do -- where the sender comes too late, the main thread makes a segment
      output(("rm -rf %s; strace -f -o %s lua5.4 %s 2>&1"):format(spool, trace, program))
      calls, wakes = count(trace)
      if next(calls) == nil and wakes <= 4 then
        break
      end
    end
    assert.same({}, calls)
    assert.is_true(wakes <= 4, wakes .. " wake-ups")
  end)

  it("syncs what is open with durability = 'power'", function()
    if interpreter ~= "lua5.4" then
      return -- once is enough for what strace shows
    end
    local program = home .. "/power.lua"
    local file = assert(io.open(program, "w"))
    file:write(
      ("package.cpath = %q\nlocal mp = require('mixpanel').new('t', "):format(package.cpath),
      ("{ spool = %q, api_host = 'http://127.0.0.1:9', durability = 'power', "):format(spool),
      "sync_interval = 0.1, flush_interval = 60 })\n",
      "for i = 1, 3 do mp:track('E', { distinct_id = 'u' }) require('socket').sleep(1) end\n"
    )
    file:close()
    local trace =
      output(("strace -f -e trace=msync,fdatasync,fsync lua5.4 %s 2>&1"):format(program))
    local _, syncs = trace:gsub("msync%(", "")
    assert.is_true(syncs >= 3, trace)
    assert.truthy(trace:find "fdatasync%(") -- the sealed batch and its directory
  end)
end)
