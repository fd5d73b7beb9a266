-- A collector with the option `confirm`, which answers only what has an outcome:
-- over HTTP, and over a bus through a driver of our own.
local cjson = require "cjson"
local fake = require "spec.support.bus"
local mixpanel = require "mixpanel"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local script = require "spec.support.script"
local socket = require "socket"

local DRIVER = ("%s/spec/drivers/mixpanel_fake.so"):format(script.build)
local NOW = os.time()
local PATIENCE = 60

local SITE = [[
  local client = require("mixpanel").new("projecttoken", { %s, max_retry_delay = 0.1 })
  local collector = require "mixpanel.collector"
  return {
    client = client,
    metrics = require("mixpanel.resty.metrics").new(client, "mixpanel"),
    collector = collector.new(client, { confirm = %g }),
  }
]]

local HTTP = [[
  lua_shared_dict mixpanel 1m;
  init_by_lua_block { require "site" }
  exit_worker_by_lua_block { require("mixpanel.resty").exit_worker(require("site").client) }
]]

local SERVER = [[
  location ~ /(track|engage|groups) { content_by_lua_block { require("site").collector:handle() } }
  location = /metrics { content_by_lua_block { require("site").metrics:answer() } }
  location = /stats {
    content_by_lua_block {
      local site = require "site"
      local stats = site.collector:stats()
      stats.queued = site.client:stats().queued
      ngx.say(require("cjson").encode(stats))
    }
  }
]]

local function start(client, seconds, workers)
  return nginx.start {
    workers = workers or 1,
    libraries = { DRIVER },
    lua = { site = SITE:format(client, seconds) },
    http = HTTP,
    server = SERVER,
  }
end

local function event(id)
  return ('{"event":"E","properties":{"token":"projecttoken","time":%d,"$insert_id":"%s"}}'):format(
    NOW,
    id
  )
end

local function stats(host)
  return cjson.decode((assert(host:get "/stats")))
end

-- The bus is a directory in which workers may write.
local function new_bus()
  local bus = fake.new()
  process.run("chmod 777 " .. bus.dir)
  return bus
end

local function of_bus(bus)
  return ('transport = "fake", bus = { servers = { "fake:%s" } }'):format(bus.dir)
end

local function ids_of(records)
  local ids = {}
  for _, record in ipairs(records) do
    local id = record.properties["$insert_id"]
    ids[id] = (ids[id] or 0) + 1
  end
  return ids
end

-- ---- clients ----

local Poster = {}
Poster.__index = Poster

-- A client that posts on a connection of its own, without waiting for the answer.
local function post_later(host, id)
  local connection = assert(socket.connect("127.0.0.1", host.port))
  local body = event(id)
  local head =
    "POST /track HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
  assert(connection:send(head:format(#body) .. body))
  connection:settimeout(0)
  return setmetatable({ connection = connection, id = id }, Poster)
end

-- The status once it is there; false if there will be none.
function Poster:look()
  if self.status == nil then
    local line, why = self.connection:receive "*l"
    if line then
      self.status = tonumber(line:match "^HTTP/1.1 (%d+)")
    elseif why == "closed" then
      self.status = false
    end
    if self.status ~= nil then
      self.connection:close()
    end
  end
  return self.status
end

-- ---- over HTTP ----

describe("a relay", function()
  local server, host

  -- Nothing leaves by its flush interval while a test waits.
  local function start_relay(seconds)
    return start(("api_host = %q, flush_interval = 3600"):format(server.url), seconds)
  end

  setup(function()
    server = sandbox.start()
    host = start_relay(PATIENCE)
  end)

  teardown(function()
    host:remove()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  local function post(relay, id, query)
    local body, status = relay:ask("/track" .. (query or ""), nil, event(id))
    return status, body
  end

  it("answers what is delivered, without waiting for the flush interval", function()
    local before = stats(host)
    local status, body = post(host, "once")
    assert.same({ 200, "1" }, { status, body })
    assert.equal(1, #server:records "/track")
    local after = stats(host)
    assert.equal(1, after.confirmed - before.confirmed)
    assert.equal(0, after.unconfirmed - before.unconfirmed)
  end)

  it("has SDKs send again what is not, and delivers it once by its $insert_id", function()
    local hasty = start_relay(0.4)
    finally(function()
      hasty:remove()
    end)
    server:script { { endpoint = "/track", status = 503, times = 1000000 } }
    local status, body = post(hasty, "again", "?verbose=1")
    assert.equal(503, status)
    assert.same(
      { error = "not delivered within 0.4 seconds", status = 0 },
      cjson.decode(body) -- no host of ours, nor why
    )
    assert.equal(503, (post(hasty, "again")))
    assert.equal(2, stats(hasty).unconfirmed)
    assert.equal(0, #server:records "/track")
    assert.truthy(
      hasty:read("error.log"):find("1 not collected, the last: not delivered within", 1, true)
    )
    server:reset()
    process.wait_for(function()
      return post(hasty, "again") == 200
    end, "an answer")
    process.wait_for(function()
      return stats(hasty).queued == 0
    end, "the rest")
    local ids = ids_of(server:records "/track")
    assert.truthy(ids.again >= 1)
    ids.again = nil
    assert.same({}, ids)
  end)

  it("waits for nothing where no record was taken", function()
    local status, body
    body, status = host:ask("/track", nil, '{"event":"E"}')
    assert.same({ 200, "0" }, { status, body })
    assert.equal(400, (select(2, host:ask("/track", nil, "nothing"))))
  end)

  it("answers what was rejected, which has an outcome, too", function()
    server:script { { endpoint = "/engage", status = 200, body = "0", times = 1000 } }
    local update = '{"$token":"projecttoken","$distinct_id":"u","$set":{"a":1}}'
    local body, status = host:ask("/engage", nil, update)
    assert.same({ 200, "1" }, { status, body })
  end)
end)

-- ---- over a bus ----

describe("a relay to a bus", function()
  local bus, host

  before_each(function()
    bus = new_bus()
  end)

  after_each(function()
    host:remove()
    bus:remove()
  end)

  it("answers 503 while the bus takes nothing, and serves others meanwhile", function()
    host = start(of_bus(bus), 3)
    bus:reply "hang"
    local posters = {}
    for i = 1, 50 do
      posters[i] = post_later(host, "hung-" .. i)
    end
    assert.equal(0, stats(host).confirmed)
    for _, poster in ipairs(posters) do
      assert.equal(
        503,
        process.wait_for(function()
          return poster:look()
        end, "an answer")
      )
    end
    bus:reply "200"
    local text, status = host:ask("/track", nil, event "after")
    assert.same({ "1", 200 }, { text, status })
    assert.equal(1, ids_of(bus:records "-collected-").after)
    assert.equal(50, stats(host).unconfirmed)
    local metrics = assert.is_string(host:get "/metrics")
    assert.truthy(metrics:find("\nmixpanel_records_delivered_total 51\n", 1, true), metrics)
    assert.truthy(metrics:find("\nmixpanel_records_queued 0\n", 1, true))
    local messages = tonumber(metrics:match "\nmixpanel_requests_total (%d+)\n")
    assert.is_true(messages >= #bus:ids())
    for line in metrics:gmatch "[^\n]+" do
      assert.is_nil(line:find "HTTP")
    end
  end)

  it("is all that a plain client needs to know", function()
    host = start(of_bus(bus), 0.3)
    bus:reply "503 no leader"
    local mp = mixpanel.new("projecttoken", { api_host = host.url, max_retry_delay = 0.1 })
    mp:track("Plain", { distinct_id = "u" })
    mp.people:set("u", { a = 1 })
    mp.groups:set("company", "acme", { a = 1 })
    assert.is_nil((mp:flush(1)))
    assert.equal(0, mp:stats().delivered)
    bus:reply "200"
    assert.is_true(mp:close(PATIENCE))
    assert.equal(3, mp:stats().delivered)
    local ids = ids_of(bus:records "-collected-")
    assert.truthy(next(ids))
    ids[next(ids)] = nil
    assert.same({}, ids) -- of one event
    assert.equal(1, bus:records("-people-")[1]["$set"].a)
    assert.equal("acme", bus:records("-groups-")[1]["$group_id"])
  end)

  it("answers only what the bus has stored, whenever it is killed", function()
    host = start(of_bus(bus), PATIENCE, 2)
    local sent, confirmed = 0, {}
    for round = 1, 5 do
      local posters, seen = {}, 0
      while seen < 20 * round do
        if #posters < 64 then
          sent = sent + 1
          posters[#posters + 1] = post_later(host, "killed-" .. sent)
        end
        for i = #posters, 1, -1 do
          local status = posters[i]:look()
          if status == 200 then
            confirmed[#confirmed + 1] = posters[i].id
            seen = seen + 1
          end
          if status ~= nil then
            table.remove(posters, i)
          end
        end
        socket.sleep(0.001)
      end
      local before = host:workers()
      for _, pid in ipairs(before) do
        process.signal(pid, "KILL")
      end
      for _, poster in ipairs(posters) do -- answers that were on their way
        if
          process.wait_for(function()
            return poster:look() ~= nil
          end, "the end of a connection") and poster.status == 200
        then
          confirmed[#confirmed + 1] = poster.id
        end
      end
      local stored = ids_of(bus:records "-collected-")
      for _, id in ipairs(confirmed) do
        assert.truthy(stored[id], id)
      end
      process.wait_for(function()
        local now = host:workers()
        return #now == 2 and now[1] ~= before[1] and now[2] ~= before[2]
      end, "other workers")
    end
    assert.is_true(#confirmed >= 300)
  end)

  it("answers everything while nginx reads its configuration anew under load", function()
    host = start(of_bus(bus), PATIENCE, 2)
    local posters, sent = {}, 0
    local function post_some()
      for _ = 1, 20 do
        sent = sent + 1
        posters[sent] = post_later(host, "reload-" .. sent)
      end
    end
    for _ = 1, 3 do
      post_some()
      host:signal "HUP"
      post_some()
      socket.sleep(0.2)
    end
    local statuses = {}
    for _, poster in ipairs(posters) do
      process.wait_for(function()
        return poster:look() ~= nil
      end, "an answer", PATIENCE)
      statuses[tostring(poster.status)] = (statuses[tostring(poster.status)] or 0) + 1
    end
    local stored = ids_of(bus:records "-collected-")
    for _, poster in ipairs(posters) do
      assert.truthy(poster.status ~= 200 or stored[poster.id], poster.id)
    end
    -- A connection that a closing worker had not accepted yet is refused by the kernel.
    assert.is_true(statuses["200"] >= sent - 10, cjson.encode(statuses))
  end)

  it("costs little while many requests wait", function()
    host = start(of_bus(bus), 600)
    bus:reply "hang"
    local WAITING, SECONDS = 500, 2
    local posters = {}
    for i = 1, WAITING do
      posters[i] = post_later(host, "waits-" .. i)
    end
    process.wait_for(function()
      return stats(host).taken == WAITING
    end, "all of them")
    local worker = host:workers()[1]
    local before = process.main_thread_cpu(worker)
    socket.sleep(SECONDS)
    local used = (process.main_thread_cpu(worker) - before) / SECONDS
    print(
      ("# measured: of a processor, %.1f %% for %d requests that wait"):format(100 * used, WAITING)
    )
    assert.is_true(used < 0.5, used)
    bus:reply "200"
    for _, poster in ipairs(posters) do
      assert.equal(
        200,
        process.wait_for(function()
          return poster:look()
        end, "an answer")
      )
    end
  end)
end)
