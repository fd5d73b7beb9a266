-- The control API under /sandbox/: reads back what arrived and scripts what
-- is answered. See README.md.
local cjson = require "cjson.safe"
local guard = require "guard"
local live = require "live"
local reply = require "reply"
local store = require "store"
local view = require "view"

local control = {}

local function read_json()
  ngx.req.read_body()
  local value = cjson.decode(ngx.req.get_body_data() or "")
  return type(value) == "table" and value or nil
end

-- cjson writes an empty table as {}; a list of nothing is [].
local function send_list(list)
  return reply.send(200, #list > 0 and cjson.encode(list) or "[]")
end

local routes = {}

routes["GET /health"] = function()
  return reply.send(200, { status = "OK", requests = #store.requests })
end

routes["POST /reset"] = function()
  store.reset()
  collectgarbage()
  return reply.send(200, { status = "OK" })
end

routes["GET /requests"] = function()
  local query = ngx.req.get_uri_args()
  local from, limit = tonumber(query.from) or 1, tonumber(query.limit) or math.huge
  local list = {}
  for n = from, math.min(#store.requests, from + limit - 1) do
    local seen = store.requests[n]
    if query.body == "0" then
      local brief = {}
      for key, value in pairs(seen) do
        brief[key] = value
      end
      brief.body = nil
      seen = brief
    end
    list[#list + 1] = seen
  end
  return send_list(list)
end

routes["DELETE /requests"] = function()
  store.forget_requests()
  collectgarbage()
  return reply.send(200, { status = "OK" })
end

-- What the page shows of a record that somebody chose.
routes["GET /record"] = function()
  local query = ngx.req.get_uri_args()
  local seen = store.requests[tonumber(query.n)]
  local shown = seen and view.record(seen, tonumber(query.i))
  if not shown then
    return reply.send(404, { error = "no such record: it may have been cleared" })
  end
  return reply.send(200, shown)
end

routes["GET /live"] = live.feed
routes["GET /live.js"] = live.script
routes["GET /live.css"] = live.style
routes["GET /icon.svg"] = live.icon

-- The bodies whose records were accepted are sent as they came, so that no
-- number loses a digit on the way through a decoder.
routes["GET /records"] = function()
  local texts = {}
  for _, kept in ipairs(store.records[ngx.req.get_uri_args().endpoint] or {}) do
    texts[#texts + 1] = ('{"failed":%s,"body":%s}'):format(
      kept.failed and #kept.failed > 0 and cjson.encode(kept.failed) or "[]",
      kept.body
    )
  end
  return reply.send(200, "[" .. table.concat(texts, ",") .. "]")
end

routes["GET /script"] = function()
  return send_list(store.script)
end

routes["POST /script"] = function()
  local value, script = read_json(), {}
  for i, scripted in ipairs(store.script) do
    script[i] = scripted
  end
  for _, scripted in ipairs(value and (#value > 0 and value or { value }) or { false }) do
    if type(scripted) ~= "table" then
      return reply.send(400, { error = "expected a scripted reply or a list of them" })
    end
    script[#script + 1] = scripted
  end
  store.set_script(script)
  return reply.send(200, { status = "OK", waiting = #store.script })
end

routes["DELETE /script"] = function()
  store.set_script {}
  return reply.send(200, { status = "OK" })
end

routes["POST /config"] = function()
  local value = read_json()
  if not value then
    return reply.send(400, { error = "expected an object" })
  end
  for key, setting in pairs(value) do
    store.config[key] = setting
  end
  if value.seed then
    math.randomseed(value.seed)
  end
  return reply.send(200, { status = "OK" })
end

-- The text stays as it came, with the order of its keys.
routes["POST /flags"] = function()
  ngx.req.read_body()
  local text = ngx.req.get_body_data() or ""
  local value = cjson.decode(text)
  if type(value) ~= "table" or type(value.flags) ~= "table" then
    return reply.send(400, { error = 'expected definitions of flags: {"flags": [...]}' })
  end
  store.flags = text
  return reply.send(200, { status = "OK" })
end

function control.handle()
  local status, why = guard.refuse()
  if status then
    return reply.send(status, { error = why })
  end
  local path = ngx.var.uri:gsub("^/sandbox", "")
  local route = routes[ngx.req.get_method() .. " " .. path]
  if not route then
    return reply.send(404, { error = "no such control: " .. ngx.req.get_method() .. " " .. path })
  end
  return route()
end

return control
