-- What nginx itself answers at the locations of examples/collector, instead of
-- the collector or of Mixpanel: pages of an origin may read that, too.
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local socket = require "socket"

local SHOP = "https://www.example.com"

local SITE = [[
  local client = require("mixpanel").new("projecttoken", { transport = "manual" })
  local options = { origins = { "https://www.example.com" } }
  return { collector = require("mixpanel.collector").new(client, options) }
]]

local HTTP = [[
  limit_req_zone $binary_remote_addr zone=collect:1m rate=1r/m;
  limit_req_status 429;
  proxy_cache_path @DIR@/temp/libs keys_zone=sdk:1m;
  proxy_read_timeout 1s;
  init_by_lua_block { require "site" }
]]

-- The location of the three endpoints, of which one is broken here.
local function read_location()
  local text = process.slurp "examples/collector/nginx.conf"
  local location = assert(text:match "location ~ ^/mp/%(track.-\n    }\n")
  local broken = location
    :gsub("%^/mp/%(.-%)", "^/broken/(track)")
    :gsub('require%("site"%)%.collector:handle%(%)', 'error "broken"')
  return location .. broken
end

-- What is passed on goes to `api`, the SDK's files come from `cdn`.
local function read_pass(api, cdn)
  return (
    process
      .slurp("examples/collector/pass.conf")
      :gsub("https://api%.mixpanel%.com", "http://127.0.0.1:" .. api)
      :gsub("https://cdn%.mxpnl%.com", "http://127.0.0.1:" .. cdn)
      :gsub("/etc/ssl/certs/ca%-certificates%.crt", "/dev/null")
  )
end

describe("nginx in front of a collector", function()
  local dead, silent, host

  setup(function()
    dead = process.dead_port()
    silent = assert(socket.bind("127.0.0.1", 0)) -- connects, and answers nothing
    local _, api = silent:getsockname()
    host = nginx.start {
      workers = 1,
      lua = { site = SITE },
      http = HTTP,
      server = read_location() .. read_pass(api, dead.port),
    }
  end)

  teardown(function()
    host:remove()
    silent:close()
    dead.close()
  end)

  -- Sends the head of a request, with `length` as that of a body of which only
  -- `body` follows; returns the status and the headers of the reply.
  local function ask(method, path, length, body)
    local client = assert(socket.connect("127.0.0.1", host.port))
    client:settimeout(10)
    local head = "%s %s HTTP/1.1\r\nHost: here\r\nOrigin: %s\r\nContent-Length: %d\r\n\r\n%s"
    assert(client:send(head:format(method, path, SHOP, length, body or "")))
    local status = assert(client:receive "*l"):match "^HTTP/1.1 (%d+)"
    local headers = {}
    for line in
      function()
        return client:receive "*l"
      end
    do
      if line == "" then
        break
      end
      local name, value = line:match "^(.-): (.*)$"
      assert.is_nil(headers[name:lower()], line) -- once
      headers[name:lower()] = value
    end
    client:close()
    return tonumber(status), headers
  end

  local function check(expected, ...)
    local status, headers = ask(...)
    local what = ("%d: %s %s"):format(expected, ...)
    assert.equal(expected, status, what)
    assert.equal(SHOP, headers["access-control-allow-origin"], what)
    assert.equal("true", headers["access-control-allow-credentials"], what)
    assert.equal("nosniff", headers["x-content-type-options"], what)
    assert.matches("Origin", headers.vary)
  end

  it("says to pages that a body is too long", function()
    check(413, "POST", "/mp/track/", 1024 * 1024 + 1)
    check(413, "POST", "/mp/record/", 10 * 1024 * 1024 + 1)
  end)

  it("says to pages that something is broken", function()
    check(500, "POST", "/broken/track/", 0)
    check(405, "PUT", "/mp/track/", 0)
  end)

  it("says to pages that Mixpanel is out of reach, or does not answer", function()
    check(502, "GET", "/mp/libs/mixpanel-2-latest.min.js", 0)
    check(504, "GET", "/mp/flags/?token=projecttoken", 0)
    check(504, "POST", "/mp/record/?format=gzip", 4, "\31\139\8\0")
  end)

  it("says to pages that somebody asks too often", function() -- the last: it spends the burst
    local status
    for _ = 1, 200 do
      status = ask("GET", "/mp/track/?data=x", 0)
      if status == 429 then
        break
      end
    end
    assert.equal(429, status)
    check(429, "POST", "/mp/track/", 0)
    check(429, "GET", "/mp/flags/", 0)
  end)
end)
