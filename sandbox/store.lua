-- What the sandbox received and what it was told to do, in the memory of its
-- one worker.
local store = {}

local function random_id()
  local file = assert(io.open("/dev/urandom", "rb"))
  local bytes = file:read(16)
  file:close()
  return (bytes:gsub(".", function(char)
    return ("%02x"):format(char:byte())
  end))
end

store.token = random_id() -- that a change from the page must carry
store.script_version = 0 -- grows with each change of the script

function store.forget_requests()
  store.epoch = random_id() -- within which the numbers of requests hold
  store.requests = {} -- in order of arrival
  store.records = {} -- path -> the raw text of each accepted body, in order
end

function store.set_script(replies)
  store.script = replies -- to come
  store.script_version = store.script_version + 1
end

function store.reset()
  store.forget_requests()
  store.set_script {}
  store.flags = '{"flags":[]}' -- the text of /flags/definitions
  store.config = { simplified = false, accounts = {}, tokens = nil }
end

store.reset()

local function fits(reply, path, body)
  return (not reply.endpoint or reply.endpoint == path)
    and (not reply.match or body:find(reply.match, 1, true) ~= nil)
    and #body >= (reply.min_bytes or 0)
    and (not reply.chance or math.random() < reply.chance)
end

-- The first scripted reply for this request, used up once its count is.
function store.scripted(path, body)
  for i, reply in ipairs(store.script) do
    if fits(reply, path, body) then
      store.script_version = store.script_version + 1
      local times = reply.times or 1
      if times == 1 then
        table.remove(store.script, i)
      elseif times > 1 then
        reply.times = times - 1
      end
      return reply
    end
  end
end

return store
