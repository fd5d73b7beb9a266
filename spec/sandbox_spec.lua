-- The sandbox itself: does it answer as Mixpanel documents, and misbehave as
-- it is told?
local cjson = require "cjson"
local http = require "socket.http"
local ltn12 = require "ltn12"
local mime = require "mime"
local sandbox = require "spec.support.sandbox"

describe("the sandbox", function()
  local server

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  local token_auth = { Authorization = "Basic " .. (mime.b64 "projecttoken:") }

  -- Status and decoded reply, or nil and why.
  local function post(path, value, headers)
    local body = type(value) == "string" and value or cjson.encode(value)
    local parts, sent = {}, { ["Content-Length"] = #body, ["Content-Type"] = "application/json" }
    for name, text in pairs(headers or {}) do
      sent[name] = text
    end
    local ok, status = http.request {
      url = server.url .. path,
      method = "POST",
      headers = sent,
      source = ltn12.source.string(body),
      sink = ltn12.sink.table(parts),
    }
    if not ok then
      return nil, status
    end
    local text = table.concat(parts)
    local decoded, reply = pcall(cjson.decode, text)
    return status, decoded and reply or text
  end

  local function event(properties)
    properties.token = "projecttoken"
    return { { event = "A", properties = properties } }
  end

  local good = { distinct_id = "u", time = os.time() - 60 }

  it("answers 1 and 0, and objects with verbose=1", function()
    assert.same({ 200, 1 }, { post("/track", event(good)) })
    assert.same({ 200, 1 }, { post("/track/", event(good)[1]) })
    assert.same({ 200, 0 }, { post("/track", "[]") })
    local _, reply = post("/track?verbose=1", event(good))
    assert.same({ status = 1, error = cjson.null }, reply)
    _, reply = post("/track?verbose=1", { { event = "A", properties = { a = 1 } } })
    assert.same({ status = 0, error = "token, missing or empty" }, reply)
    _, reply = post("/engage?verbose=1", { { ["$token"] = "t", ["$set"] = { a = 1 } } })
    assert.same({ status = 0, error = "$distinct_id, missing or empty" }, reply)
  end)

  it("reads forms and base64", function()
    local data = cjson.encode(event(good))
    assert.same({ 200, 1 }, { post("/track", "data=" .. data) })
    local encoded = mime.b64(data):gsub("%+", "%%2B"):gsub("/", "%%2F"):gsub("=", "%%3D")
    assert.same({ 200, 1 }, { post("/track", "data=" .. encoded) })
    assert.equal(2, #server:records "/track")
  end)

  it("wants credentials for /import", function()
    local status, reply = post("/import?strict=1", event(good))
    assert.equal(401, status)
    assert.equal("Invalid credentials", reply.error)
    status, reply = post("/import?strict=1", event(good), token_auth)
    assert.equal(200, status)
    assert.same({ code = 200, num_records_imported = 1, status = "OK" }, reply)
    status = post("/import?strict=1&project_id=7", event(good), token_auth)
    assert.equal(401, status)
    server:config { tokens = { "another" } }
    status = post("/import?strict=1", event(good), token_auth)
    assert.equal(401, status)
  end)

  it("knows service accounts by project", function()
    server:config { accounts = { { username = "bot", secret = "s", project_id = "7" } } }
    local auth = { Authorization = "Basic " .. (mime.b64 "bot:s") }
    assert.equal(200, (post("/import?strict=1&project_id=7", event(good), auth)))
    assert.equal(401, (post("/import?strict=1&project_id=8", event(good), auth)))
    auth.Authorization = "Basic " .. (mime.b64 "bot:wrong")
    assert.equal(401, (post("/import?strict=1&project_id=7", event(good), auth)))
  end)

  local refused = {
    ["'event' must not be missing or blank"] = { event = " ", properties = good },
    ["time' is invalid: must not be missing"] = { event = "A", properties = { distinct_id = "u" } },
    ["must not be in the future"] = {
      event = "A",
      properties = { distinct_id = "u", time = os.time() + 7200 },
    },
    ["distinct_id' is invalid: must not be missing"] = {
      event = "A",
      properties = { time = good.time },
    },
    ["must only contain alphanumeric or hyphen"] = {
      event = "A",
      properties = { distinct_id = "u", time = good.time, ["$insert_id"] = "a_b" },
    },
    ["string should be valid utf8"] = {
      event = "A",
      properties = { distinct_id = "u", time = good.time, text = "\255" },
    },
    ["nested deeper than 3"] = {
      event = "A",
      properties = { distinct_id = "u", time = good.time, a = { b = { c = { d = { e = 1 } } } } },
    },
  }
  for message, record in pairs(refused) do
    it("names a refused record: " .. message, function()
      local status, reply = post("/import?strict=1", { event(good)[1], record }, token_auth)
      assert.equal(400, status)
      assert.equal(1, reply.num_records_imported)
      assert.equal(1, #reply.failed_records)
      assert.equal(1, reply.failed_records[1].index)
      assert.truthy(reply.failed_records[1].message:find(message, 1, true))
    end)
  end

  it("refuses identity events of simplified projects as a whole", function()
    server:config { simplified = true }
    local merge = {
      event = "$merge",
      properties = { time = good.time, ["$distinct_ids"] = { "a", "b" } },
    }
    local status, reply = post("/import?strict=1", { event(good)[1], merge }, token_auth)
    assert.equal(400, status)
    assert.equal("string", type(reply.failed_records[1]))
    assert.equal(0, reply.num_records_imported)
  end)

  it("takes no gzip for profiles, and no more than 2000 records", function()
    local update = { { ["$token"] = "t", ["$distinct_id"] = "u", ["$set"] = { a = 1 } } }
    assert.equal(400, (post("/engage", update, { ["Content-Encoding"] = "gzip" })))
    local many = {}
    for i = 1, 2001 do
      many[i] = event(good)[1]
    end
    assert.equal(413, (post("/import?strict=1", many, token_auth)))
  end)

  it("answers as it was told, then honestly again", function()
    server:script {
      { endpoint = "/track", status = 429, headers = { ["Retry-After"] = "7" }, body = { a = 1 } },
      { endpoint = "/track", close = "before" },
      { endpoint = "/track", close = "after" },
      { endpoint = "/track", close = "mid" },
      { endpoint = "/engage", status = 500, times = 2 },
    }
    assert.same({ 429, { a = 1 } }, { post("/track", event(good)) })
    assert.is_nil((post("/track", event(good))))
    assert.is_nil((post("/track", event(good))))
    post("/track", event(good)) -- half a reply: what comes of it is the reader's affair
    assert.same({ 200, 1 }, { post("/track", event(good)) })
    assert.equal(1, #server:records "/track")
    assert.equal(5, #server:requests())
  end)

  it("draws a reply only for bodies that match", function()
    server:script { match = "poison", times = 0, status = 200, body = "0" }
    assert.same({ 200, 1 }, { post("/track", event(good)) })
    assert.same({ 200, 0 }, { post("/track", event { distinct_id = "poison" }) })
    assert.same({ 200, 0 }, { post("/track", event { distinct_id = "poison" }) })
  end)

  it("says 404 to what it does not know", function()
    assert.equal(404, (post("/decide", "{}")))
    assert.equal(404, server:requests()[1].status)
  end)

  local function call(method, path)
    local body, status = http.request { url = server.url .. path, method = method }
    return body and status
  end

  it("forgets what arrived, or what was scripted, and keeps the other", function()
    server:config { tokens = { "another" } }
    server:script { { endpoint = "/track", status = 503 }, { endpoint = "/track", status = 504 } }
    assert.equal(503, (post("/track", event(good))))
    assert.is_true(server:requests()[1].scripted)
    assert.equal(200, call("DELETE", "/sandbox/requests"))
    assert.same({}, server:requests())
    assert.equal(504, (post("/track", event(good))))
    server:script { endpoint = "/track", status = 500 }
    assert.equal(200, call("DELETE", "/sandbox/script"))
    assert.equal(200, (post("/track", event(good))))
    assert.equal(2, #server:requests())
    assert.equal(401, (post("/import?strict=1", event(good), token_auth)))
  end)

  it("takes no script that is none", function()
    for _, script in ipairs { "", "3", "[1]", '[{"status":503},"x"]' } do
      assert.equal(400, (post("/sandbox/script", script)))
    end
    assert.equal(200, (post("/track", event(good))))
  end)
end)

describe("json_text", function()
  package.path = "./sandbox/?.lua;" .. package.path
  local json_text = require "json_text"

  local function records(...)
    return "[" .. table.concat({ ... }, " ,\n") .. "]"
  end

  it("takes arrays apart as they are written", function()
    for _, list in ipairs {
      { '{"a":1}' },
      { '{"a":[1,2,{"b":"]}"}]}', '{"c":"\\""}', '{"d":"\\\\"}' },
      { "1", '"a,b"', "[]", "[[],{}]", "null" },
      { '{"n":9007199254740993}', '{"n":1,"n":2}' },
    } do
      assert.same(list, json_text.split(records((table.unpack or unpack)(list)))) -- luacheck: ignore
    end
    assert.same({ '{"a":1}' }, json_text.split '{"a":1}')
  end)

  it("survives what is no JSON", function()
    for _, text in ipairs { "", "[", "[[", '["a', '["\\', "]", "[1", '[1,"', "{]", "[}]," } do
      assert.equal("table", type(json_text.split(text)))
      assert.equal("string", type((json_text.lay_out(text, { "a" }))))
    end
    assert.is_true(#json_text.lay_out(("["):rep(100000), {}) < 3e6)
  end)

  it("lays out without a change, and finds a key where it stands", function()
    local text =
      '{"token":"x","p":{"a":[],"token" : "t\\"," ,"q":{"token":1}},"e":{},"n":9007199254740993}'
    local before, mark, after = json_text.lay_out(text, { "p", "token" })
    assert.equal('"token": "t\\","', mark)
    local flat = (before .. mark .. after):gsub("\n *", ""):gsub('": ', '":')
    assert.equal((text:gsub('" : ', '":'):gsub(" ,", ",")), flat)
    assert.truthy(before:find('^{\n  "token": "x",\n  "p": {\n    "a": %[%],\n    $'))
    assert.same({ "1", "", "" }, { json_text.lay_out("1", { "a" }) })
  end)
end)
