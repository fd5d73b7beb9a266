-- State files of users whose process is killed at any moment.
local mixpanel = require "mixpanel"
local script = require "spec.support.script"

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  return text
end

describe("the state file of a user", function()
  local folder, mp

  setup(function()
    folder = script.shell("mktemp -d"):match "%S+"
    mp = mixpanel.new("projecttoken", { api_host = "http://127.0.0.1:9", name = folder })
  end)

  teardown(function()
    mp:close(0)
    os.execute("rm -rf " .. folder)
  end)

  -- Changes its state without end and writes down what it does: "begin N TIME"
  -- before the N-th change, "saved N" once save returned true for it.
  local changing = [[
    local path, log, every = ...
    local socket = require "socket"
    local mp = require("mixpanel").new("t", { api_host = "http://127.0.0.1:9" })
    local me = mp:user { state = path }
    local file = io.open(log, "w")
    file:setvbuf "no"
    for n = 1, math.huge do
      file:write(("begin %d %.6f\n"):format(n, socket.gettime()))
      me:register { n = n, same = n, text = ("x"):rep(n % 5000) }
      if n % tonumber(every) == 0 and me:save(20) then
        file:write(("saved %d\n"):format(n))
      end
      socket.sleep(0.001)
    end
  ]]

  -- Runs so many of these at a time, each killed after so many seconds; calls
  -- judge(path, log, time of the kill, its place in the list) for each.
  local function kill_all(delays, judge)
    local program = script.write(changing)
    local commands = {}
    for i, delay in ipairs(delays) do
      local name = folder .. "/" .. i
      commands[i] = (
        "( '%s' %s %s.json %s.log %d & p=$!; sleep %.3f; date +%%s.%%N >%s.killed; "
        .. "kill -9 $p; wait $p 2>/dev/null ) &"
      ):format(script.interpreter, program, name, name, i % 3 == 0 and 1e9 or 7, delay, name)
    end
    script.shell(table.concat(commands, "\n") .. "\nwait")
    os.remove(program)
    for i in ipairs(delays) do
      local name = folder .. "/" .. i
      judge(name .. ".json", read(name .. ".log") or "", tonumber(read(name .. ".killed")), i)
    end
    os.execute("rm -f " .. folder .. "/*")
  end

  it("survives kill -9 at any moment: whole, and never older than a save", function()
    local runs = tonumber(os.getenv "MIXPANEL_STATE_KILLS") or 200
    local found, latest, longest = 0, 0, 0.4
    while runs > 0 do
      local delays = {}
      for i = 1, math.min(runs, 10) do
        delays[i] = math.random() * longest
      end
      runs = runs - #delays
      kill_all(delays, function(file, log)
        local begun = tonumber(log:match ".*begin (%d+)") or 0
        local saved = tonumber(log:match ".*saved (%d+)") or 0
        local me = mp:user { state = file }
        assert.same({}, mp:poll())
        local n = me:get_property "n" or 0
        assert.equal(me:get_property "same" or 0, n)
        assert.equal(n % 5000, #(me:get_property "text" or ""))
        assert.is_true(n <= begun, ("%d of %d"):format(n, begun))
        assert.is_true(n >= saved, ("%d, not %d"):format(n, saved))
        found = found + (n > 0 and 1 or 0)
        latest = math.max(latest, saved)
      end)
      if latest == 0 then -- on a slow machine none was quick enough to save
        longest = math.min(2 * longest, 10)
      end
    end
    assert.is_true(found > 0 and latest > 0)
  end)

  it("is written at the end of the process by a disk that takes its time", function()
    local file = folder .. "/slow.json"
    for _, ending in ipairs { "", "mp:close()", "os.exit(0, true)" } do
      local program = script.write(([[
        local options = { api_host = "http://127.0.0.1:9", exit_timeout = 10 }
        local mp = require("mixpanel").new("t", options)
        local me = mp:user { state = ... }
        me:register { ending = %q }
        %s
      ]]):format(ending, ending))
      local command = "timeout 60 strace -f -o /dev/null 2>/dev/null "
        .. "-e inject=fsync,fdatasync:delay_enter=500000 '%s' %s %s"
      local _, status = script.shell(command:format(script.interpreter, program, file))
      os.remove(program)
      assert.equal(0, status)
      assert.equal(ending, mp:user({ state = file }):get_property "ending")
      assert.equal("slow.json\n", script.shell("ls " .. folder))
    end
    os.remove(file)
  end)

  it("is never older than a second", function()
    local ages, worst = {}, nil
    for _ = 1, 3 do -- on a loaded machine the best of three tries counts, for each
      kill_all({ 1.3, 1.5, 1.7, 1.9 }, function(file, log, killed, place)
        local n, age = mp:user({ state = file }):get_property "n" or 0, 0
        for i, time in log:gmatch "begin (%d+) (%S+)" do
          if tonumber(i) == n + 2 then -- so that n + 1 was done, and is lost
            age = killed - tonumber(time)
          end
        end
        ages[place] = math.min(ages[place] or age, age)
      end)
      worst = math.max(ages[1], ages[2], ages[3], ages[4])
      if worst <= 1 then
        break
      end
    end
    assert.is_true(worst <= 1, worst .. " s old")
  end)
end)
