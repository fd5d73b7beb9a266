-- A consent that is stored: it holds for all who use the state file, and
-- outlives whatever becomes of it.
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

local REFUSAL = '{"version":1,"consent":"refused"}\n'

describe("a stored consent", function()
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

  -- Another process; `me` is its user, and what it does must go well.
  local function elsewhere(what)
    local printed, status = script.run(([[
      local mp = require("mixpanel").new("t", { api_host = "http://127.0.0.1:9", exit_timeout = 0 })
      local me = assert(mp:user { state = %q })
      assert(%s)
      assert(me:save(20))
    ]]):format(path, what))
    assert.equal("", printed)
    assert.equal(0, status)
  end

  local function refuses(me)
    assert.is_true(me:has_opted_out_tracking())
    assert.equal("opted_out", select(3, me:track "E"))
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

  it("holds at once for everybody with the same state file", function()
    local one, two = mp:user { state = path }, client():user { state = path }
    one:opt_out_tracking()
    refuses(two)
    refuses(mp:user { state = path })
    refuses(client():user { state = folder .. "/../" .. folder:match "[^/]+$" .. "/user.json" })
    two:register { a = 1 }
    assert.is_true(two:save(20))
    assert.equal(REFUSAL, read(path))
    two:opt_in_tracking()
    assert.is_false(one:has_opted_out_tracking())
    assert.is_true(one:has_opted_in_tracking())
    assert.is_true(one:track "E")
    assert.is_true(two:save(20))
    assert.is_truthy(read(path):find('"consent":"given"', 1, true))
    one:clear_opt_in_out_tracking()
    assert.is_false(two:has_opted_in_tracking())
  end)

  it("does not end with its client", function()
    mp:user({ state = path }):opt_out_tracking()
    mp:close(0)
    refuses(client():user { state = path })
  end)

  it("is of one folder: another at the same place starts anew", function()
    mp:user({ state = path }):opt_out_tracking()
    os.execute(("mv %s %s.old && mkdir %s"):format(folder, folder, folder))
    assert.is_false(mp:user({ state = path }):has_opted_out_tracking())
    os.execute(("rm -rf %s.old"):format(folder))
  end)

  it("is written to the folder that is there", function()
    local me = mp:user { state = path }
    me:opt_out_tracking()
    assert.is_true(me:save(20))
    os.execute(("rm -rf %s && mkdir %s"):format(folder, folder))
    me:register { a = 1 }
    assert.is_true(me:save(20))
    assert.equal(REFUSAL, read(path))
  end)

  it("brings what was not written yet to the next user", function()
    local me = mp:user { state = path }
    me:register { plan = "pro" }
    local again = client():user { state = path }
    assert.equal("pro", again:get_property "plan")
    assert.equal(me:get_device_id(), again:get_device_id())
  end)

  it("is not undone by the write of a process that did not know", function()
    local me = mp:user { state = path }
    me:register { a = 1 }
    assert.is_true(me:save(20))
    elsewhere "me:opt_out_tracking()"
    assert.equal(REFUSAL, read(path))
    me:register { a = 2 }
    assert.is_true(me:save(20))
    assert.equal(REFUSAL, read(path))
    refuses(me)
    me:register { a = 3 }
    assert.is_true(me:save(20))
    assert.equal(REFUSAL, read(path))
    me:opt_in_tracking() -- knowing of it
    assert.is_true(me:save(20))
    assert.is_truthy(read(path):find('"consent":"given"', 1, true))
    assert.is_true(me:track "E")
  end)

  it("wins over an agreement that did not know of it", function()
    local me = mp:user { state = path }
    me:register { a = 1 }
    assert.is_true(me:save(20))
    elsewhere "me:opt_out_tracking()"
    me:opt_in_tracking()
    assert.is_true(me:save(20))
    assert.equal(REFUSAL, read(path))
    refuses(me)
    elsewhere "me:opt_in_tracking()"
    refuses(me) -- until it is started again, or agrees
  end)

  it("is read where the file is cut or damaged", function()
    for _, text in ipairs {
      REFUSAL:sub(1, -4),
      '{"version":1,"consent":"refused","distinct_id":"u1","user',
      '{"version":1,"consent":"refused","consent":"refused"}',
    } do
      write(path, text)
      local me = mp:user { state = path }
      refuses(me)
      assert.equal("state", mp:poll()[1].outcome)
      assert.equal("user.json\n", run("ls -A " .. folder)) -- at no time is it away
      assert.is_true(me:save(20))
      assert.equal(REFUSAL, read(path))
      me:opt_in_tracking()
      assert.is_true(me:save(20))
    end
  end)

  it("is one as well where another program wrote it, with spaces", function()
    local spaced = '{"version": 1,\n "consent" : "refused", "distinct_id": "u"}'
    local me = mp:user { state = path }
    write(path, spaced)
    me:register { a = 1 }
    me:save(20)
    assert.equal(spaced, read(path))
    refuses(me)
    write(path, spaced:sub(1, -16))
    refuses(client():user { state = path })
  end)

  it("and what is not written yet go with a forked child", function()
    local printed, status = script.run(
      [[
        local posix = require "spec_posix"
        local mixpanel = require "mixpanel"
        local path = ...
        local function user(name)
          local options = { api_host = "http://127.0.0.1:9", exit_timeout = 0, name = name }
          local mp = mixpanel.new("t", options)
          return assert(mp:user { state = path }), mp
        end
        local me, mp = user "parent"
        me:opt_out_tracking()
        local child = posix.fork()
        if child == 0 then
          print(select(3, user "child":track "E"))
          io.stdout:flush()
          posix.quit(0)
        end
        posix.wait(child)
        me:opt_in_tracking()
        me:register { plan = "pro" }
        child = posix.fork()
        if child == 0 then
          local again = user "second"
          print(again:has_opted_in_tracking())
          io.stdout:flush()
          posix.quit(0)
        end
        posix.wait(child)
        assert(me:save(20))
      ]],
      path
    )
    assert.equal("opted_out\ntrue\n", printed)
    assert.equal(0, status)
    assert.is_truthy(read(path):find("pro", 1, true))
  end)
end)
