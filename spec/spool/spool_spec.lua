-- What a client with a spool promises while it lives.
local assert_balance = require "spec.support.balance"
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local sandbox = require "spec.support.sandbox"
local socket = require "socket"
local spooled = require "spec.support.spooled"

local working_directory = io.popen("pwd"):read "*l"
local cpath = (";" .. package.cpath):gsub(";%./", ";" .. working_directory .. "/"):sub(2)

describe("a client with a spool", function()
  local here = spooled()
  local interpreter, client, crash, files, output, wait =
    here.interpreter, here.client, here.crash, here.files, here.output, here.wait
  local server, home, spool

  before_each(function()
    server, home, spool = here.server, here.home, here.spool
  end)

  it("refuses options that make no sense", function()
    local function refused(message, options)
      local ok, err = pcall(mixpanel.new, "projecttoken", options)
      assert.is_false(ok)
      assert.truthy(tostring(err):find(message, 1, true), err)
    end
    refused("option 'spool': got 1, expected the path of a directory", { spool = 1 })
    refused("option 'spool': \"\" is no path", { spool = "" })
    refused("'durability' needs option 'spool'", { durability = "power" })
    refused("'sync_interval' needs option 'spool'", { sync_interval = 1 })
    refused("'spool_max_bytes' needs option 'spool'", { spool_max_bytes = 2 ^ 30 })
    refused('expected "process" or "power"', { spool = spool, durability = "memory" })
    refused("from 4194304", { spool = spool, spool_max_bytes = 1 })
    refused('transport = "manual"', { spool = spool, transport = "manual" })
    local mp = mixpanel.new("projecttoken", { api_host = server.url })
    assert.has_error(function()
      mp:set_config { durability = "power" }
    end)
    assert.has_error(function()
      mp:set_config { spool = spool }
    end)
    mp = client()
    assert.is_true(mp:set_config { durability = "power", spool_max_bytes = 2 ^ 30 })
    mp:close()
    assert.equal("", files "*") -- nothing was tracked
  end)

  it("takes a relative path from where it was made", function()
    local there = home .. "/elsewhere"
    os.execute("mkdir -p -m 700 " .. there)
    local path = home .. "/program2.lua"
    local file = assert(io.open(path, "w"))
    file:write(
      ("package.cpath = %q\nlocal mp = require('mixpanel').new('t', "):format(cpath),
      ("{ spool = 'rel', api_host = %q })\n"):format(server.url),
      "mp:track('E', { distinct_id = 'u' })\nos.execute 'kill -9 $PPID'\n"
    )
    file:close()
    output(("cd %s && %s %s 2>&1"):format(there, interpreter, path))
    assert.not_equal("", output(("find %s/rel -name '*.open'"):format(there)))
  end)

  it("leaves nothing behind when everything was delivered", function()
    local mp = client()
    for i = 1, 5000 do
      assert(mp:track("Step", { distinct_id = "u", n = i }))
    end
    assert.is_true(mp:flush(20))
    assert_balance(mp:stats())
    assert.equal(5000, mp:stats().delivered)
    assert.equal(0, mp:stats().spool_errors)
    local deadline = socket.gettime() + 10 -- a file goes after its records end
    while files "*.gz" ~= "" and socket.gettime() < deadline do
      socket.sleep(0.01)
    end
    assert.equal("", files "*.gz")
    mp:close()
    mp = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    deadline = socket.gettime() + 10
    while output("ls -A " .. spool) ~= "" and socket.gettime() < deadline do
      socket.sleep(0.01)
    end
    assert.equal("", output("ls -A " .. spool))
  end)

  it("has what did not get out, and close says so", function()
    local mp = client()
    server:script { status = 503, times = 0 }
    for i = 1, 3 do
      assert(mp:track("Step", { distinct_id = "u", n = i }))
    end
    local expected = { nil, "timeout: 3 records undelivered, kept in the spool", "timeout" }
    assert.same(expected, { mp:flush(0.3) })
    assert.same(expected, { mp:close(0.3) })
    server:reset()
    local again = client()
    assert.is_true(again:flush(20))
    assert.equal(3, again:stats().delivered)
    again:close()
  end)

  it("keeps the records of two projects apart, also when one is closed", function()
    local others = sandbox.start()
    local a = client()
    local b = mixpanel.new("othertoken", { api_host = others.url, spool = spool })
    server:script { status = 503 }
    for i = 1, 200 do
      assert(a:track("A", { distinct_id = "u", n = i }))
      assert(b:track("B", { distinct_id = "u", n = i }))
    end
    a:close(0)
    a = nil -- luacheck: ignore
    collectgarbage()
    assert.is_true(b:flush(10))
    crash [[for i = 1, 10 do mp:track("A", { distinct_id = "u", n = i }) end]]
    wait(b, function(s) -- it looks again after a second
      return s.foreign >= 1
    end, "the other project was not seen")
    b:flush(0)
    local again = client()
    again:flush(0)
    local deadline = socket.gettime() + 20
    while #server:records "/track" < 210 and socket.gettime() < deadline do
      socket.sleep(0.05)
    end
    for _, event in ipairs(server:records "/track") do
      assert.equal("A", event.event)
      assert.equal("projecttoken", event.properties.token)
    end
    for _, event in ipairs(others:records "/track") do
      assert.equal("B", event.event)
      assert.equal("othertoken", event.properties.token)
    end
    assert.equal(200, #others:records "/track")
    again:close()
    b:close()
    others:stop()
  end)

  it("keeps at its end what somebody removed from under it", function()
    server:script { status = 503, times = 0 }
    here.run(
      { api_host = server.url, spool = spool, flush_interval = 0.05 },
      [[
      local function track(n)
        for _ = 1, n do
          assert(mp:track("E", { distinct_id = "u" }))
        end
      end
      track(1)
      repeat
        require("socket").sleep(0.01)
      until mp:stats().ambiguous > 0 -- from now on its lane rests
      track(2)
      os.execute("for try in $(seq 100); do rm -rf " .. options.spool .. " && exit; done")
      track(3)
    ]]
    )
    server:reset()
    local mp = client()
    mp:flush(0)
    here.wait_empty(mp)
    assert.equal(5, mp:stats().delivered)
    mp:close()
  end)

  it("appends what the API refuses to rejected.jsonl", function()
    local mp = client { events_via = "import" }
    server:script {
      status = 400,
      body = cjson.encode {
        code = 400,
        error = "some data points in the request failed validation",
        num_records_imported = 1,
        status = "Bad Request",
        failed_records = {
          { index = 1, ["$insert_id"] = "b", field = "properties.time", message = "is off" },
        },
      },
    }
    assert(mp:track("E", { distinct_id = "u", ["$insert_id"] = "a" }))
    assert(mp:track("E", { distinct_id = "u", ["$insert_id"] = "b" }))
    assert.is_true(mp:flush(10))
    local line
    local deadline = socket.gettime() + 10
    repeat
      line = output(("cat $(find %s -name rejected.jsonl) /dev/null"):format(spool))
      socket.sleep(0.01)
    until line:find "\n$" or socket.gettime() > deadline
    local kept = cjson.decode(line)
    assert.equal("b", kept.record.properties["$insert_id"])
    assert.equal("is off", kept.message)
    assert.equal("properties.time", kept.field)
    assert.equal(400, kept.status)
    mp:close()
  end)
end)
