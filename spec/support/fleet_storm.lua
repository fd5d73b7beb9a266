-- For specs in which servers of NATS and forwarders die while a fleet works: what there
-- is to know before the next one may.
local forward = require "spec.support.forward"
local http = require "socket.http"

local storm = {}

local function has_replicas(servers, name)
  local cluster = servers:api("STREAM.INFO." .. name).cluster
  local current = 0
  for _, replica in ipairs(cluster and cluster.leader and cluster.replicas or {}) do
    current = current
      + (replica.current and not replica.offline and (replica.lag or 0) == 0 and 1 or 0)
  end
  return current == #servers.nodes - 1
end

local function is_healthy(node)
  local text = http.request(("http://127.0.0.1:%d/healthz"):format(node.http_port))
  -- NATS 2.9 says of some consumers for ever that they are not current.
  return text and (text:find '"ok"' or text:find "consumer"), tostring(text)
end

-- Only when all servers have what there is may another fail. False, and why: not yet.
function storm.is_caught_up(servers, fleet)
  for _, name in ipairs(forward.STREAMS) do
    if not has_replicas(servers, name) then
      return false, "replicas of " .. name
    end
  end
  for _, node in ipairs(servers.nodes) do
    local healthy, why = is_healthy(node)
    if not healthy then
      return false, why
    end
  end
  for _, consumer in ipairs(#servers.nodes > 1 and fleet:consumers() or {}) do
    if not (consumer.cluster and consumer.cluster.leader) then
      return false, "the leader of " .. consumer.name
    end
  end
  return true
end

function storm.leader_of(servers, stream)
  local cluster = servers:api("STREAM.INFO." .. stream).cluster
  return servers:node_named(cluster and cluster.leader or "") or servers.nodes[1]
end

-- The one that forwards: the last that said so.
function storm.owner(forwarders)
  local latest, found = "", forwarders[1]
  for _, forwarder in ipairs(forwarders) do
    for time in forwarder:said():gmatch "(%S+) project %x+: forwards" do
      if time >= latest then
        latest, found = time, forwarder
      end
    end
  end
  return found
end

-- All that forwarders said.
function storm.tellings(fleet)
  local parts = {}
  for i, forwarder in ipairs(fleet.forwarders) do
    parts[i] = ("forwarder %d:\n%s"):format(i, forwarder:said())
  end
  return table.concat(parts)
end

return storm
