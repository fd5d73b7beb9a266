-- Forwarders as processes of their own, between servers of NATS and a sandbox.
--
--     local fleet = forward.new(servers, sandbox)
--     fleet:create()                       -- the streams
--     fleet:projects { { token = "t" } }   -- their api_host is the sandbox's
--     local forwarder = fleet:start()
--     ... fleet:settle()
--     fleet:remove()                       -- with all that still runs
local cjson = require "cjson"
local cli = require "spec.support.cli"
local client = require "spec.support.nats_client"
local mime = require "mime"
local mixpanel = require "mixpanel"
local nats = require "spec.support.nats"
local process = require "spec.support.process"

local Fleet, Forwarder = {}, {}
Fleet.__index, Forwarder.__index = Fleet, Forwarder

local forward = { STREAMS = { "MIXPANEL", "MIXPANEL_DEAD", "KV_mixpanel_lease" } }

function forward.new(servers, sandbox)
  local self = { servers = servers, sandbox = sandbox, dir = cli.folder(), forwarders = {} }
  return setmetatable(self, Fleet)
end

-- ---- the command line ----

-- What a command that ends printed, complained of, and its exit status. `arguments`
-- come after where the bus is.
function Fleet:run(command, arguments)
  local words = {}
  for word in command:gmatch "%S+" do
    words[#words + 1] = word
  end
  words[#words + 1] = "--bus"
  words[#words + 1] = table.concat(self.servers.urls, ",")
  for _, argument in ipairs(arguments or {}) do
    words[#words + 1] = argument
  end
  return cli.run(words)
end

function Fleet:create()
  local printed, complaints, status = self:run(
    "forward",
    { "--create", "--replicas", tostring(#self.servers.nodes), "--max-gigabytes", "0.1" }
  )
  assert(status == 0, complaints)
  return printed
end

-- A connection of the spec's own to the first server. `seconds`: for one answer; who
-- would ask again for it says so, others wait with patience.
function Fleet:connect(seconds)
  local servers = self.servers
  return nats.until_done("a connection", function()
    return client.connect(
      servers.nodes[1].port,
      servers.user,
      servers.password,
      seconds or nats.patience
    )
  end)
end

-- Streams that are not there are no fault.
function Fleet:delete_streams()
  local asker = self:connect()
  for _, name in ipairs(forward.STREAMS) do
    local gone, why = asker:api("STREAM.DELETE." .. name)
    assert(gone or why:find "10059", why)
  end
  asker:close()
end

-- As if nothing had ever been on the bus.
function Fleet:create_anew()
  self:delete_streams()
  self:create()
end

-- A value of Lua as a text that reads as it.
local function literal(value)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local parts = {}
  for key, item in pairs(value) do
    parts[#parts + 1] = ("[%s] = %s"):format(literal(key), literal(item))
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

-- Writes the projects of the forwarders that are started from now on: a list, whose
-- entries go to the sandbox, or a text as it is. Returns the path.
function Fleet:projects(projects, name)
  self.projects_path = ("%s/%s"):format(self.dir, name or "projects.lua")
  if type(projects) == "table" then
    for _, entry in ipairs(projects) do
      entry.api_host = entry.api_host or self.sandbox.url
      entry.max_retry_delay = entry.max_retry_delay or 0.2
    end
    projects = "return " .. literal(projects)
  end
  os.remove(self.projects_path)
  cli.write(self.projects_path, projects)
  process.run("chmod 600 " .. self.projects_path)
  return self.projects_path
end

-- ---- forwarders ----

-- `options`: `arguments` besides the usual ones, `environment`, `before` (words of the
-- shell in front of the command), `unready` (do not wait until it forwards).
function Fleet:start(options)
  options = options or {}
  local number = #self.forwarders + 1
  local path = ("%s/forwarder%d"):format(self.dir, number)
  local words = {
    "forward",
    "--bus",
    options.bus or table.concat(self.servers.urls, ","),
    "--projects",
    self.projects_path,
    "--metrics",
    path .. ".prom",
  }
  for _, argument in ipairs(options.arguments or {}) do
    words[#words + 1] = argument
  end
  local pid = process.read(
    ("%s exec %s >%s.out 2>%s.err </dev/null & echo $!"):format(
      options.before or "",
      cli.command(words, options.environment),
      path,
      path
    )
  )
  local forwarder = setmetatable({ pid = tonumber(pid), path = path }, Forwarder)
  self.forwarders[number] = forwarder
  if not options.unready then
    forwarder:until_said "forwards"
  end
  return forwarder
end

-- All that it said so far.
function Forwarder:said()
  return process.slurp(self.path .. ".err") or ""
end

function Forwarder:printed()
  return process.slurp(self.path .. ".out") or ""
end

-- How often this stands in what it said; plain text.
function Forwarder:count_said(text)
  local count, from = 0, 1
  local said = self:said()
  while true do
    local first, last = said:find(text, from, true)
    if not first then
      return count
    end
    count, from = count + 1, last + 1
  end
end

-- Waits until it said this, a plain text.
function Forwarder:until_said(text)
  nats.until_done(text, function()
    local said = self:said()
    if said:find(text, 1, true) then
      return true
    end
    assert(process.alive(self.pid), "the forwarder ended: " .. said)
    return nil, said
  end)
end

function Forwarder:alive()
  return self.pid and process.alive(self.pid)
end

function Forwarder:signal(name)
  process.signal(self.pid, name)
end

-- Waits for its end; returns the seconds that this took.
function Forwarder:until_gone()
  local seconds = process.wait_gone({ self.pid }, nats.patience)
  self.pid = nil -- it may become another's
  return seconds
end

-- Tells it to stop, and returns the seconds until it had.
function Forwarder:stop()
  self:signal "TERM"
  return self:until_gone()
end

function Forwarder:kill()
  self:signal "KILL"
  self:until_gone()
end

function Forwarder:metrics_text()
  return process.slurp(self.path .. ".prom")
end

-- The metrics as they were last written: what stands in front of a value, labels and
-- all, is the key. An empty table: none are written yet.
function Forwarder:metrics()
  local values = {}
  for line in (self:metrics_text() or ""):gmatch "[^\n]+" do
    local name, value = line:match "^([^#].*) (%S+)$"
    if name then
      values[name] = tonumber(value)
    end
  end
  return values
end

-- The sum of each metric over all its labels.
function Forwarder:sums()
  local sums = {}
  for key, value in pairs(self:metrics()) do
    local name = key:match "^[^{]+"
    sums[name] = (sums[name] or 0) + value
  end
  return sums
end

function Forwarder:metric(name)
  return self:sums()[name]
end

-- Waits until a metric, or its sum over labels, has a value.
function Forwarder:until_metric(name, value)
  nats.until_done(name, function()
    local now = self:metric(name)
    return now == value, ("it is %s"):format(tostring(now))
  end)
end

-- ---- the bus ----

-- Each consumer there is: its name, num_pending, num_ack_pending, ack_floor.
function Fleet:consumers()
  local answer = self.servers:api("CONSUMER.LIST.MIXPANEL", { offset = 0 })
  local list = answer.consumers
  return list ~= cjson.null and list or {}
end

-- The number up to which a lane's messages are acknowledged, of the only project, once
-- the lane has a consumer: those of a new tenure, or of a stream that was made anew, are
-- made one after another. One that nobody has acknowledged to begins behind the number.
function Fleet:acknowledged(lane)
  return nats.until_done("a consumer", function()
    for _, info in ipairs(self:consumers()) do
      if info.name:match "%-(%l+)%-[ab]$" == lane then
        return math.max(info.ack_floor.stream_seq, (info.config.opt_start_seq or 1) - 1)
      end
    end
  end)
end

function Fleet:until_acknowledged(lane, number)
  nats.until_done("an acknowledgement", function()
    return self:acknowledged(lane) == number, self:acknowledged(lane)
  end)
end

-- Waits until every message has an outcome and is acknowledged: `count`, how many
-- consumers there are, is 5 for each project that a forwarder has.
function Fleet:settle(count)
  nats.until_done("acknowledgements", function()
    local list = self:consumers()
    if #list ~= (count or 5) then
      return nil, #list .. " consumers"
    end
    for _, info in ipairs(list) do
      if info.num_pending > 0 or info.num_ack_pending > 0 then
        return nil, cjson.encode(info)
      end
    end
    return true
  end)
end

-- Waits until the stream of records is empty.
function Fleet:until_empty()
  nats.until_done("an empty stream", function()
    return self.servers:count() == 0
  end)
end

-- What the forwarder that has a project wrote about itself; nothing, and why: nobody
-- has it, or no answer came, so that one asks again.
function Fleet:lease(token)
  local subject = mixpanel.bus_subject(token):gsub("^mp%.", "$KV.mixpanel_lease.")
  local asker = self:connect(client.ANSWER_S)
  local answer, why = asker:api("STREAM.MSG.GET.KV_mixpanel_lease", { last_by_subj = subject })
  asker:close()
  if not answer then
    return nil, why
  end
  return (mime.unb64(answer.message.data))
end

-- Waits until the lease tells of these lanes what is to be known: `is_so(memory, lane)`.
function Fleet:until_told(token, lanes, is_so)
  nats.until_done("a lease that tells of it", function()
    local value, why = self:lease(token)
    local memory = value and cjson.decode(value).memory or {}
    for _, lane in ipairs(lanes) do
      if not memory[lane] or not is_so(memory[lane], lane) then
        return nil, value or why
      end
    end
    return true
  end)
end

-- Waits until who had a project has given it back.
function Fleet:until_given_back(token)
  nats.until_done("the end of a lease", function()
    local value, why = self:lease(token)
    return value and not cjson.decode(value).owner, value or why
  end)
end

-- What the stream of dead letters has: subject, headers, body of each.
function Fleet:dead()
  return self.servers:messages "MIXPANEL_DEAD"
end

function Fleet:until_dead(count)
  return nats.until_done("dead letters", function()
    local list = self:dead()
    return #list >= count and list, ("%d of %d"):format(#list, count)
  end)
end

-- Puts a message on the bus, as it is. Returns its number.
function Fleet:put(subject, body, headers)
  local asker = self:connect()
  local stored = cjson.decode(assert(asker:request(subject, body, headers)))
  asker:close()
  return assert(stored.seq, stored.error and stored.error.description)
end

-- ---- what arrived ----

-- Waits until the sandbox has accepted so many records at an endpoint.
function Fleet:until_arrived(endpoint, count)
  return nats.until_done(endpoint, function()
    local records = self.sandbox:records(endpoint)
    return #records >= count and records, ("%d of %d"):format(#records, count)
  end)
end

-- Ends what runs; the rest of the fleet stays.
function Fleet:stop()
  for _, forwarder in ipairs(self.forwarders) do
    if forwarder.pid and process.alive(forwarder.pid) then
      forwarder:signal "CONT"
      forwarder:kill()
    end
  end
  self.forwarders = {}
end

function Fleet:remove()
  self:stop()
  process.run("rm -rf " .. self.dir)
end

return forward
