-- Hosts of the soak, each with a disk of its own, on which a process follows another.
local cjson = require "cjson"
local cli = require "spec.support.cli"
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local script = require "spec.support.script"

local Host = {}
Host.__index = Host

local EACH_LIFE = 1e6 -- numbers of records

-- `settings`: servers, dir, token, seed, life_s (how long a process of it may live), and
-- `spool`, false for a host without one.
function Host.new(name, settings)
  local path = ("%s/%s"):format(settings.dir, name)
  process.run("mkdir -m 700 " .. path)
  local self = { name = name, path = path, settings = settings, lives = 0, ended = {} }
  return setmetatable(self, Host)
end

-- Starts a process; with `drain` one that only sends what there is.
function Host:start(drain)
  local settings = self.settings
  self.lives = self.lives + 1
  local life = ("%s/%d"):format(self.path, self.lives)
  self.out, self.stats_path = life .. ".out", life .. ".stats"
  local words = cjson.encode {
    name = self.name,
    token = settings.token,
    urls = settings.servers.urls,
    spool = settings.spool ~= false and self.path .. "/spool" or nil,
    book = self.path .. "/book",
    stats = self.stats_path,
    seed = (settings.seed + self.lives) % 2147483647,
    first = self.lives * EACH_LIFE,
    most = 6,
    life_s = settings.life_s,
    drain = drain,
  }
  local command = ("LUA_CPATH=%s exec %s spec/forward/soak_host.lua %s"):format(
    cli.quote(nats.drivers .. ";" .. package.cpath),
    script.interpreter,
    cli.quote(words)
  )
  self.pid = tonumber(process.read(("%s >%s 2>&1 </dev/null & echo $!"):format(command, self.out)))
end

function Host:alive()
  return self.pid and process.alive(self.pid)
end

-- Whether it knows signals by now.
function Host:is_up()
  return self:alive() and process.slurp(self.out):find "^up" ~= nil
end

-- What a process that ended by itself counted.
local function take_stats(self)
  local text = process.slurp(self.stats_path)
  assert(text, ("host %s: %s"):format(self.name, process.slurp(self.out) or ""))
  self.ended[#self.ended + 1] = cjson.decode(text)
end

-- Sends a signal, "KILL", "TERM" or "INT", and waits for the end.
function Host:finish(signal)
  assert(self:alive(), process.slurp(self.out))
  process.signal(self.pid, signal)
  self:until_gone(signal ~= "KILL")
end

-- `by_itself`: it leaves its counters.
function Host:until_gone(by_itself)
  process.wait_gone({ self.pid }, nats.patience)
  self.pid = nil -- it may become another's
  if by_itself then
    take_stats(self)
  end
end

-- One that nobody waits for.
function Host:remove()
  if self:alive() then
    process.signal(self.pid, "KILL")
    process.wait_gone({ self.pid }, nats.patience)
  end
end

-- Records that the bus took of processes that ended by themselves.
function Host:delivered()
  local sum = 0
  for _, stats in ipairs(self.ended) do
    sum = sum + stats.delivered
  end
  return sum
end

-- Calls `visit("t" or "a", key)` for each line of its book.
function Host:read_book(visit)
  for line in io.lines(self.path .. "/book") do
    local mark, key = line:match "^([ta]) (k=%S+=)$"
    if mark then -- the last line of one that was killed may be torn
      visit(mark, key)
    end
  end
end

return Host
