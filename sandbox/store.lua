-- What the sandbox received and what it was told to do, in the memory of its
-- one worker.
local store = {}

function store.reset()
  store.requests = {} -- in order of arrival
  store.records = {} -- path -> the raw text of each accepted body, in order
  store.script = {} -- replies to come
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
