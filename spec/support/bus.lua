-- A bus that is a directory: see mixpanel_fake.c.
local cjson = require "cjson"
local process = require "spec.support.process"
local script = require "spec.support.script"

local bus = {}
bus.__index = bus

bus.drivers = ("./%s/spec/drivers/?.so"):format(script.build)

-- The start of a program: `mp` is a client of the bus in arg[1], with the options of
-- a Lua table in arg[2].
local common = [[
package.cpath = package.cpath .. ";" .. ]] .. ("%q"):format(bus.drivers) .. "\n" .. [[
local mixpanel = require "mixpanel"
local posix = require "spec_posix"
local unpack = table.unpack or unpack
local load = loadstring or load
local options = load("return " .. arg[2])()
options.transport, options.bus = "fake", { servers = { "fake:" .. arg[1] } }
local mp = mixpanel.new("projecttoken", options)
]]

function bus.new()
  local dir = os.tmpname()
  os.remove(dir)
  process.run("mkdir -m 700 " .. dir)
  return setmetatable({ dir = dir, servers = { "fake:" .. dir } }, bus)
end

-- Runs a program; `options` are Lua, as a text.
function bus:run(program, options)
  return script.run(common .. program, self.dir, options or "{}")
end

-- What becomes of messages from now on.
function bus:reply(text)
  local file = assert(io.open(self.dir .. "/reply.new", "w"))
  file:write(text)
  file:close()
  assert(os.rename(self.dir .. "/reply.new", self.dir .. "/reply"))
end

function bus:stick()
  process.run("touch " .. self.dir .. "/stuck")
end

-- The lines of its log that begin so.
function bus:log(what)
  local lines = {}
  for line in (process.slurp(self.dir .. "/log") or ""):gmatch "[^\n]+" do
    if line:find("^" .. what .. " ") then
      lines[#lines + 1] = line
    end
  end
  return lines
end

-- The messages that got an outcome.
function bus:puts()
  local list = {}
  for i, line in ipairs(self:log "put") do
    local pid, id, subject, headers, outcome = line:match "^put (%d+) (%S+) (%S+) (.*) (%S+)$"
    list[i] = { pid = pid, id = id, subject = subject, headers = headers, outcome = outcome }
  end
  return list
end

-- The ids of what is stored, sorted.
function bus:ids()
  local ids = {}
  for name in process.read("ls " .. self.dir):gmatch "[^\n]+" do
    if name:find "^%x+%-" then
      ids[#ids + 1] = name
    end
  end
  return ids
end

-- The records of all messages whose id has this in it.
function bus:records(part)
  local records = {}
  for _, id in ipairs(self:ids()) do
    if id:find(part, 1, true) then
      local json = process.read(("gzip -dc < %s/%s"):format(self.dir, id))
      for _, record in ipairs(cjson.decode(json)) do
        records[#records + 1] = record
      end
    end
  end
  return records
end

-- What is stored, in order of its ids: of each message its `lane`, its `body` as it
-- stands in the bus, and its `records`, the text of each.
function bus:messages()
  local list = {}
  for i, id in ipairs(self:ids()) do
    local path = ("%s/%s"):format(self.dir, id)
    local records = {}
    for line in process.read("gzip -dc < " .. path):sub(2, -2):gmatch "[^\n]+" do
      records[#records + 1] = line:gsub(",$", "")
    end
    list[i] = { lane = id:match "%-(%l+)%-", body = process.slurp(path), records = records }
  end
  return list
end

function bus:remove()
  process.run("rm -rf " .. self.dir)
end

return bus
