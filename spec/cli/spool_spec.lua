-- `mixpanel spool`: what dead and living processes left, of this version and of
-- others, whole and damaged, of this user and of another.
local cjson = require "cjson"
local cli = require "spec.support.cli"
local process = require "spec.support.process"
local spooled = require "spec.support.spooled"

describe("mixpanel spool", function()
  local here = spooled()
  local started = {}

  after_each(function()
    for _, pid in ipairs(started) do
      os.execute(("kill -9 %d 2>/dev/null"):format(pid))
    end
    started = {}
  end)

  local function run(arguments, environment)
    environment = environment or {}
    environment.MIXPANEL_TOKEN = "projecttoken"
    environment.MIXPANEL_SPOOL = environment.MIXPANEL_SPOOL or here.spool
    environment.MIXPANEL_API_HOST = environment.MIXPANEL_API_HOST or here.server.url
    if arguments[1] == "drain" or arguments[1] == "requeue" then
      arguments[#arguments + 1] = not arguments.progress and "--quiet" or nil
    end
    table.insert(arguments, 1, "spool")
    return cli.run(arguments, environment)
  end

  local function crash_with(n)
    here.crash(([[for i = 1, %d do mp:track("E", { distinct_id = "u", n = i }) end]]):format(n))
  end

  -- A process that tracked three events and lives until a file appears.
  local function start_living()
    local go = here.home .. "/go"
    os.remove(go)
    local code = ([[
      for i = 1, 3 do mp:track("Live", { distinct_id = "u", n = i }) end
      io.open(%q, "w"):close()
      local socket = require "socket"
      while not io.open(%q) do socket.sleep(0.01) end
      print(mp:flush(20))]]):format(go .. ".ready", go)
    os.remove(go .. ".ready")
    local options = cjson.encode {
      spool = here.spool,
      api_host = here.server.url,
      flush_interval = 3600,
    }
    local program = table.concat({
      ("package.cpath = %q"):format(package.cpath),
      ("local options = require('cjson').decode(%q)"):format(options),
      "local mp = require('mixpanel').new('projecttoken', options)",
      code,
    }, "\n")
    local path = cli.write(here.home .. "/living.lua", program)
    local output = here.home .. "/living.out"
    local pid =
      tonumber(process.read(("%s %s >%s 2>&1 & echo $!"):format(here.interpreter, path, output)))
    started[#started + 1] = pid
    process.wait_for(function()
      return process.slurp(go .. ".ready")
    end, "the process that lives")
    return pid,
      function() -- lets it flush, and returns what that said
        cli.write(go, "")
        process.wait_gone { pid }
        return process.slurp(output)
      end
  end

  -- The name and the sum of each file.
  local function state()
    return process.read(("find %s -type f -exec cksum {} + | sort"):format(here.spool))
  end

  local function events()
    local names = {}
    for i, event in ipairs(here.server:records "/track") do
      names[i] = event.event
    end
    return names
  end

  -- A run of a process that died long ago, with the files of a table.
  local function plant(files)
    process.run("mkdir -m 700 " .. here.spool)
    local directory = run({ "ls" }):match "^[^\n]+" .. "/1a2212b224aef38c"
    process.run(("mkdir -p -m 700 %s && chmod -R go= %s"):format(directory, here.spool))
    for name, content in pairs(files) do
      cli.write(directory .. "/" .. name, content)
    end
    return directory
  end

  local function gzip(text)
    local path = cli.write(here.home .. "/plain", text)
    process.run("gzip -nkf " .. path)
    return process.slurp(path .. ".gz")
  end

  local function event(name)
    local properties = '{"time":%d,"$insert_id":"%s","token":"projecttoken","distinct_id":"u"}'
    return ('{"event":"%s","properties":%s}'):format(name, properties:format(os.time(), name))
  end

  it("lists and shows what a dead process left, and changes nothing", function()
    crash_with(30)
    local before = state()
    local output, complaints, status = run { "ls", "--files" }
    assert.same({ "", 0 }, { complaints, status })
    assert.matches("run %x+: dead\n  events: 30 records, 1 file, ", output)
    assert.matches("\nWaiting: 30 records, 1 file, ", output)
    local name = output:match "  (events%-%S+): 30 records"
    output, complaints, status = run { "show", name }
    assert.equal("", complaints)
    assert.equal(0, status)
    local n = 0
    for line in output:gmatch "[^\n]+" do
      n = n + 1
      assert.equal(n, cjson.decode(line).properties.n)
    end
    assert.equal(30, n)
    assert.equal(before, state())
  end)

  it("leaves to a living process what it holds", function()
    local pid, finish = start_living()
    process.signal(pid, "STOP") -- it would take over what a dead process left
    crash_with(5)
    local before = state()
    local output = run { "ls" }
    assert.matches(("run %%x+: alive, pid %d\n  events: 3 records"):format(pid), output)
    assert.matches("run %x+: dead\n  events: 5 records", output)
    assert.equal(before, state())
    local complaints, status
    output, complaints, status = run { "drain" }
    assert.same({ "", 0 }, { complaints, status })
    assert.matches("^5 records delivered, 0 rejected%.\n", output)
    assert.matches(
      ("3 records are held by a process that lives, pid %d: left to it"):format(pid),
      output
    )
    process.signal(pid, "CONT")
    assert.equal("true\n", finish())
    assert.equal(8, #here.server:records "/track")
    assert.matches("Nothing waits", (run { "ls" }))
  end)

  it("says what is left and why when nobody can be reached", function()
    crash_with(5)
    local output, complaints, status = run(
      { "drain", "--timeout", "10" },
      { MIXPANEL_API_HOST = here.server.url }
    )
    assert.same({ "5 records delivered, 0 rejected.\n", "", 0 }, { output, complaints, status })
    here.server:script { status = 503, times = 0 }
    crash_with(7)
    output, complaints, status = run { "drain", "--timeout", "3" }
    assert.equal(4, status, complaints)
    assert.matches("^0 records delivered, 0 rejected%.\n7 records are left: ", output)
    assert.matches("Waiting: 7 records", (run { "ls" }))
  end)

  it("has all of its time, however long it took to start", function()
    local uv = require "luv"
    local deliver = require "mixpanel.cli.deliver"
    local stats = { queued = 1, in_flight = 0, spooled = 0, delivered = 0, rejected = 0 }
    stats.spool_looks = 1
    local client = {
      flush = function() end,
      stats = function()
        return stats
      end,
    }
    local function spend()
      local start = uv.hrtime()
      deliver.wait(client, { timeout = 0.5, quiet = true })
      return (uv.hrtime() - start) / 1e9
    end
    uv.update_time()
    uv.sleep(600)
    assert.is_true(spend() >= 0.5)
    -- Nothing waits, but nobody has looked: it does not even list the spool.
    stats.queued, stats.spool_looks = 0, 0
    assert.is_true(spend() >= 0.5)
  end)

  it("shows how far it is", function()
    crash_with(7)
    here.server:script { status = 503, times = 0 }
    local _, complaints, status = run { "drain", "--timeout", "3", progress = true }
    assert.equal(4, status)
    assert.matches("^0 delivered  0/s  7 waiting\n", complaints)
  end)

  it("reads what 0.1 wrote, and leaves alone what a newer version wrote", function()
    local newer = "events-1a2212b224aef38c-000000000007-1-0-0-1795460000123.v9.json.gz"
    local directory = plant {
      ["events-1a2212b224aef38c-000000000001-2-0-0-1795460000123.v1.json.gz"] = gzip(
        "[" .. event "A" .. ",\n" .. event "B" .. "]"
      ),
      ["people-1a2212b224aef38c-000000000001.v1.open"] = "mpsegmnt\1\0\0\0\1\0\0\0\1"
        .. ("\0"):rep(4096 - 17)
        .. '{"$token":"projecttoken","$distinct_id":"u","$set":{"a":1}},\n',
      [newer] = gzip "x",
    }
    local output = run { "ls" }
    assert.matches("events: 2 records", output)
    assert.matches("people: 1 record, ", output)
    assert.matches("1 file of a newer version, left alone%.", output)
    local complaints, status
    output, complaints, status = run { "drain" }
    assert.matches("newer", complaints .. output)
    assert.equal(0, status)
    assert.matches("^3 records delivered, 0 rejected%.\n", output)
    assert.matches("a newer version wrote it: left alone", output)
    assert.same({ "A", "B" }, events())
    assert.equal(1, #here.server:records "/engage")
    assert.equal(gzip "x", process.slurp(directory .. "/" .. newer))
  end)

  it("sets damaged files aside, says why, and puts back what can be read", function()
    local whole = gzip("[" .. event "A" .. "]")
    plant {
      ["events-1a2212b224aef38c-000000000001-1-0-0-1795460000123.v1.json.gz"] = whole:sub(1, 40),
      ["events-1a2212b224aef38c-000000000002.v1.open"] = "mpsegmnt\1\0\0\0\1\0\0\0\2"
        .. ("\0"):rep(4096 - 17)
        .. event "B"
        .. ",\n"
        .. event("C"):sub(1, 30),
    }
    local output, _, status = run { "drain" }
    assert.equal(3, status)
    assert.matches("^1 record delivered, 0 rejected%.\n", output)
    assert.matches("cut or changed", (run { "ls" }))
    assert.same({ "B" }, events())
    local name = output:match "/(events[^/\n]*open%.bad): damaged"
    local complaints
    output, complaints, status = run { "show", name }
    assert.equal(5, status)
    assert.matches('"event":"B"', output)
    assert.matches("1 piece of it is no record; 1 record could be read", complaints)
    local path = process.read(("find %s -name '%s'"):format(here.spool, name))
    output, complaints, status = run { "requeue", path }
    assert.equal(3, status)
    assert.matches("^1 record put back, 1 refused here%.\n", output)
    assert.matches("no record", complaints)
    assert.same({ "B", "B" }, events()) -- with one $insert_id: Mixpanel counts one
  end)

  it("puts rejected records back once they are mended", function()
    here.crash [[
      mp:import("Old", 1e9, { distinct_id = "u", n = 1 })
      mp:track("New", { distinct_id = "u" })]]
    here.server:script {
      endpoint = "/import",
      status = 400,
      body = {
        code = 400,
        status = "Bad Request",
        error = "some data points in the request failed validation",
        num_records_imported = 0,
        failed_records = { { index = 0, ["$insert_id"] = "", field = "x", message = "not good" } },
      },
      times = 1,
    }
    local output, complaints, status = run { "drain" }
    assert.equal(3, status)
    assert.matches("^1 record delivered, 1 rejected%.\n", output)
    assert.matches("rejected", complaints)
    local path = output:match "(/%S+rejected%.jsonl): rejected"
    output, complaints = run { "show", path }
    assert.equal("", complaints)
    assert.matches('"Old"', output)
    output = output:gsub('"Old"', '"Mended"'):gsub('"n":1%f[,}]', '"n":9007199254740993')
    local mended = cli.write(here.home .. "/mended.jsonl", output)
    output, complaints, status = run { "requeue", mended }
    assert.equal("", complaints)
    assert.equal(0, status)
    assert.matches("^1 record put back, 0 refused here%.\n1 record delivered", output)
    local imported = here.server:records "/import"
    assert.equal("Mended", imported[#imported].event)
    assert.matches('"n":9007199254740993[,}]', here.server:lines("/import")[2])
  end)

  it("puts lines back, and names those that are none", function()
    crash_with(1)
    local path = cli.write(
      here.home .. "/lines.jsonl",
      table.concat({
        event "Bare",
        '{"$distinct_id":"u","$set":{"a":1}}',
        '{"$group_key":"company","$group_id":"g","$set":{"a":1}}',
        "nonsense",
        '{"x":1}',
        "",
      }, "\n")
    )
    local output, complaints, status = run { "requeue", path }
    assert.equal(3, status)
    assert.matches("^3 records put back, 2 refused here%.\n4 records delivered", output)
    assert.matches(":4: no record in JSON", complaints)
    assert.matches(":5: neither an event nor an update", complaints)
    assert.equal(1, #here.server:records "/groups")
  end)

  it("says what a full disk costs", function()
    local mount = here.home .. "/mount"
    process.run(("mkdir -p %s && mount -t tmpfs -o size=200k tmpfs %s"):format(mount, mount))
    process.run(("mkdir -m 700 %s/spool"):format(mount))
    os.execute(("dd if=/dev/zero of=%s/fill bs=1k count=400 2>/dev/null"):format(mount))
    here.server:script { status = 503, times = 0 }
    local path = cli.write(here.home .. "/one.jsonl", event "A")
    local output, complaints, status = run(
      { "requeue", "--timeout", "1", path },
      { MIXPANEL_SPOOL = mount .. "/spool" }
    )
    process.run("umount " .. mount)
    assert.equal(4, status)
    assert.matches("1 record is left", output)
    assert.matches("No space left on device", complaints)
    assert.matches("1 record is in no file of the spool and lost when this ends", complaints)
  end)

  it("does not mix with what belongs to another user", function()
    crash_with(2)
    process.run(("chown -R 65534 %s"):format(here.spool))
    local before = state()
    for _, arguments in ipairs { { "drain" }, { "requeue", "/dev/null" } } do
      local _, complaints, status = run(arguments)
      assert.equal(5, status)
      assert.matches("belongs to the user with the number 65534: run this as that", complaints)
    end
    assert.equal(before, state())
    process.run(("chown -R 0 %s && chmod 777 %s"):format(here.spool, here.spool))
    local _, complaints, status = run { "ls" }
    assert.equal(5, status)
    assert.matches("others can write to it", complaints)
  end)

  it("says what is missing or not there", function()
    local _, complaints, status = run({ "ls" }, { MIXPANEL_SPOOL = "/nowhere/spool" })
    assert.equal(5, status)
    assert.matches("cannot use /nowhere/spool: No such file or directory", complaints)
    for _, action in ipairs { { "drain" }, { "requeue", "/dev/null" } } do
      _, complaints, status = run(action) -- which would make it
      assert.equal(5, status)
      assert.matches("no spool is at .*: no such file or directory", complaints)
    end
    crash_with(1)
    assert.matches("1 project of other tokens", (run { "ls", "--name", "another" }))
    _, complaints, status = run { "requeue", here.home } -- which may adopt
    assert.equal(5, status)
    assert.matches(here.home .. ": Is a directory", complaints)
    _, complaints, status = run { "show", "events-1.gz" }
    assert.equal(5, status)
    assert.matches("no file of this spool", complaints)
    _, _, status = run { "show", "/etc/passwd" }
    assert.equal(5, status)
  end)
end)
