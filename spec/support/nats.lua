-- Servers of NATS, on loopback, in a directory that is removed with them.
--
-- NATS_SERVER names the program, NATS_DIR a directory whose *.pid whoever
-- started the specs ends, should they not come to it.
local cjson = require "cjson"
local client = require "spec.support.nats_client"
local http = require "socket.http"
local mixpanel = require "mixpanel"
local process = require "spec.support.process"
local script = require "spec.support.script"
local socket = require "socket"

local Servers = {}
Servers.__index = Servers

local PATIENCE_S = 120 -- for anything, on a machine that has much else to do
local STREAM = "MIXPANEL"

local program = os.getenv "NATS_SERVER"
local home = os.getenv "NATS_DIR"

local nats = { drivers = ("./%s/?.so"):format(script.build), patience = PATIENCE_S }

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

nats.write = write

-- Waits with patience for what may fail at first.
function nats.until_done(what, attempt)
  local deadline = socket.gettime() + PATIENCE_S
  while true do
    local value, why = attempt()
    if value then
      return value
    end
    assert(socket.gettime() < deadline, ("waited in vain: %s: %s"):format(what, tostring(why)))
    socket.sleep(0.02)
  end
end

-- ---- processes ----

local function configure(self, node)
  local routes = {}
  for _, other in ipairs(self.nodes) do
    routes[#routes + 1] = ('"nats://127.0.0.1:%d"'):format(other.cluster_port)
  end
  local cluster = #self.nodes > 1
      and ('cluster { name: "spec", listen: "127.0.0.1:%d", routes: [%s] }'):format(
        node.cluster_port,
        table.concat(routes, ", ")
      )
    or ""
  write(
    node.path .. ".conf",
    ([[
      server_name: "%s"
      listen: "127.0.0.1:%d"
      http: "127.0.0.1:%d"
      pid_file: "%s.pid"
      jetstream { store_dir: "%s.store", max_memory_store: 16MB, max_file_store: 256MB }
      %s
      %s
    ]]):format(node.name, node.port, node.http_port, node.path, node.path, cluster, self.more)
  )
end

local function launch(node)
  local pid = process.read(
    ("exec %s -c %s.conf >>%s.log 2>&1 </dev/null & echo $!"):format(program, node.path, node.path)
  )
  node.pid = tonumber(pid)
end

local function listens(port)
  local connection = socket.connect("127.0.0.1", port)
  return connection and connection:close()
end

-- True once it serves clients, which comes last; false if it ended, as when its
-- port was taken.
local function comes_up(node)
  return nats.until_done("a server", function()
    if not process.alive(node.pid) then
      return "ended"
    end
    local text = http.request(("http://127.0.0.1:%d/varz"):format(node.http_port))
    return text and text:find '"server_name"' and listens(node.port) and "up"
  end) == "up"
end

-- Some at once, or one might be given twice.
local function free_ports(count)
  local taken, ports = {}, {}
  for i = 1, count do
    taken[i] = assert(socket.bind("127.0.0.1", 0))
    ports[i] = tonumber((select(2, taken[i]:getsockname())))
  end
  for _, listener in ipairs(taken) do
    listener:close()
  end
  return ports
end

local function try(count, more)
  local dir = process.read(("mktemp -d %s/XXXXXX"):format(home))
  local self = setmetatable({ dir = dir, nodes = {}, more = more }, Servers)
  local ports = free_ports(3 * count)
  for i = 1, count do
    self.nodes[i] = {
      name = "n" .. i,
      path = dir .. "/n" .. i,
      port = table.remove(ports),
      http_port = table.remove(ports),
      cluster_port = table.remove(ports),
    }
  end
  self.urls = {}
  for i, node in ipairs(self.nodes) do
    configure(self, node)
    launch(node)
    self.urls[i] = "nats://127.0.0.1:" .. node.port
  end
  for _, node in ipairs(self.nodes) do
    if not comes_up(node) then
      local log = process.slurp(node.path .. ".log")
      self:stop()
      return nil, log
    end
  end
  return self
end

-- `more` is appended to the configuration of each.
function nats.start(count, more)
  local why
  assert(program and home, "run by .ci/suites/nats")
  for _ = 1, 5 do -- another process may have taken a port meanwhile
    local self
    self, why = try(count or 1, more or "")
    if self then
      return self
    end
  end
  error(why)
end

-- Gives the only server another configuration from now on.
function Servers:reconfigure(more)
  self.more = more
  configure(self, self.nodes[1])
  process.signal(self.nodes[1].pid, "HUP")
end

function nats.kill(node)
  process.signal(node.pid, "KILL")
  process.wait_gone({ node.pid }, PATIENCE_S)
  node.pid = nil -- it may become another's
end

-- Who tries to reach it meanwhile may have its port for a moment: a connection to a
-- port that nobody listens on can come from that same port.
function nats.revive(node)
  nats.until_done("a server that comes back", function()
    launch(node)
    return comes_up(node)
  end)
end

-- Ends the only server, and starts it with another configuration.
function Servers:restart(more)
  nats.kill(self.nodes[1])
  self.more = more
  configure(self, self.nodes[1])
  nats.revive(self.nodes[1])
end

function Servers:stop()
  for _, node in ipairs(self.nodes) do
    if node.pid and process.alive(node.pid) then
      nats.kill(node)
    end
  end
  process.run("rm -rf " .. self.dir)
end

-- ---- what they hold ----

-- Codes of errors: no such stream, consumer, message.
local GONE = { ["10059"] = true, ["10014"] = true, ["10043"] = true, ["10057"] = true }

-- Asks any of them until one answers. What one deleted whose answer was lost is gone for
-- the next.
function Servers:api(name, request)
  local unanswered = false
  return nats.until_done("an answer to " .. name, function()
    local why
    for _, node in ipairs(self.nodes) do
      local asker, answer
      asker, why = client.connect(node.port, self.user, self.password)
      if asker then
        answer, why = asker:api(name, request)
        asker:close()
        local code = not answer and why:match "%((%d+)%)$"
        if unanswered and GONE[code] and name:find("DELETE.", 1, true) then
          return { success = true }
        end
        unanswered = unanswered or not (answer or code or why == "no responders")
      end
      if answer then
        return answer
      end
    end
    return nil, why
  end)
end

function Servers:create_stream(settings)
  local stream = {
    name = STREAM,
    subjects = { "mp.>" },
    retention = "limits",
    discard = "new",
    storage = "file",
    num_replicas = #self.nodes,
    max_bytes = -1,
    max_msgs = -1,
    max_age = 0,
    max_consumers = -1,
    duplicate_window = 600 * 1000000000,
  }
  for name, value in pairs(settings or {}) do
    stream[name] = value
  end
  return self:api("STREAM.CREATE." .. stream.name, stream)
end

function Servers:purge()
  self:api("STREAM.PURGE." .. STREAM)
end

function Servers:count()
  return self:api("STREAM.INFO." .. STREAM).state.messages
end

function Servers:node_named(name)
  for _, node in ipairs(self.nodes) do
    if node.name == name then
      return node
    end
  end
end

function Servers:leader()
  return nats.until_done("a leader", function()
    local info = self:api("STREAM.INFO." .. STREAM)
    return info.cluster and self:node_named(info.cluster.leader)
  end)
end

-- Waits until each of them has what the leader has: only then can another fail.
function Servers:catch_up()
  nats.until_done("replicas that are current", function()
    local cluster = self:api("STREAM.INFO." .. STREAM).cluster
    local current = 0
    for _, replica in ipairs(cluster and cluster.leader and cluster.replicas or {}) do
      if replica.current and not replica.offline and (replica.lag or 0) == 0 then
        current = current + 1
      end
    end
    return current == #self.nodes - 1, current .. " are"
  end)
end

-- Waits until each of them holds all messages. A replica that calls itself current
-- can lack some, which nobody notices before it is the leader.
function Servers:agree()
  nats.until_done("replicas that are alike", function()
    local counts = {}
    for i, node in ipairs(self.nodes) do
      local text =
        http.request(("http://127.0.0.1:%d/jsz?accounts=true&streams=true"):format(node.http_port))
      local state = (text or ""):match '"state": (%b{})' or ""
      counts[i] = state:match '"messages": (%d+)' or "none"
    end
    local all = ("%d"):format(self:count())
    for _, count in ipairs(counts) do
      if count ~= all then
        return nil, ("%s messages, of them %s"):format(all, table.concat(counts, ", "))
      end
    end
    return true
  end)
end

-- The node to which the driver is connected; nothing: to none. One that is stopped
-- cannot be asked, and is left out.
function Servers:node_of_driver(stopped)
  for _, node in ipairs(self.nodes) do
    local text = node ~= stopped
      and http.request(("http://127.0.0.1:%d/connz"):format(node.http_port))
    if text and text:find '"name": "mixpanel%-lua"' then
      return node
    end
  end
end

-- Calls `visit` for each message, in the order of the stream.
function Servers:each_message(stream, visit)
  stream = stream or STREAM
  local state = self:api("STREAM.INFO." .. stream).state
  local asker
  for number = state.first_seq, state.messages > 0 and state.last_seq or -1 do
    local message = nats.until_done("message " .. number, function()
      for _, node in ipairs(self.nodes) do
        asker = asker or client.connect(node.port, self.user, self.password)
        local found, why = nil, "no server"
        if asker then
          found, why = asker:message(stream, number)
        end
        if found or why:find "10037" then
          return found or "gone"
        end
        if asker then
          asker:close()
        end
        asker = nil
      end
    end)
    if message ~= "gone" then
      visit(message)
    end
  end
  if asker then
    asker:close()
  end
end

-- All of them.
function Servers:messages(stream)
  local list = {}
  self:each_message(stream, function(message)
    list[#list + 1] = message
  end)
  return list
end

-- What these bodies hold, one behind the other: what several gzip streams hold is one
-- text.
function nats.text(bodies)
  if #bodies == 0 then
    return ""
  end
  local path = os.tmpname()
  write(path, table.concat(bodies))
  local text = process.read("gzip -dc < " .. path)
  os.remove(path)
  return text
end

-- The records of a message, or of a list of them. No record of the specs has "][" in
-- it.
function nats.records(messages)
  local bodies = { messages.body }
  for i, message in ipairs(messages) do
    bodies[i] = message.body
  end
  return cjson.decode((nats.text(bodies):gsub("%]%[", ",")))
end

-- The records of all messages, of which none is there twice.
function Servers:records_once()
  local names, messages = {}, self:messages()
  for _, message in ipairs(messages) do
    local name = message.headers["Nats-Msg-Id"]
    assert(not names[name], name)
    names[name] = true
  end
  return nats.records(messages)
end

-- ---- clients ----

-- How many of its records wait: of one look, as they may leave between two.
function nats.waiting(mp)
  local s = mp:stats()
  return s.queued + s.in_flight
end

function Servers:client(options, token)
  options = options or {}
  options.transport = "nats"
  options.bus = options.bus or {}
  options.bus.servers = options.bus.servers or self.urls
  options.max_retry_delay = options.max_retry_delay or 0.1
  options.flush_interval = options.flush_interval or 0.02
  return mixpanel.new(token or "projecttoken", options)
end

-- Records that wait are sent until none is left.
function nats.drain(mp)
  return nats.until_done("delivery", function()
    mp:flush(1)
    local s = mp:stats()
    return s.queued + s.in_flight + (s.spooled or 0) == 0, s.last_error
  end)
end

return nats
