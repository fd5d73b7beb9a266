-- The examples and the demo, run as a user runs them.
-- luacheck: std max+busted
local cjson = require "cjson"
local sandbox = require "spec.support.sandbox"

local lua = jit and "luajit" or "lua" .. _VERSION:match "%d%.%d"
local built = ("./%s/%s/?.so;;"):format(os.getenv "BUILD" or "build", _VERSION:match "%d%.%d")

describe("examples:", function()
  local server, out, err

  setup(function()
    server = sandbox.start()
    out, err = os.tmpname(), os.tmpname()
  end)

  teardown(function()
    server:stop()
    os.remove(out)
    os.remove(err)
  end)

  before_each(function()
    server:reset()
  end)

  local function read(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read "*a"
    file:close()
    return text
  end

  -- Runs a program with the token and the sandbox in its environment: its exit
  -- status, and what it wrote to stdout and stderr.
  local function run(program, environment)
    local pipe = io.popen(
      ("env %s LUA_CPATH='%s' MIXPANEL_SANDBOX_URL=%s %s %s >%s 2>%s; echo $?"):format(
        environment or "MIXPANEL_TOKEN=projecttoken",
        built,
        server.url,
        lua,
        program,
        out,
        err
      )
    )
    local status = tonumber(pipe:read "*l")
    pipe:close()
    return status, read(out), read(err)
  end

  local function history(lines)
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(table.concat(lines, "\n"), "\n")
    file:close()
    return path
  end

  it("quickstart delivers all and counts it", function()
    local status, printed, complaints = run "examples/quickstart.lua"
    assert.equal("", complaints)
    assert.equal(0, status)
    assert.matches(
      "accepted +6\n  delivered +6\n  rejected +0\n  queued +0\n  requests +4\n",
      printed
    )
    local paths = {}
    for _, request in ipairs(server:requests()) do
      paths[request.path] = (paths[request.path] or 0) + request.accepted
    end
    assert.same({ ["/track"] = 2, ["/import"] = 1, ["/engage"] = 2, ["/groups"] = 1 }, paths)
  end)

  it("flags decides, and reports who got a variant", function()
    server:flags(read "examples/flag_definitions.json")
    local status, printed, complaints = run "examples/flags.lua"
    assert.equal("", complaints)
    assert.equal(0, status)
    assert.matches("free +false +NO_ROLLOUT_MATCH\n  pro +true +variant treatment\n", printed)
    local exposures = server:records "/track"
    assert.equal(1, #exposures)
    assert.equal("user on pro", exposures[1].properties.distinct_id)
    local _, shown = run("sandbox/show.lua " .. server.url)
    assert.matches("GET /flags/definitions?token=projecttoken", shown, 1, true)
  end)

  it("durable delivers what a killed process tracked", function()
    local status, printed, complaints = run "examples/durable.lua"
    assert.equal("", complaints)
    assert.equal(0, status)
    assert.matches("Adopted: 1000, delivered in all: 1001\n", printed)
  end)

  it("the demo tells where the token sat, and the sizes", function()
    assert.equal(0, (run "examples/quickstart.lua"))
    local _, shown = run("sandbox/show.lua " .. server.url)
    for _, text in ipairs {
      "POST /track?verbose=1&ip=0",
      '  token           "projecttoken" in properties.token of every record',
      '  token           "projecttoken" in $token of every record',
      '  authentication  Basic, user name "projecttoken" (the token), empty password',
      "  authentication  none: the records name their project",
      "bytes of JSON, sent as they are",
      '"$set":{"Favourite Show":"The Office"}}',
      "  answer          200, 2 accepted",
    } do
      assert.is_truthy(shown:find(text, 1, true), text)
    end
    assert.matches("size +%d+ bytes of JSON, %d+ after gzip\n", shown)
  end)

  it("testing is a spec that passes", function()
    local busted = io.popen("command -v busted"):read "*l"
    local status, printed = run(busted .. " examples/testing")
    assert.matches("^%+%+%+%+\n4 successes / 0 failures / 0 errors", printed)
    assert.equal(0, status)
  end)

  it("import_history imports a file, with progress on stderr", function()
    local lines = {}
    for i = 1, 21000 do
      lines[i] = ('{"event":"Step","properties":{"time":%d,"distinct_id":"u","n":%d}}'):format(
        1700000000 + i,
        i
      )
    end
    local path = history(lines)
    local status, printed, progress = run("examples/import_history.lua " .. path)
    os.remove(path)
    assert.equal("", printed)
    assert.matches("^20000 lines read, %d+ events delivered\n", progress)
    assert.matches(
      "\n21000 lines: 21000 events delivered, 0 rejected by Mixpanel, 0 refused here, 0 left\n$",
      progress
    )
    assert.equal(0, status)
    local seen, total = {}, 0
    for _, request in ipairs(server:requests()) do
      assert.equal("/import", request.path)
      if request.accepted > 0 then
        for _, record in ipairs(cjson.decode(request.body)) do
          local n = record.properties.n
          assert.equal((1700000000 + n) * 1000, record.properties.time)
          assert.is_nil(seen[n])
          seen[n] = true
          total = total + 1
        end
      end
    end
    assert.equal(21000, total)
  end)

  it("import_history tells of every event that was not imported", function()
    local path = history {
      '{"event":"Good","properties":{"time":1700000000,"distinct_id":"u"}}',
      "",
      '{"event":"Refused","properties":{"time":1700000000,"distinct_id":"null"}}',
      '{"event":"No time","properties":{"distinct_id":"u"}}',
      "{broken",
      '{"event":"Future","properties":{"time":4100000000,"distinct_id":"u"}}',
    }
    local status, _, told = run("examples/import_history.lua " .. path)
    os.remove(path)
    assert.equal(1, status)
    for _, text in ipairs {
      'line 3: properties.distinct_id: Mixpanel refuses "null" as an id\n',
      "line 4: expected an event with properties, and a time among them\n",
      "line 5: ",
      "rejected: properties.time 'properties.time' is invalid: must not be in the future: ",
      "6 lines: 1 events delivered, 1 rejected by Mixpanel, 3 refused here, 0 left\n",
    } do
      assert.is_truthy(told:find(text, 1, true), told)
    end
    assert.equal("Good", server:records("/import")[1].event)
  end)

  it("import_history ends at once where it cannot import", function()
    server:config { tokens = { "another" } }
    local path = history { '{"event":"A","properties":{"time":1700000000}}' }
    local status, _, told = run("examples/import_history.lua " .. path)
    assert.equal(1, status)
    assert.matches("^cannot import: ", told)
    status, _, told = run "examples/import_history.lua /no/such/file"
    assert.equal(2, status)
    assert.matches("^cannot read the file: ", told)
    status, _, told = run("examples/import_history.lua " .. path, "-u MIXPANEL_TOKEN")
    os.remove(path)
    assert.equal(2, status)
    assert.matches("^usage: ", told)
    assert.equal(0, #server:records "/import")
  end)
end)
