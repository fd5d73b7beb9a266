-- Programs with feature flags, each in a process of its own, and a sandbox that
-- has the flag "a" for them.
local assert = require "luassert"
local definitions = require "spec.support.definitions"
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"

local HEAD = [[
local mixpanel = require "mixpanel"
local posix = require "spec_posix"
local url, way, spool = (table.unpack or unpack)(arg)
local user = { distinct_id = "u1" }
local function client(options)
  options.api_host = url
  return mixpanel.new("projecttoken", options)
end
-- Runs a function in a child.
local function in_child(run)
  if posix.fork() == 0 then
    local ok, message = pcall(run)
    if not ok then
      io.stderr:write(message, "\n")
    end
    posix.quit(ok and 0 or 1)
  end
end
local function reap(n)
  for _ = 1, n do
    local _, status = posix.wait()
    assert(status == 0, "a child failed")
  end
end
]]

local FlagProcess = {}
FlagProcess.__index = FlagProcess

function FlagProcess:stop()
  self.server:stop()
end

function FlagProcess:reset()
  self.server:reset()
  self.server:flags { flags = { definitions.flag "a" } }
end

-- Runs a program, which must print nothing and end well; returns the seconds
-- that it took.
function FlagProcess:run(program, ...)
  local printed, status, seconds = script.run(HEAD .. program, self.server.url, ...)
  assert.equal("", printed)
  assert.equal(0, status)
  return seconds
end

-- How often definitions were asked for.
function FlagProcess:fetches()
  local n = 0
  for _, request in ipairs(self.server:requests()) do
    n = n + (request.path == "/flags/definitions" and 1 or 0)
  end
  return n
end

local function start()
  return setmetatable({ server = sandbox.start() }, FlagProcess)
end

return { start = start }
