-- What examples/collector/pass.conf passes on of a visitor, by the collector's
-- options. The sandbox is in Mixpanel's place.
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local SITE = [[
  local client = require("mixpanel").new("projecttoken", { transport = "manual" })
  local new = require("mixpanel.collector").new
  return {
    mp = new(client),
    shy = new(client, { do_not_track = true, address = "cut" }),
    blind = new(client, { address = "never" }),
  }
]]

local HTTP = [[
  limit_req_zone $binary_remote_addr zone=collect:1m rate=1000r/s;
  proxy_cache_path @DIR@/temp/libs keys_zone=sdk:1m;
  set_real_ip_from 127.0.0.1;
  real_ip_header X-Test-Address;
  init_by_lua_block { require "site" }
]]

-- What is passed on under /mp/, and so under /shy/ and /blind/ by the others.
local function read_pass(url)
  local text = process
    .slurp("examples/collector/pass.conf")
    :gsub("https://[%w.]+", url)
    :gsub("/etc/ssl/certs/ca%-certificates%.crt", "/dev/null")
  local head, location, rest = text:match "^(.-)(location ~ .-\n}\n)(.*)$"
  local parts = { head }
  for _, name in ipairs { "mp", "shy", "blind" } do
    parts[#parts + 1] =
      location:gsub("%^/mp", "^/" .. name):gsub("%.collector:", "." .. name .. ":")
  end
  return table.concat(parts) .. rest:gsub("%.collector:", ".mp:")
end

describe("what is passed on", function()
  local server, host

  setup(function()
    server = sandbox.start()
    host = nginx.start {
      workers = 1,
      lua = { site = SITE },
      http = HTTP,
      server = read_pass(server.url) .. [[
        location = /not_tracked {
          content_by_lua_block { ngx.print(require("site").shy:stats().not_tracked) }
        }
      ]],
    }
  end)

  teardown(function()
    host:remove()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  it("tells no address but nginx's, which may be cut or left out", function()
    local function forwarded(path)
      local before = #server:requests()
      host:ask(path, { ["X-Forwarded-For"] = "198.51.100.1", ["X-Test-Address"] = "203.0.113.77" })
      local list = server:requests()
      assert.equal(before + 1, #list)
      return list[#list].headers["x-forwarded-for"] or "none"
    end
    assert.equal("203.0.113.77", forwarded "/mp/flags/")
    assert.equal("203.0.113.0", forwarded "/shy/flags/")
    assert.equal("none", forwarded "/blind/flags/")
    assert.equal("none", forwarded "/mp/libs/sdk.js")
  end)

  it("is nothing that Mixpanel would keep of who does not want to be tracked", function()
    for _, path in ipairs { "record/?format=gzip", "record", "flags/1/first-time-events" } do
      local text, status, headers = host:ask("/shy/" .. path, { ["Sec-GPC"] = "1" }, "x")
      assert.same({ '{"code":200,"status":"OK"}', 200 }, { text, status })
      assert.equal("application/json", headers["content-type"])
    end
    assert.equal("3", host:get "/not_tracked")
    assert.same({}, server:requests())
    host:ask("/shy/flags/", { ["Sec-GPC"] = "1" }) -- is answered, and not kept
    host:ask("/shy/record/", {}, "x")
    host:ask("/mp/record/", { ["Sec-GPC"] = "1" }, "x") -- the option is not set there
    assert.equal(3, #server:requests())
  end)
end)
