-- Links to servers of NATS, and what comes on them.
local cjson = require "cjson"
local link_module = require "mixpanel.nats"
local nats = require "spec.support.nats"

local links = { STREAM = "MIXPANEL", CONSUMER = "C" }

function links.open(servers, credentials)
  return assert(link_module.open { servers = servers.urls, credentials = credentials })
end

-- The next event that `wanted` is true of; those before it are dropped.
function links.event(link, wanted)
  return nats.until_done("an event", function()
    for _, event in ipairs(assert(link:wait(0.02))) do
      if wanted(event) then
        return event
      end
    end
  end)
end

-- The same number of deliveries, in their order.
function links.deliveries(link, count)
  local list = {}
  nats.until_done("deliveries", function()
    for _, event in ipairs(assert(link:wait(0.02))) do
      assert(not event.lost, "the connection was lost")
      if event.body and not event.id then
        list[#list + 1] = event
      end
    end
    return #list >= count, #list
  end)
  assert(#list == count)
  return list
end

-- The answers to requests that are under way together, in any order: by id.
function links.answers(link, ids)
  local answers = {}
  nats.until_done("answers", function()
    for _, event in ipairs(assert(link:wait(0.02))) do
      answers[event.id or ""] = event
    end
    for _, id in ipairs(ids) do
      if not answers[id] then
        return nil, id
      end
    end
    return true
  end)
  return answers
end

function links.answer(link, id)
  return links.event(link, function(event)
    return event.id == id
  end)
end

function links.ask(link, subject, body, headers, timeout)
  return links.answer(link, assert(link:request(subject, body, headers, timeout or nats.patience)))
end

-- A request of JetStream's, and its answer as a table.
function links.api(link, name, request)
  local answer = links.ask(link, "$JS.API." .. name, request and cjson.encode(request) or "")
  assert(answer.status == 200, answer.text)
  local value = cjson.decode(answer.body)
  assert(not value.error, answer.body)
  return value
end

-- A stream of mp.> with a consumer.
function links.create(link, settings)
  local config = { durable_name = links.CONSUMER, ack_policy = "explicit", deliver_policy = "all" }
  for name, value in pairs(settings or {}) do
    config[name] = value
  end
  links.api(link, "STREAM.CREATE." .. links.STREAM, {
    name = links.STREAM,
    subjects = { "mp.>" },
    storage = "file",
  })
  links.api(link, ("CONSUMER.DURABLE.CREATE.%s.%s"):format(links.STREAM, links.CONSUMER), {
    stream_name = links.STREAM,
    config = config,
  })
end

function links.pull(link, request)
  return link:pull(
    ("$JS.API.CONSUMER.MSG.NEXT.%s.%s"):format(links.STREAM, links.CONSUMER),
    cjson.encode(request)
  )
end

-- How many messages the consumer waits for acknowledgements of, and has still to
-- deliver.
function links.pending(link)
  local info = links.api(link, ("CONSUMER.INFO.%s.%s"):format(links.STREAM, links.CONSUMER))
  return info.num_ack_pending, info.num_pending
end

return links
