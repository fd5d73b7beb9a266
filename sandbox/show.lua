-- Prints what a sandbox received:
--
--     lua5.4 sandbox/show.lua http://127.0.0.1:PORT [bold]
local cjson = require "cjson"
local http = require "socket.http"

local MOST = 10 -- records shown of one request
local WIDTH = 76 -- characters of a line
local LINES = 8 -- shown of one record

local bold = arg[2] == "bold" and "\27[1m%s\27[0m" or "%s"

local function fetch(url)
  local text, status = http.request(url .. "/sandbox/requests")
  assert(status == 200, "no sandbox answers at " .. url)
  return cjson.decode(text)
end

local function plural(n, noun)
  return ("%d %s%s"):format(n, noun, n == 1 and "" or "s")
end

-- Each record's own text: a body is one record a line.
local function record_texts(body)
  local texts = {}
  for line in body:gmatch "[^\n]+" do
    texts[#texts + 1] = line:gsub("^%[", ""):gsub("[,%]]$", "")
  end
  return texts
end

local function describe_auth(auth)
  if not auth then
    return "none: the records name their project"
  elseif auth.password == "" then
    return ('Basic, user name "%s" (the token), empty password'):format(auth.username)
  end
  return ('Basic, service account "%s"'):format(auth.username)
end

local function describe_token(records)
  local inside, top, token = 0, 0, nil
  for _, record in ipairs(records) do
    if record["$token"] then
      top, token = top + 1, record["$token"]
    elseif record.properties and record.properties.token then
      inside, token = inside + 1, record.properties.token
    end
  end
  local place, count = "properties.token", inside
  if top > 0 then
    place, count = "$token", top
  end
  local of = count == #records and "every record" or ("%d of %d records"):format(count, #records)
  return ('"%s" in %s of %s'):format(token, place, of)
end

local function describe_size(request)
  if request.content_encoding == "gzip" then
    return ("%d bytes of JSON, %d after gzip"):format(request.raw_bytes, request.bytes)
  end
  return ("%d bytes of JSON, sent as they are"):format(request.raw_bytes)
end

-- Breaks a record into lines behind its commas.
local function show_record(text)
  local line, shown, indent = "", 0, "    "
  for part in text:gmatch "[^,]*,?" do
    if #line + #part > WIDTH - #indent and line ~= "" then
      shown = shown + 1
      if shown == LINES then
        print(indent .. line .. " ...")
        return
      end
      print(indent .. line)
      line, indent = "", "      "
    end
    line = line .. part
  end
  print(indent .. line)
end

local function show(request)
  print(bold:format(("%s %s?%s"):format(request.method, request.path, request.query_string)))
  print("  authentication  " .. describe_auth(request.auth))
  if not request.body then
    print(("  answer          %d\n"):format(request.status))
    return
  end
  print("  token           " .. describe_token(cjson.decode(request.body)))
  print("  size            " .. describe_size(request))
  print(("  answer          %d, %d accepted"):format(request.status, request.accepted))
  local texts = record_texts(request.body)
  print("  " .. plural(#texts, "record"))
  for i = 1, math.min(#texts, MOST) do
    show_record(texts[i])
  end
  if #texts > MOST then
    print(("    ... and %d more"):format(#texts - MOST))
  end
  print ""
end

local requests = fetch(assert(arg[1], "usage: show.lua URL [bold]"))
for _, request in ipairs(requests) do
  show(request)
end
