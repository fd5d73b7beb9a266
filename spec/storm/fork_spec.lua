-- Forks while the parent and its children track: every record arrives exactly
-- once, no id twice, and nobody hangs.
local cjson = require "cjson"
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"

local forks = tonumber(os.getenv "STORM_FORKS" or 200)

-- Prints the ids of the records that it, its children and theirs tracked.
local storm = [[
local cjson = require "cjson"
local posix = require "spec_posix"
local mixpanel = require "mixpanel"
local options, forks = cjson.decode(arg[1]), tonumber(arg[2])
options.flush_interval = 0 -- each record its own request: it is never quiet
options.exit_timeout = 20 -- of a child that leaves its records to the end
local mp = mixpanel.new("projecttoken", options)
io.stdout:setvbuf "no" -- or a child writes out what the parent had in its buffer
local alive, wrong = 0, 0

local function track(id)
  assert(mp:track("Storm", { distinct_id = "u", id = id }))
  io.stdout:write(id .. "\n")
end

local function reap(most)
  while alive > most do
    local pid, status = posix.wait()
    alive = alive - 1
    if status ~= 0 then
      wrong = wrong + 1
      io.stdout:write(("child %d ended with %d\n"):format(pid, status))
    end
  end
end

local children = {}

-- Flushes and is gone without a word.
children[0] = function(id)
  track(id .. "a")
  track(id .. "b")
  assert(mp:flush(20))
  posix.quit(0)
end

-- Leaves the rest to the end of the process.
children[1] = function(id)
  track(id .. "a")
  track(id .. "b")
  os.exit(0)
end

-- Lives on with what it inherited, and touches nothing.
children[2] = function()
  posix.sleep(0.1)
  posix.quit(0)
end

-- Forks again while it tracks.
children[3] = function(id)
  track(id .. "a")
  local pid = posix.fork()
  if pid == 0 then
    track(id .. "c")
    os.exit(0, true)
  end
  track(id .. "b")
  local _, status = posix.wait(pid)
  os.exit(status, true)
end

-- Gives back a handle of the parent's before it uses one of its own.
children[4] = function(id)
  mp = nil
  collectgarbage()
  collectgarbage()
  options.name = (options.name or "") .. "child"
  mp = mixpanel.new("projecttoken", options)
  track(id .. "a")
  assert(mp:close(20))
  os.exit(0, true)
end

for i = 1, forks do
  track(("p%d."):format(i))
  local pid = posix.fork()
  if pid == 0 then
    children[i % 5](("c%d."):format(i))
  end
  alive = alive + 1
  reap(7)
end
reap(0)
assert(mp:flush(20))
local stats = mp:stats()
assert(stats.delivered == forks, stats.delivered)
os.exit(wrong == 0 and 0 or 1, true)
]]

-- The same from several threads, each with a Lua state of its own, that track
-- and fork at the same time: the locks that a fork takes are seldom free.
local threads = [[
local number, cpath, options, forks = ...
package.cpath = cpath .. package.cpath
local posix = require "spec_posix"
local mixpanel = require "mixpanel"
options = require("cjson").decode(options)
options.flush_interval, options.exit_timeout = 0, 20
local mp = mixpanel.new("projecttoken", options)
io.stdout:setvbuf "no"

local function track(id)
  assert(mp:track("Storm", { distinct_id = "u", id = id }))
  io.stdout:write(id .. "\n")
end

for i = 1, tonumber(forks) do
  local id = ("p%d%03d."):format(number, i)
  track(id)
  mp:stats()
  local pid = posix.fork()
  if pid == 0 then
    track((id:gsub("p", "c")))
    if i % 2 == 0 then
      assert(mp:flush(20))
      posix.quit(0)
    end
    os.exit(0)
  end
  for k = 1, 20 do
    track(id .. string.char(96 + k))
  end
  local _, status = posix.wait(pid)
  assert(status == 0, status)
end
assert(mp:close(20))
]]

describe("forks", function()
  local server

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  local function assert_once(printed)
    local expected, insert_ids, n = {}, {}, 0
    for line in printed:gmatch "[^\n]+" do
      assert.matches("^[pc]%d+%.%l?$", line)
      expected[line] = true
      n = n + 1
    end
    for _, record in ipairs(server:records "/track") do
      local properties = record.properties
      assert.is_true(expected[properties.id], "twice, or never tracked: " .. properties.id)
      assert.is_nil(insert_ids[properties["$insert_id"]])
      expected[properties.id] = nil
      insert_ids[properties["$insert_id"]] = true
      n = n - 1
    end
    assert.equal(0, n, "lost: " .. tostring(next(expected)))
  end

  for name, options in pairs {
    ["over plain http"] = function()
      return { api_host = server.url, name = "storm" }
    end,
    ["during TLS"] = function()
      return { api_host = server.tls_url, ca_file = server.ca_file }
    end,
  } do
    it("lose nothing and send nothing twice " .. name, function()
      local half = math.ceil(forks / 2)
      local printed, status = script.run(storm, cjson.encode(options()), half)
      assert.equal(0, status, printed)
      assert_once(printed)
    end)
  end

  it("from many threads at once lose nothing either", function()
    local path = script.write(threads)
    local printed, status = script.shell(
      ("timeout 60 %s/spec/threads 4 %s '%s' '%s' %d"):format(
        script.build,
        path,
        script.cpath_of "5.4",
        cjson.encode { api_host = server.tls_url, ca_file = server.ca_file },
        math.ceil(forks / 8)
      )
    )
    os.remove(path)
    assert.equal(0, status, printed)
    assert_once(printed)
  end)
end)
