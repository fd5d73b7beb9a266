-- Processes that are killed while they track, seal, rename, send, unlink and
-- adopt: every record that was acknowledged arrives, whole.
--
-- The phases are named by a build with hooks (see phase.c), which `.ci/suites`
-- makes; SPOOL_KILLS lengthens the run.
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local sandbox = require "spec.support.sandbox"
local socket = require "socket"

local phases = { "track", "seal", "rename", "send", "unlink", "adopt" }
local per_phase = 32
local kills = tonumber(os.getenv "SPOOL_KILLS") or 312
local at_random = kills - per_phase * #phases
local hooks = assert(os.getenv "SPOOL_HOOKS", "SPOOL_HOOKS: the folder of the build with hooks")
-- The n-th time at the most, when a process is to die in a phase.
local most = { track = 400, seal = 12, rename = 16, send = 10, unlink = 14, adopt = 6 }

local function read(path)
  local file = io.open(path)
  local text = file and file:read "a" or ""
  if file then
    file:close()
  end
  return text
end

describe("a spool whose processes are killed", function()
  local server, home
  local first = 1
  local killed = { random = 0 }

  setup(function()
    server = sandbox.start()
    home = os.tmpname()
    os.remove(home)
    assert(os.execute("mkdir -m 700 " .. home))
    math.randomseed(tonumber(os.getenv "SPOOL_SEED") or 4711)
    for _, phase in ipairs(phases) do
      killed[phase] = 0
    end
  end)

  teardown(function()
    server:stop()
    os.execute("rm -rf " .. home)
  end)

  -- A shell command that runs a tracker until it dies; `phase` or, without
  -- one, a time decides when.
  local function tracker(phase, idle)
    local count = 400
    local env = ("TRACKER_CPATH='%s/?.so;build/spec/5.4/?.so'"):format(hooks)
    if phase then
      env = env .. (" MP_SPEC_KILL='%s %d %s/killed'"):format(phase, math.random(most[phase]), home)
    end
    local command = ("%s %slua5.4 spec/spool/tracker.lua %s/spool %s %s/acks %d %d %d"):format(
      env,
      phase and "" or ("timeout --foreground -s KILL %.3f "):format(0.02 + math.random() * 0.1),
      home,
      server.url,
      home,
      first,
      count,
      idle and 1 or 0
    )
    first = first + count
    return command .. " >/dev/null 2>&1"
  end

  local function note_kill(phase)
    local name = read(home .. "/killed")
    os.remove(home .. "/killed")
    if phase and name == phase then
      killed[phase] = killed[phase] + 1
    else
      killed.random = killed.random + 1
    end
  end

  -- Every second life shares the spool with another process; every fourth
  -- leaves an idle child behind.
  local lives = 0
  local function live(phase)
    lives = lives + 1
    local commands = { tracker(phase, lives % 4 == 0) }
    if lives % 2 == 0 then
      commands[2] = tracker(nil, false)
    end
    os.execute(table.concat(commands, " & ") .. " & wait")
    note_kill(phase)
    if commands[2] then
      killed.random = killed.random + 1
    end
  end

  -- Delivers what is left and compares with what was acknowledged.
  local function settle()
    local mp = mixpanel.new("projecttoken", {
      api_host = server.url,
      spool = home .. "/spool",
      name = "crash",
      max_retry_delay = 0.2,
    })
    local deadline = socket.gettime() + 60
    mp:flush(0)
    repeat
      socket.sleep(0.02)
      local s = mp:stats()
      local left = s.queued + s.in_flight + s.spooled
    until (s.adopted > 0 or left == 0)
        and left == 0
        and os.execute(('test -z "$(find %s/spool -type f 2>/dev/null)"'):format(home))
      or socket.gettime() > deadline
    local stats = mp:stats()
    assert.equal(0, stats.quarantined)
    assert.equal(0, stats.spool_errors, stats.last_error)
    assert.equal(0, stats.rejected)
    assert.equal(stats.adopted, stats.delivered)
    mp:close()
    mp = nil -- luacheck: ignore
    collectgarbage()
  end

  local function verify()
    local seen = {}
    for _, event in ipairs(server:records "/track") do
      local p = event.properties
      assert.equal("Crash", event.event)
      assert.equal("projecttoken", p.token)
      assert.equal(("%d"):format(p.n), p["$insert_id"]) -- twice only with one id
      assert.equal(200, #p.pad)
      seen[p.n] = true
    end
    for _, update in ipairs(server:records "/engage") do
      assert.equal(update["$distinct_id"], ("%d"):format(update["$set"].n))
      seen[update["$set"].n] = true
    end
    local acknowledged = 0
    for n in read(home .. "/acks"):gmatch "%d+" do
      acknowledged = acknowledged + 1
      if not seen[tonumber(n)] then
        error("record " .. n .. " was acknowledged and never came")
      end
    end
    for _, request in ipairs(server:requests()) do
      assert.equal(200, request.status)
      assert.equal(0, #(request.failed or {}))
    end
    os.remove(home .. "/acks")
    server:reset()
    return acknowledged
  end

  it("loses nothing that was acknowledged, and tears nothing", function()
    local records, next_phase = 0, 1
    local function short()
      for _ = 1, #phases do
        local phase = phases[next_phase]
        next_phase = next_phase % #phases + 1
        if killed[phase] < per_phase then
          return phase
        end
      end
    end
    local round = 0
    for _ = 1, 3 * kills do
      local phase = short()
      if not phase and killed.random >= at_random then
        break
      end
      live(phase)
      round = round + 1
      if round % 12 == 0 then
        settle()
        records = records + verify()
      end
    end
    settle()
    records = records + verify()
    local sum = killed.random
    for _, phase in ipairs(phases) do
      assert.is_true(killed[phase] >= 30, phase .. ": " .. killed[phase])
      sum = sum + killed[phase]
    end
    assert.is_true(sum >= 300, "kills: " .. sum)
    print(("# %d kills (%s), %d records acknowledged"):format(sum, cjson.encode(killed), records))
  end)
end)
