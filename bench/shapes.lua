-- The events that are measured: for each name a function that builds the
-- properties of the i-th event as a program would, a literal.
local shapes = {}

-- Ten flat properties: five strings, one with a letter beyond ASCII, two
-- integers, two floats, a boolean. With what the module adds and the option
-- `properties` below they become 17 fields.
shapes.common = { ["$os"] = "Linux" }

function shapes.typical(i)
  return {
    distinct_id = ("user-%08x"):format(i * 2654435761 % 4294967296),
    plan = "enterprise",
    city = "Zürich, Schweiz",
    referrer = "https://example.com/pricing?src=newsletter&from=campaign",
    screen = "checkout/payment",
    items = i % 7,
    level = i % 60,
    price = i % 20000 / 100,
    duration = i % 4096 / 8,
    trial = i % 2 == 0,
  }
end

-- The same with floats that take all their digits.
function shapes.precise(i)
  local properties = shapes.typical(i)
  properties.price = math.sqrt(i + 2)
  properties.duration = math.sqrt(i + 3) / 7
  return properties
end

local function flat(n)
  return function(i)
    local properties = { distinct_id = ("user-%08x"):format(i) }
    for k = 2, n do
      local name = ("property %d"):format(k)
      if k % 3 == 0 then
        properties[name] = i % 100 + k
      elseif k % 3 == 1 then
        properties[name] = "value number " .. k
      else
        properties[name] = k / 4
      end
    end
    return properties
  end
end

shapes.p1 = flat(1)
shapes.p10 = flat(10)
shapes.p50 = flat(50)
shapes.p200 = flat(200)

function shapes.nested(i)
  return {
    distinct_id = "user-1",
    cart = {
      items = {
        { sku = "A-100", price = 12.5, tags = { "new", "blue" } },
        { sku = "B-200", price = 7.25, tags = { "sale" } },
      },
      total = 19.75,
    },
    path = { "home", "search", "product", "checkout" },
    step = i % 9,
  }
end

-- Fifty properties, among them a nested one, text to escape and text that is
-- not ASCII.
function shapes.large(i)
  local properties = shapes.p50(i)
  properties["property 2"] = { id = i, tags = { "new", "blue" }, size = { w = 12.5, h = 7 } }
  properties["property 5"] = 'She said "go"\n'
  properties["property 8"] = "日本語のテキスト"
  return properties
end

function shapes.long(i)
  return { distinct_id = "user-1", text = ("All work and no play. "):rep(46), step = i % 9 }
end

function shapes.escaped(i)
  return {
    distinct_id = "user-1",
    quote = ('She said "go", C:\\dir\\file\n'):rep(4),
    step = i % 9,
  }
end

function shapes.unicode(i)
  return { distinct_id = "user-1", title = ("日本語のテキスト, "):rep(6), step = i % 9 }
end

-- 64-bit integers; where Lua has none, what it has instead.
function shapes.int64(i)
  return {
    distinct_id = "user-1",
    steam = 76561197960265728 + i,
    started = 1795460000123 + i,
    finished = 1795460012345 + i,
    a = 4503599627370496 + i,
    b = -4503599627370496 - i,
  }
end

-- The text of what mixpanel-browser posts for one event.
function shapes.browser(token, time)
  return (
    '{"event":"Page","properties":{"$os":"Linux","$browser":"Chrome","$browser_version":140,'
    .. '"$current_url":"https://www.example.com/shop/123?utm_source=mail",'
    .. '"$screen_height":1080,"$screen_width":1920,"mp_lib":"web","$lib_version":"2.83.0",'
    .. '"$insert_id":"esum3bvb1ztd7s0u","time":%d.123,'
    .. '"distinct_id":"$device:70376afd-af7d-4b67-8b7b-46181cbbd3c6",'
    .. '"$device_id":"70376afd-af7d-4b67-8b7b-46181cbbd3c6","$initial_referrer":"$direct",'
    .. '"$initial_referring_domain":"$direct","token":"%s"}}'
  ):format(time, token)
end

-- The whole event as lua-cjson would have to be given it.
function shapes.whole(properties, n)
  local event = {
    token = "a1b2c3d4e5f60718293a4b5c6d7e8f90",
    time = 1795460000123,
    ["$insert_id"] = ("%032x"):format(n),
    mp_lib = "lua",
    ["$lib_version"] = "0.1.0",
    ip = 0,
  }
  for _, t in ipairs { shapes.common, properties } do
    for name, value in pairs(t) do
      event[name] = value
    end
  end
  return { event = "Purchase Completed", properties = event }
end

return shapes
