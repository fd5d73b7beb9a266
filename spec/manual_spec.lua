-- transport = "manual": the host carries the requests, and says what became of
-- them.
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local script = require "spec.support.script"

local names = 0

local function client(options)
  options = options or {}
  names = names + 1
  options.transport = "manual"
  options.name = options.name or "manual " .. names
  if options.gzip == nil then
    options.gzip = false
  end
  return mixpanel.new("projecttoken", options)
end

local function track(mp, n)
  for i = 1, n do
    assert(mp:track("A", { distinct_id = "u", n = i }))
  end
end

-- Answers whatever is to be sent with what `reply` returns for it; returns how
-- many requests there were.
local function serve(mp, reply)
  local n = 0
  mp:flush()
  while true do
    local request = mp:next_request()
    if not request then
      return n
    end
    n = n + 1
    mp:answer(request.id, reply(request))
  end
end

local function accept()
  return 200, nil, '{"status":1,"error":null}'
end

describe("manual transport", function()
  it("gives out what libcurl would send", function()
    local mp = client { api_host = "https://proxy.example/mp" }
    track(mp, 2)
    mp:flush()
    local request = mp:next_request()
    assert.equal("https://proxy.example/mp/track?verbose=1&ip=0", request.url)
    assert.equal("POST", request.method)
    assert.equal("application/json", request.headers["Content-Type"])
    assert.is_nil(request.headers["Content-Encoding"])
    local body = cjson.decode(request.body)
    assert.equal(2, #body)
    assert.equal("projecttoken", body[1].properties.token)
    assert.equal(2, mp:stats().in_flight)
    assert.is_true(mp:answer(request.id, accept()))
    assert.equal(2, mp:stats().delivered)
    assert.is_true(mp:close())
  end)

  it("says of gzip and of credentials in the headers", function()
    local mp = client { gzip = true }
    mp:import("A", os.time(), { distinct_id = "u" })
    mp:flush()
    local request = mp:next_request()
    assert.equal("gzip", request.headers["Content-Encoding"])
    assert.equal("\31\139", request.body:sub(1, 2))
    assert.matches("^Basic %S+$", request.headers["Authorization"])
    mp:answer(request.id, 200, nil, '{"code":200,"num_records_imported":1,"status":"OK"}')
    assert.equal(1, mp:stats().delivered)
  end)

  it("waits for company as long as flush_interval", function()
    local mp = client { flush_interval = 30 }
    local request, seconds = mp:next_request()
    assert.is_nil(request)
    assert.equal(30, seconds)
    track(mp, 1)
    request, seconds = mp:next_request()
    assert.is_nil(request)
    assert.is_true(seconds > 25 and seconds <= 30)
    track(mp, 1999) -- a full batch waits for nobody
    assert.is_table(mp:next_request())
  end)

  it("never asks to be called without a pause", function()
    local mp = client { flush_interval = 0 }
    assert.equal(1, select(2, mp:next_request()))
  end)

  it("flush and close return at once, and so does mark", function()
    local mp = client()
    assert.is_true(mp:flush(60))
    track(mp, 3)
    local ticket = mp:mark()
    assert.is_false(mp:done(ticket))
    local expected = { nil, "timeout: 3 records undelivered", "timeout" }
    assert.same(expected, { mp:flush(60) })
    assert.same(expected, { mp:flush(0) })
    assert.same(expected, { mp:close() })
    assert.equal(1, serve(mp, accept)) -- a closed client still has them carried
    assert.is_true(mp:done(ticket))
    assert.equal(3, mp:stats().delivered)
  end)

  it("sends the same bytes again after an outage", function()
    local mp = client { max_retry_delay = 0.01 }
    track(mp, 5)
    mp:flush()
    local first = mp:next_request()
    mp:answer(first.id, nil, "no route to host")
    assert.equal("no route to host", mp:stats().last_error)
    assert.equal(1, mp:stats().ambiguous) -- nobody can say that it did not arrive
    local deadline, again = os.time() + 10
    repeat
      again = mp:next_request()
    until again or os.time() > deadline
    assert.equal(first.body, again.body)
    assert.not_equal(first.id, again.id)
    mp:answer(again.id, accept())
    assert.equal(5, mp:stats().delivered)
    assert.equal(5, mp:stats().retried)
  end)

  it("waits as long as Retry-After says, however it is written", function()
    for _, headers in ipairs {
      { ["Retry-After"] = "20" },
      { ["retry-after"] = 20 },
      { ["RETRY-AFTER"] = os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + 20) },
    } do
      local mp = client { max_retry_delay = 0.01, flush_interval = 100 }
      track(mp, 1)
      mp:flush()
      mp:answer(mp:next_request().id, 429, headers, "")
      local request, seconds = mp:next_request()
      assert.is_nil(request)
      assert.is_true(seconds > 15 and seconds <= 21, tostring(seconds))
    end
  end)

  it("finds the one record that is refused", function()
    local mp = client()
    for i = 1, 100 do
      mp:track(i == 77 and "poison" or "good", { distinct_id = "u" })
    end
    serve(mp, function(request)
      return 200, {}, request.body:find("poison", 1, true) and "0" or "1"
    end)
    assert.equal(99, mp:stats().delivered)
    assert.equal(1, mp:stats().rejected)
  end)

  it("keeps max_in_flight and the order of profiles", function()
    local mp = client { max_in_flight = 2, max_batch_size = 10 }
    track(mp, 50)
    for i = 1, 50 do
      mp.people:set("u", { n = i })
    end
    mp:flush()
    -- the first success lets a second request go at once
    local first = mp:next_request()
    while not first.url:find("/track", 1, true) do
      mp:answer(first.id, accept())
      first = mp:next_request()
    end
    mp:answer(first.id, accept())
    local requests, request = {}, mp:next_request()
    while request do
      requests[#requests + 1] = request
      request = mp:next_request()
    end
    assert.equal(3, #requests) -- two of events, one of profiles
    for _, open in ipairs(requests) do
      mp:answer(open.id, accept())
    end
    local expected = 10
    serve(mp, function(more)
      if more.url:find("/engage", 1, true) then
        for _, update in ipairs(cjson.decode(more.body)) do
          expected = expected + 1
          assert.equal(expected, update["$set"].n)
        end
      end
      return accept()
    end)
    assert.equal(50, expected)
    assert.equal(100, mp:stats().delivered)
  end)

  it("shares a queue between clients of one name", function()
    local one, other = client { name = "shared" }, client { name = "shared" }
    track(one, 1)
    assert.equal(1, serve(other, accept))
    assert.equal(1, one:stats().delivered)
  end)

  it("shares nothing with a client that sends by itself", function()
    local by_hand = client { name = "both", api_host = "http://127.0.0.1:9" }
    local by_itself =
      mixpanel.new("projecttoken", { name = "both", api_host = "http://127.0.0.1:9" })
    track(by_hand, 1)
    assert.equal(0, by_itself:stats().accepted)
  end)

  it("raises what can only be a mistake", function()
    local mp = client()
    track(mp, 1)
    mp:flush()
    local id = mp:next_request().id
    local function fails(expected, ...)
      local ok, message = pcall(mp.answer, mp, ...)
      assert.is_false(ok)
      assert.matches(expected, message)
    end
    fails("no request of this id", id + 1, 200)
    fails("no request of this id", 0 / 0, 200)
    fails("id of a request: number expected, got string", tostring(id), 200)
    fails("got 0, expected one of HTTP", id, 0)
    fails("got 200.5, expected one of HTTP", id, 200.5)
    fails('got "200", expected one of HTTP', id, "200")
    fails("headers: table expected, got string", id, 200, "Retry%-After: 1")
    fails("body: string expected, got table", id, 200, nil, {})
    fails("message, where there is no status: string expected, got no value", id)
    assert.is_true(mp:answer(id, 200))
    fails("it has had one", id, 200)

    assert.has_error(function()
      mp:check(1)
    end, 'check: a client with transport = "manual" cannot ask')

    local other = mixpanel.new("projecttoken", { api_host = "http://127.0.0.1:9" })
    for _, method in ipairs { "next_request", "answer" } do
      local ok, message = pcall(other[method], other, 1, 200)
      assert.is_false(ok)
      assert.matches('made with transport = "manual"', message)
    end
    local ok, message = pcall(mixpanel.new, "t", { transport = "pigeon" })
    assert.is_false(ok)
    assert.matches('"pigeon" is neither "curl" nor "manual", and no driver', message)
  end)

  it("starts no thread", function()
    local printed = script.run [[
      local mp = require("mixpanel").new("t", { transport = "manual" })
      for i = 1, 5000 do mp:track("A") end
      mp:flush() mp:mark()
      mp:answer(mp:next_request().id, 200, nil, "1")
      local n = 0
      for _ in io.popen("ls /proc/" .. io.open("/proc/self/stat"):read("*n") .. "/task"):lines() do
        n = n + 1
      end
      print(n, mp:stats().delivered)
      mp:close()
    ]]
    assert.equal("1\t2000\n", printed)
  end)
end)
