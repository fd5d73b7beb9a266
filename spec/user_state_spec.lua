-- The state file of a user: what outlives the process, and what must not end
-- it.
local mixpanel = require "mixpanel"
local raises = require "spec.support.raises"
local script = require "spec.support.script"
local socket = require "socket"

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function run(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

describe("the state file of a user", function()
  local folder, path, mp
  local names = 0

  -- No record is sent, so nothing needs to answer.
  local function client()
    names = names + 1
    return mixpanel.new("projecttoken", {
      api_host = "http://127.0.0.1:9",
      name = folder .. names,
      flush_interval = 3600,
      exit_timeout = 0,
    })
  end

  before_each(function()
    folder = run("mktemp -d"):match "%S+"
    path = folder .. "/user.json"
    mp = client()
  end)

  after_each(function()
    mp:close(0)
    os.execute("chmod -R u+rwx " .. folder .. "; rm -rf " .. folder)
  end)

  local function wait(done)
    local deadline = socket.gettime() + 20
    while not done() do
      assert(socket.gettime() < deadline, "it did not come")
      socket.sleep(0.01)
    end
  end

  local function entries()
    local list = {}
    for name in run("ls -A " .. folder):gmatch "%S+" do
      list[#list + 1] = name
    end
    return list
  end

  it("is written by itself, and brings everything back", function()
    local me = mp:user { state = path }
    assert.is_nil(read(path)) -- nothing happened yet
    me:register { plan = "pro", list = { 1, "x" } }
    me:identify "u1"
    me:set_group("company", "acme")
    me:time_event "Level"
    me:opt_in_tracking()
    wait(function()
      return read(path) and read(path):find "given"
    end)
    assert.is_true(me:save(20)) -- nothing is written any more
    local state = me:export_state()
    local again = client():user { state = path }
    assert.same(state, again:export_state())
    assert.same({ 1, "x" }, again:get_property "list")
    assert.equal("u1", again:get_distinct_id())
    assert.equal(me:get_device_id(), again:get_device_id())
    assert.is_true(again:has_opted_in_tracking())
    assert.same({ "user.json" }, entries())
    assert.equal("-rw-------", run("ls -l " .. path):match "^%S+")
  end)

  it("is of whom the options name, also where the id is no UTF-8", function()
    local me = mp:user { state = path, distinct_id = "Jos\233", device_id = "D\233" }
    me:register { plan = "pro" }
    assert.is_true(me:save(20))
    me = client():user { state = path, distinct_id = "Jos\233", device_id = "D\233" }
    assert.equal("pro", me:get_property "plan")
  end)

  it("keeps a device from its first event on", function()
    local me = mp:user { state = path }
    me:track "E"
    assert.is_true(me:save(20))
    assert.equal(me:get_device_id(), client():user({ state = path }):get_device_id())
  end)

  it("is there when save returns, and at the end of the process", function()
    local me = mp:user { state = path }
    for i = 1, 20 do
      me:register { n = i }
      assert.is_true(me:save(20))
      assert.is_truthy(read(path):find(('"n":"%d"'):format(i), 1, true))
    end
    assert.is_true(me:save(0.001)) -- nothing waits
    local printed, status = script.run(
      [[
        local mp = require("mixpanel").new("t", { api_host = "http://127.0.0.1:9" })
        mp:user({ state = ... }):register { last = true }
      ]],
      path
    )
    assert.equal("", printed)
    assert.equal(0, status)
    assert.is_truthy(read(path):find('"last":"true"', 1, true))
    assert.is_truthy(read(path):find('"n":"20"', 1, true))
  end)

  it("holds updates until somebody is identified", function()
    local me = mp:user { state = path }
    me.people:set("a", 1)
    me.people:increment "n"
    assert.is_true(me:save(20))
    local other = client()
    local again = other:user { state = path }
    assert.equal(0, other:stats().queued)
    again:identify "u1"
    assert.equal(3, other:stats().queued)
    assert.is_true(again:save(20))
    assert.is_nil(read(path):find("held", 1, true))
    other:close(0)
  end)

  it("keeps nothing but the refusal of who opted out", function()
    local me = mp:user { state = path }
    me:register { plan = "pro" }
    me:identify "u1"
    me:opt_out_tracking()
    me:register { later = 1 }
    assert.is_true(me:save(20))
    assert.equal('{"version":1,"consent":"refused"}\n', read(path))
    local again = client():user { state = path }
    assert.is_true(again:has_opted_out_tracking())
    assert.equal("opted_out", select(3, again:track "E"))
    again:opt_in_tracking()
    assert.is_true(again:save(20))
    assert.is_truthy(read(path):find(again:get_device_id(), 1, true))
  end)

  it("is set aside when it is no state", function()
    for _, text in ipairs {
      "",
      '{"version":1,"distinct_id":"u1"',
      '{"version":1,"version":1}',
      '{"version":0}',
      '{"version":1,"properties":{"a":"[1"}}',
      ("\0"):rep(100),
    } do
      write(path, text)
      local me = mp:user { state = path }
      assert.is_truthy(me:get_device_id())
      local report = mp:poll()[1]
      assert.equal("state", report.outcome)
      assert.is_truthy(report.message:find(path, 1, true))
      assert.is_truthy(report.message:find("renamed", 1, true))
      assert.is_nil(read(path))
      local names_left = entries()
      assert.equal(1, #names_left)
      assert.is_truthy(names_left[1]:find "^user%.json%.%d+%.bad$")
      assert.equal(text, read(folder .. "/" .. names_left[1]))
      os.remove(folder .. "/" .. names_left[1])
      me:register { a = 1 }
      assert.is_true(me:save(20))
      os.remove(path)
    end
  end)

  it("is set aside when it holds what no event could carry", function()
    for name, reason in pairs {
      token = "the token is the client's, always",
      ["$insert_id"] = "this belongs to each event, not to all events of a user",
      ["$user_id"] = "the ids are the user's: see identify, alias and reset",
    } do
      write(path, ('{"version":1,"properties":{"%s":"\\"x\\""}}'):format(name))
      assert.is_nil(mp:user({ state = path }):get_property "token")
      assert.is_truthy(mp:poll()[1].message:find(reason, 1, true))
      mp:user { state = { version = 1, properties = { [name] = '"x"' } } }
      assert.is_truthy(mp:poll()[1].message:find(reason, 1, true))
    end
    local many = {}
    for i = 1, 255 do
      many[i] = ('"p%d":"1"'):format(i)
    end
    write(path, '{"version":1,"properties":{' .. table.concat(many, ",") .. "}}")
    mp:user { state = path }
    assert.is_truthy(mp:poll()[1].message:find("there are too many", 1, true))
  end)

  it("keeps a refusal that can be read, though the rest cannot", function()
    write(path, '{"version":1,"consent":"refused","distinct_id":"u1')
    local me = mp:user { state = path }
    assert.equal("state", mp:poll()[1].outcome)
    assert.equal("opted_out", select(3, me:track "E"))
    assert.is_true(me:save(20))
    assert.equal('{"version":1,"consent":"refused"}\n', read(path))
    me = mp:user { state = { version = 2, consent = "refused" } }
    assert.equal("opted_out", select(3, me:track "E"))
  end)

  it("of a newer version is left as it is, and no user tracks without it", function()
    for _, text in ipairs {
      '{"version":2,"consent":"refused","distinct_id":"u1"}',
      '{"version":9}',
      '{"version":12,"of":"something else',
    } do
      write(path, text)
      local me, message, code = mp:user { state = path }
      assert.is_nil(me)
      assert.equal("state", code)
      assert.equal(
        ("a newer version of this module wrote the state %s: "):format(path)
          .. "use that version, or give another path",
        message
      )
      assert.equal(text, read(path))
      assert.equal(1, #entries())
    end
    os.remove(path)
  end)

  it("of a newer version that comes while it is in use is not overwritten", function()
    local me = mp:user { state = path }
    me:register { a = 1 }
    assert.is_true(me:save(20))
    write(path, '{"version":2}')
    me:register { a = 2 }
    local saved, message = me:save(20)
    assert.is_nil(saved)
    assert.is_truthy(message:find("a newer version of this module wrote the state", 1, true))
    assert.equal('{"version":2}', read(path))
    os.remove(path)
    assert.is_true(me:save(20))
    assert.is_truthy(read(path):find('"a":"2"', 1, true))
  end)

  it("of version 0.1 is read", function()
    local device = "019abcde-0000-4000-8000-000000000001"
    write(
      path,
      ('{"version":1,"consent":"given","distinct_id":"u1","device_id":"%s","user_id":"u1",'):format(
        device
      )
        .. '"identified":true,"properties":{"plan":"\\"pro\\""},"timers":{"Level":1795460000123},'
        .. '"held":["{\\"$set\\":{\\"a\\":1}}"]}\n'
    )
    local me = mp:user { state = path }
    assert.same({}, mp:poll())
    assert.equal("u1", me:get_distinct_id())
    assert.equal(device, me:get_device_id())
    assert.equal("pro", me:get_property "plan")
    assert.is_true(me:has_opted_in_tracking())
    assert.is_truthy(me:event_elapsed_time "Level")
    os.remove(path)
  end)

  it("is a file, or is left alone", function()
    os.execute("mkdir " .. path)
    raises(
      ("bad argument #1 to 'user' (option 'state': got %q, which is no file: "):format(path)
        .. "expected the path of one, or of none yet)",
      function()
        mp:user { state = path }
      end
    )
    assert.same({ "user.json" }, entries())
    assert.same({}, mp:poll())
  end)

  it("is left alone when it is something else", function()
    for _, text in ipairs { "no JSON", "[]", '{"name":"x"}', "function love.load() end", "\0x" } do
      write(path, text)
      local me, message, code = mp:user { state = path }
      assert.is_nil(me)
      assert.equal(
        ("the state %s is a file of something else: give a path of its own"):format(path),
        message
      )
      assert.equal("state", code)
      assert.equal(text, read(path))
      assert.same({ "user.json" }, entries())
    end
    os.remove(path)
    local me = mp:user { state = path }
    write(path, "no JSON")
    me:register { a = 1 }
    local _, message, code = me:save(20)
    assert.equal("state", code)
    assert.is_truthy(message:find("is a file of something else", 1, true))
    assert.equal("no JSON", read(path))
  end)

  it("is left alone when it cannot be read", function()
    write(folder .. "/real.json", '{"version":1,"consent":"refused"}\n')
    os.execute(("ln -s real.json %s"):format(path))
    local me, message, code = mp:user { state = path }
    assert.is_nil(me)
    local loop = folder .. "/loop"
    os.execute(("ln -s loop %s"):format(loop))
    local _, too_many_links = io.open(loop) -- in the words of the C library
    os.remove(loop)
    assert.equal("cannot read the state " .. path .. too_many_links:sub(#loop + 1), message)
    assert.equal("state", code)
    assert.same({ "real.json", "user.json" }, entries())
    me, message, code = mp:user { state = folder .. "/real.json/user.json" }
    assert.is_nil(me)
    assert.is_truthy(message:find("Not a directory", 1, true))
    assert.equal("state", code)
    assert.same({}, mp:poll())
  end)

  -- Root reads everything, unless it gives up the right to.
  local as_anybody = run("id -u"):match "%d+" == "0"
      and "setpriv --bounding-set -dac_override,-dac_read_search "
    or ""

  it("is left alone, and nobody tracked, while it is not one's own to read", function()
    local text = '{"version":1,"consent":"refused"}\n'
    write(path, text)
    os.execute("chmod 000 " .. path)
    local program = script.write(([[
      local mp = require("mixpanel").new("projecttoken", { api_host = "http://127.0.0.1:9" })
      print(select("#", mp:user { state = %q }), mp:user { state = %q })
      print(mp:stats().queued)
    ]]):format(path, path))
    local printed =
      script.shell(("%stimeout 60 %s %s"):format(as_anybody, script.interpreter, program))
    os.remove(program)
    assert.equal(
      ("3\tnil\tcannot read the state %s: Permission denied\tstate\n0\n"):format(path),
      printed
    )
    os.execute("chmod 600 " .. path)
    assert.equal(text, read(path))
    assert.same({ "user.json" }, entries())
  end)

  it("is reported once when it cannot be written, and tried again", function()
    local missing = folder .. "/later/user.json"
    local me = mp:user { state = missing }
    me:register { a = 1 }
    local ok, message, code = me:save(20)
    assert.is_nil(ok)
    assert.equal("state", code)
    assert.is_truthy(message:find(missing, 1, true))
    me:register { a = 2 }
    assert.equal("state", select(3, me:save(20)))
    local reports = mp:poll()
    assert.equal(1, #reports)
    assert.equal("state", reports[1].outcome)
    assert.equal(message, mp:stats().last_error)
    os.execute("mkdir " .. folder .. "/later")
    assert.is_true(me:save(20))
    assert.is_truthy(read(missing):find('"a":"2"', 1, true))
  end)

  it("is found from where the program began", function()
    local here = run("pwd"):match "%S+"
    local relative = "build/" .. folder:match "[^/]+$" .. ".json" -- others run this spec, too
    local me = mp:user { state = relative }
    me:register { a = 1 }
    assert.is_true(me:save(20))
    assert.is_truthy(read(here .. "/" .. relative))
    os.remove(relative)
  end)

  it("is the last writer's", function()
    local one, two = mp:user { state = path }, mp:user { state = path }
    one:register { who = "one" }
    two:register { who = "two" }
    assert.is_true(one:save(20))
    assert.is_truthy(read(path):find("two", 1, true))
  end)

  it("is written though its client was closed or collected", function()
    local closed = client()
    closed:user({ state = path }):register { a = 1 }
    closed:close(0)
    closed = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    wait(function()
      return read(path)
    end)
  end)

  it("is left alone while the process has no descriptor for it", function()
    local me = mp:user { state = path }
    me:register { plan = "pro" }
    assert(me:save(10))
    local text = read(path)
    local program = script.write(([[
      local mp = require("mixpanel").new("projecttoken", { api_host = "http://127.0.0.1:9" })
      local files, why = {}
      for i = 1, 50 do
        files[i], why = io.open "/dev/null"
      end
      print(why)
      print(mp:user { state = %q })
      files[1]:close()
      print((mp:user { state = %q }):get_property "plan")
    ]]):format(path, path))
    local printed =
      script.shell(("ulimit -n 50; timeout 60 %s %s"):format(script.interpreter, program))
    os.remove(program)
    local reason = printed:match "^/dev/null: ([^\n]+)" -- the C library's words
    assert.equal(
      ("/dev/null: %s\nnil\tcannot read the state %s: %s\tstate\npro\n"):format(
        reason,
        path,
        reason
      ),
      printed
    )
    assert.equal(text, read(path))
    assert.same({ "user.json" }, entries())
  end)
end)
