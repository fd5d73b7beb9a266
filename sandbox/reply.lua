-- Replies, also bad ones.
local cjson = require "cjson.safe"

local reply = {}

-- A table goes as JSON, a text as it is.
function reply.send(status, value)
  local text = type(value) == "table" and cjson.encode(value) or tostring(value)
  ngx.status = status
  ngx.header["Content-Type"] = type(value) == "table" and "application/json" or "text/plain"
  ngx.header["Content-Length"] = #text
  ngx.print(text)
  return ngx.exit(ngx.HTTP_OK)
end

local function hang_up()
  return ngx.exit(444) -- nginx closes the connection and says nothing
end

-- The first half of the reply, promised whole.
local function break_off(text)
  ngx.header["Content-Length"] = math.max(#text, 2)
  ngx.print(text:sub(1, math.floor(#text / 2)))
  ngx.flush(true)
  return hang_up()
end

local function drip(text, bytes_per_second)
  ngx.header["Content-Length"] = #text
  for i = 1, #text do
    ngx.print(text:sub(i, i))
    ngx.flush(true)
    ngx.sleep(1 / bytes_per_second)
  end
end

local function scripted_text(seen, scripted)
  local text = scripted.body
  if type(text) == "table" then
    return cjson.encode(text)
  elseif text ~= nil then
    return text
  elseif scripted.status ~= nil and scripted.status ~= 200 then
    return cjson.encode { error = "scripted", status = "error" }
  end
  return type(seen.reply) == "table" and cjson.encode(seen.reply) or tostring(seen.reply or "")
end

-- Answers as it was told to: see README.md. What it is going to do is noted in
-- `seen` before anybody waits.
function reply.scripted(seen, scripted)
  local silent = scripted.close == "before" or scripted.close == "after"
  seen.scripted, seen.close = true, scripted.close
  if not silent then
    seen.status, seen.reply = scripted.status or 200, scripted_text(seen, scripted)
  end
  if scripted.delay_ms and scripted.close ~= "before" then
    ngx.sleep(scripted.delay_ms / 1000)
  end
  if silent then
    return hang_up()
  end
  ngx.status = seen.status
  for name, value in pairs(scripted.headers or {}) do
    ngx.header[name] = value
  end
  if scripted.close == "mid" then
    return break_off(seen.reply)
  elseif scripted.drip then
    return drip(seen.reply, scripted.drip.bytes_per_second)
  end
  ngx.header["Content-Length"] = #seen.reply
  ngx.print(seen.reply)
end

return reply
