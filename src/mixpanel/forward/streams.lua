-- The streams that the forwarder needs, how it makes them, and what is wrong with
-- one that somebody else made.
local JetStream = require "mixpanel.forward.jetstream"
local Lease = require "mixpanel.forward.lease"

local streams = {}

streams.RECORDS = "MIXPANEL"
streams.DEAD = "MIXPANEL_DEAD"

local S = 1000000000 -- nanoseconds

-- Why `discard new`: a full stream refuses, and hosts keep their records, where
-- `old` would drop what nobody has read. Why `limits`: `interest` keeps nothing
-- while no consumer is there, `workqueue` permits one reader.
local function settings(options)
  return {
    {
      name = streams.RECORDS,
      subjects = { "mp.>" },
      retention = "limits",
      discard = "new",
      storage = "file",
      num_replicas = options.replicas,
      max_age = options.max_age * S,
      max_bytes = options.max_bytes,
      duplicate_window = 600 * S,
    },
    {
      name = streams.DEAD,
      subjects = { "mp-dead.>" },
      retention = "limits",
      discard = "new",
      storage = "file",
      num_replicas = options.replicas,
      max_bytes = math.floor(options.max_bytes / 10),
      allow_direct = true,
      duplicate_window = 600 * S,
    },
    {
      name = Lease.STREAM,
      subjects = { ("$KV.%s.>"):format(Lease.BUCKET) },
      retention = "limits",
      discard = "new",
      storage = "file",
      num_replicas = options.replicas,
      max_msgs_per_subject = 1,
      allow_rollup_hdrs = true,
      allow_direct = true,
      deny_delete = true,
    },
  }
end

-- Codes of errors that an option mends.
local HINTS = {
  [10074] = "--replicas says how many servers hold each message",
  [10005] = "--replicas says how many servers hold each message",
  [10047] = "--max-gigabytes says how much the stream may hold",
}

function streams.missing(name)
  return ("there is no stream %s: `mixpanel forward --create` makes it"):format(name)
end

local function fault_of(name, config)
  if config.retention ~= "limits" then
    return ("its retention is %s: expected limits"):format(config.retention)
  elseif name ~= Lease.STREAM and config.storage ~= "file" then
    return "it is kept in memory, and gone when its servers end: expected storage file"
  elseif name ~= Lease.STREAM and config.discard ~= "new" then
    return "it discards old messages when it is full, unread ones too: expected discard new"
  elseif
    name ~= Lease.STREAM
    and (config.max_msgs_per_subject or -1) > 0
    and not config.discard_new_per_subject
  then
    return (
      "it keeps %.0f messages of a subject and discards older ones, unread ones too: expected"
      .. " no max_msgs_per_subject"
    ):format(config.max_msgs_per_subject)
  elseif name == Lease.STREAM and config.max_age ~= 0 then
    return ("its keys live %.0f seconds: expected for ever"):format(config.max_age / S)
  elseif name ~= streams.RECORDS and not config.allow_direct then
    return "expected allow_direct"
  elseif config.sealed or config.no_ack then
    return "it is sealed, or acknowledges nothing"
  end
end

local function check_fault(name, config)
  local fault = fault_of(name, config)
  if fault then
    return false, ("stream %s: %s"):format(name, fault)
  end
  return true
end

-- In a task: makes one if it is not there. Returns what was done, a line; or as `create`.
local function provide(js, stream)
  local found, why, code = js:api("STREAM.INFO." .. stream.name)
  if found then
    local ok, fault = check_fault(stream.name, found.config)
    return ok and ("%s is there, and stays as it is"):format(stream.name), fault
  elseif code ~= JetStream.NO_STREAM then
    return nil, why, code
  end
  found, why, code = js:api("STREAM.CREATE." .. stream.name, stream)
  if not found then
    local hint = HINTS[code] and ": " .. HINTS[code] or ""
    return nil, ("%s: %s%s"):format(stream.name, why, hint), code
  end
  return ("%s made, on %d of the servers"):format(stream.name, stream.num_replicas)
end

-- In a task: makes those that are not there. Returns what was done, a line for
-- each; false and what people must mend; or nil, why and a code. `options`: replicas,
-- max_age in seconds, max_bytes.
function streams.create(js, options)
  local done = {}
  for i, stream in ipairs(settings(options)) do
    local line, why, code = provide(js, stream)
    if not line then
      return line, why, code
    end
    done[i] = line
  end
  return done
end

-- In a task: true if all are there and as they must be; else as `create`.
function streams.check(js)
  for _, name in ipairs { streams.RECORDS, streams.DEAD, Lease.STREAM } do
    local found, why, code = js:api("STREAM.INFO." .. name)
    if code == JetStream.NO_STREAM then
      return nil, streams.missing(name), code
    elseif not found then
      return nil, why, code
    end
    local ok, fault = check_fault(name, found.config)
    if not ok then
      return false, fault
    end
  end
  return true
end

return streams
