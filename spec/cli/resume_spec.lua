-- An import that ends before its end, and goes on: MIXPANEL_SPEC_KILLS says how
-- often it is killed, 4 times by default.
local cli_server = require "spec.support.cli_server"
local process = require "spec.support.process"
local socket = require "socket"

local NOW = os.time()
local KILLS = tonumber(os.getenv "MIXPANEL_SPEC_KILLS" or 4)
local LINES = 30000

describe("an interrupted import", function()
  local here = cli_server()

  -- Two rows are equal each time.
  local function write(name)
    local list = {}
    for i = 1, LINES do
      list[i] = ('{"event":"E","properties":{"time":%d,"distinct_id":"u","i":%d}}\n'):format(
        NOW - 1000,
        math.floor(i / 2)
      )
    end
    return here.file(name, table.concat(list))
  end

  local function resume(arguments)
    arguments[#arguments + 1] = "--resume"
    return here.import(arguments)
  end

  -- Each of i twice, by different ids; repeats have the same ids.
  local function check_arrived()
    local ids, n = {}, 0
    for _, record in ipairs(here.server:records "/import") do
      local i, id = record.properties.i, record.properties["$insert_id"]
      ids[i] = ids[i] or {}
      if not ids[i][id] then
        ids[i][id] = true
        n = n + 1
      end
    end
    assert.equal(LINES, n)
    for i = 1, LINES / 2 - 1 do
      local different = 0
      for _ in pairs(ids[i]) do
        different = different + 1
      end
      assert.equal(2, different)
    end
  end

  for _, name in ipairs { "a.jsonl", "a.jsonl.gz" } do
    it("loses nothing when it is killed, of " .. name, function()
      local path = write "a.jsonl"
      if name == "a.jsonl.gz" then
        process.run("gzip " .. path)
        path = path .. ".gz"
      end
      local output, complaints, status
      for i = 1, KILLS do
        local pid = here.start_import { path, "-q", i > 1 and "--resume" or "--restart" }
        socket.sleep(0.1 + 1.5 * (i - 0.5) / KILLS)
        if process.alive(pid) then
          process.signal(pid, "KILL")
        end
        process.wait_gone { pid }
      end
      output, complaints, status = resume { path, "-q" }
      assert.equal("", complaints)
      assert.equal(0, status)
      assert.matches(
        ("read +%d\ndelivered +%d\nrejected +0\nleft +0\n"):format(LINES, LINES),
        output
      )
      check_arrived()
      assert.is_nil(process.slurp(path .. ".import-journal"))
    end)
  end

  it("says so, and how to go on", function()
    local path = write "a.jsonl"
    here.server:script { endpoint = "/import", min_bytes = 20000, status = 503, times = 0 }
    local pid = here.start_import { path, "-q" }
    process.wait_for(function()
      return #here.server:requests() > 1
    end, "a request")
    process.signal(pid, "INT")
    socket.sleep(0.5)
    if process.alive(pid) then
      process.signal(pid, "INT") -- it need not wait for a server that does not come back
    end
    process.wait_gone { pid }
    local text = process.slurp(here.folder .. "/out")
    assert.matches("finishing what is under way", text)
    here.server:reset()
    local _, complaints, status = here.import { path, "-q" }
    assert.equal(5, status)
    assert.matches("%-%-resume goes on, %-%-restart begins anew", complaints)
    process.run("printf x >>" .. path)
    _, complaints, status = resume { path, "-q" }
    assert.equal(5, status)
    assert.matches("it has changed since", complaints)
  end)

  it("does what on-ambiguous says with updates that add up", function()
    local list = {}
    for i = 1, 3000 do
      list[i] = ('{"$distinct_id":"u%d","%s":{"n":%d}}\n'):format(
        i,
        i % 2 == 0 and "$add" or "$set",
        i
      )
    end
    local path = here.file("p.jsonl", table.concat(list))
    here.server:script { endpoint = "/engage", delay_ms = 100000, forget = true, times = 0 }
    local pid = here.start_import { path, "-q", "--type=people", "--on-ambiguous=report" }
    process.wait_for(function()
      local journal = process.slurp(path .. ".import-journal")
      return journal and journal:find "handed %d+\n"
    end, "a slice")
    socket.sleep(0.3)
    process.signal(pid, "KILL")
    process.wait_gone { pid }
    here.server:reset()
    local output, _, status = resume { path, "-q", "--type=people", "--on-ambiguous=report" }
    assert.equal(3, status)
    assert.matches("read +3000\ndelivered +1500\nrejected +1500[^\n]*\nleft +0\n", output)
    assert.matches("may have been applied", process.slurp(path .. ".rejected.jsonl"))
    for _, record in ipairs(here.server:records "/engage") do
      assert.is_nil(record["$add"])
    end
  end)

  it("is not begun by two at once", function()
    local path = write "a.jsonl"
    here.server:script { endpoint = "/import", min_bytes = 20000, delay_ms = 3000, times = 0 }
    local pid = here.start_import { path, "-q" }
    process.wait_for(function()
      return (process.slurp(path .. ".import-journal") or ""):find "handed"
    end, "its journal")
    local before = process.slurp(path .. ".import-journal")
    for _, how in ipairs { "-q", "--resume", "--restart" } do
      local _, complaints, status = here.import { path, "-q", how }
      assert.equal(5, status)
      assert.matches("another process has the journal " .. path .. "%.import%-journal", complaints)
    end
    assert.equal(1, (process.slurp(path .. ".import-journal"):find(before, 1, true)))
    process.signal(pid, "KILL")
    process.wait_gone { pid }
    here.server:reset()
    local _, complaints, status = here.import { path, "-q", "--resume" }
    assert.same({ "", 0 }, { complaints, status })
    check_arrived()
  end)

  it("needs room for its journal", function()
    local path = write "a.jsonl"
    local _, complaints, status = here.import { path, "-q", "--journal", "/dev/full" }
    assert.equal(5, status)
    assert.matches("cannot write the journal /dev/full", complaints)
    _, complaints, status = here.import { path, "-q", "--journal", here.folder .. "/no/j" }
    assert.equal(5, status)
    assert.matches("no such file.*%-%-no%-journal", complaints)
  end)

  it("removes no device that is to be its journal", function()
    local line = '{"event":"E","properties":{"time":%d,"distinct_id":"u"}}\n'
    local path = here.file("a.jsonl", line:format(NOW))
    local null = here.folder .. "/null"
    process.run("ln -s /dev/null " .. null)
    local _, _, status = here.import { path, "-q", "--journal", null }
    assert.equal(0, status)
    process.run("test -c " .. null)
  end)
end)
