-- Hosts that hide the symbols of their Lua, or have two Luas in one process:
-- what `make LINK=` builds works there.
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"

describe("a host with Luas of its own", function()
  local server, installed

  setup(function()
    server = sandbox.start()
    installed = os.tmpname()
    os.remove(installed)
    for _, lua in ipairs { "lua5.3", "lua5.4" } do
      local printed, status =
        script.shell(("make -s LINK=%s install DESTDIR=%s PREFIX=/opt"):format(lua, installed))
      assert.equal(0, status, printed)
    end
  end)

  teardown(function()
    server:stop()
    process.run("rm -r " .. installed)
  end)

  before_each(function()
    server:reset()
  end)

  local function linked(version)
    return ("%s/opt/lib/lua/%s/?.so"):format(installed, version)
  end

  local function plain(version)
    return ("./%s/%s/?.so"):format(script.build, version)
  end

  -- Runs a program in each Lua, by a list of versions, with the module that
  -- `where` finds: what was printed, and the exit status.
  local function run(mode, versions, where)
    local command, scripts = { script.build .. "/spec/luas", mode }, {}
    for i, version in ipairs(versions) do
      scripts[i] = os.tmpname()
      local file = assert(io.open(scripts[i], "w"))
      file:write(([[
        package.cpath = %q
        assert(_VERSION == "Lua %s")
        local mp = require("mixpanel").new("t", { api_host = %q, name = _VERSION })
        for i = 1, 50 do
          assert(mp:track(_VERSION, { i = i, list = { i, { a = i } } }))
        end
        assert(mp:flush(10))
        assert(mp:stats().delivered == 50)
      ]]):format(where(version), version, server.url))
      file:close()
      command[#command + 1] = ("liblua%s.so.0 %s"):format(version, scripts[i])
    end
    local printed, status = script.shell("timeout 60 " .. table.concat(command, " "))
    for _, path in ipairs(scripts) do
      os.remove(path)
    end
    return printed, status
  end

  local function count(name)
    local n = 0
    for _, record in ipairs(server:records "/track") do
      n = n + (record.event == name and 1 or 0)
    end
    return n
  end

  for _, mode in ipairs { "hidden", "global" } do
    it("has two of them, " .. mode, function()
      for _, versions in ipairs { { "5.3", "5.4" }, { "5.4", "5.3" } } do
        server:reset()
        local printed, status = run(mode, versions, linked)
        assert.equal("", printed)
        assert.equal(0, status)
        assert.equal(50, count "Lua 5.3")
        assert.equal(50, count "Lua 5.4")
      end
    end)
  end

  it("that are hidden needs a build that is linked", function()
    local printed, status = run("hidden", { "5.4" }, plain)
    assert.equal(1, status)
    assert.matches("undefined symbol: lua", printed)
    printed, status = run("global", { "5.4" }, plain)
    assert.equal("", printed)
    assert.equal(0, status)
  end)
end)
