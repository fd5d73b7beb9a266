-- For wrk: posts single events as mixpanel-browser does to a host that is not
-- Mixpanel's: a form with base64. Each is another event, of 2000. With an
-- argument, a connection pauses so many ms at most before each request.
local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local EVENT = '{"event":"Page","properties":{"$os":"Linux","$browser":"Chrome",'
  .. '"$browser_version":140,"$current_url":"https://www.example.com/%s/%d?utm_source=mail",'
  .. '"$screen_height":1080,"$screen_width":1920,"mp_lib":"web","$lib_version":"2.83.0",'
  .. '"$insert_id":"%016x","time":%d.%03d,"distinct_id":"$device:%08x-0000-4000-8000-%012x",'
  .. '"$device_id":"%08x","$initial_referrer":"$direct","$initial_referring_domain":"$direct",'
  .. '"token":"projecttoken"}}'

local function base64(text)
  text = text .. (" "):rep(-#text % 3)
  return (
    text:gsub("...", function(three)
      local a, b, c = three:byte(1, 3)
      local n = a * 65536 + b * 256 + c
      local out = ""
      for shift = 18, 0, -6 do
        local i = math.floor(n / 2 ^ shift) % 64 + 1
        out = out .. ALPHABET:sub(i, i)
      end
      return out
    end)
  )
end

local requests, next_one = {}, 0

function init(args) -- luacheck: ignore
  math.randomseed(os.time())
  local pause = tonumber(args[1])
  if pause then
    function delay() -- luacheck: ignore
      return math.random(0, pause)
    end
  end
  local function random()
    return math.random(0, 2 ^ 31 - 1)
  end
  for i = 1, 2000 do
    local page = ({ "shop", "blog", "help", "account" })[i % 4 + 1]
    local id = random()
    local event = EVENT:format(page, i, random(), os.time(), i % 1000, id, random(), id)
    local data = base64(event):gsub("+", "%%2B"):gsub("/", "%%2F")
    requests[i] = wrk.format("POST", "/track/?verbose=1&ip=1&_=1", { -- luacheck: ignore
      ["Content-Type"] = "application/x-www-form-urlencoded",
    }, "data=" .. data)
  end
end

function request() -- luacheck: ignore
  next_one = next_one % #requests + 1
  return requests[next_one]
end
