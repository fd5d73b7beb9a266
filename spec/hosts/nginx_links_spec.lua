-- mixpanel.resty.redirect and mixpanel.resty.form on real nginx, and the script
-- of collector.snippet as nginx serves it.
local mixpanel = require "mixpanel"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local SITE = [[
  local redirect = require "mixpanel.resty.redirect"
  local form = require "mixpanel.resty.form"
  local mp = require("mixpanel").new("projecttoken", { api_host = "%s", flush_interval = 0.1 })
  local site = { mp = mp }
  site.links = redirect.new(mp, {
    hosts = { "shop.example", ".Other.example" },
    describe = function(properties)
      local user = ngx.var.cookie_user
      if user == "bad" then
        error("no\r\nway " .. properties.href)
      end
      properties.distinct_id = user
      return user ~= "none"
    end,
  })
  site.signed = redirect.new(mp, { event = "Mail", secret = "sixteen bytes ok" })
  function site.form()
    form.track(mp, "Signup", {
      fields = { "plan", "tags", source = "$source" },
      describe = function(properties)
        if properties.plan == "bad" then
          error "no\r\nway"
        end
        return properties.plan ~= "none"
      end,
    })
  end
  site.snippet = require("mixpanel.collector").snippet {
    token = "projecttoken", api_host = "https://www.example.com/mp", source = "/mp/libs/sdk.js",
    config = { debug = false, name = "</script>\226\128\168" },
  }
  return site
]]

local SERVER = [[
  location = /go { content_by_lua_block { require("site").links:handle() } }
  location = /mail { content_by_lua_block { require("site").signed:handle() } }
  location = /link {
    content_by_lua_block {
      ngx.print(require("site").signed:link(ngx.unescape_uri(ngx.var.arg_u)))
    }
  }
  location = /signup {
    client_body_buffer_size 1k;
    access_by_lua_block { require("site").form() }
    content_by_lua_block {
      ngx.req.read_body()
      ngx.print("signed up ", ngx.req.get_body_data() or "")
    }
  }
  location = /loader.js {
    default_type text/javascript;
    content_by_lua_block { ngx.print(require("site").snippet) }
  }
  location = /links { content_by_lua_block {
    local stats = require("site").links:stats()
    ngx.print(stats.followed, " ", stats.refused)
  } }
]]

local function escape(text)
  return (text:gsub("[^%w]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

describe("on nginx", function()
  local server, host

  setup(function()
    server = sandbox.start()
    host = nginx.start {
      workers = 1,
      lua = { site = SITE:format(server.url) },
      http = [[
        init_by_lua_block { require "site" }
        exit_worker_by_lua_block { require("mixpanel.resty").exit_worker(require("site").mp) }
      ]],
      server = SERVER,
    }
  end)

  teardown(function()
    host:remove()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  local function ask(...)
    local text, status, headers = host:ask(...)
    return status, headers, text
  end

  local function finish()
    ask("/go?to=http%3A%2F%2Fshop.example%2Flast", { Cookie = "user=last" })
  end

  -- The events of links that lead elsewhere than to the last page.
  local function events()
    finish()
    local list = {}
    process.wait_for(function()
      list = server:records "/track"
      for i, record in ipairs(list) do
        if record.properties.distinct_id == "last" then
          table.remove(list, i)
          return true
        end
      end
    end, "the last event")
    return list
  end

  it("sends a visitor on to hosts that were named, the event first", function()
    local url = "https://Shop.example:8443/a?b=c&d=%20#e"
    local status, headers = ask("/go?to=" .. escape(url), {
      Cookie = "user=u1",
      Referer = "https://www.example.com/x?secret",
    })
    assert.same({ 302, url, "no-store" }, { status, headers.location, headers["cache-control"] })
    status, headers = ask("/go?to=" .. escape "http://a.b.other.example", { Cookie = "user=none" })
    assert.same({ 302, "http://a.b.other.example" }, { status, headers.location })
    local list = events()
    assert.equal(1, #list)
    local properties = list[1].properties
    assert.equal("Link", list[1].event)
    assert.equal(url, properties.href)
    assert.equal("u1", properties.distinct_id)
    assert.equal("127.0.0.1", properties.ip)
    assert.equal("https://www.example.com/x", properties["$referrer"])
    assert.equal(host.url .. "/go", properties["$current_url"])
    assert.is_nil(properties.status)
  end)

  it("leads nowhere else, whatever a link says", function()
    local rows = {
      "",
      "https://evil.example/",
      "//shop.example/",
      "https:/shop.example/",
      "/go",
      "javascript:alert(1)//shop.example",
      "data:text/html,https://shop.example",
      "https://shop.example.evil.example/",
      "https://evilshop.example/",
      "https://shop.example@evil.example/",
      "https://shop.example:80@evil.example/",
      "https://evil.example\\@shop.example/",
      "https://evil.example\\.shop.example/",
      "https://shop.example\\.evil.example/",
      "https://evil.example/https://shop.example/",
      "https://evil.example?.other.example",
      "https://evil.example#.other.example",
      "https://other.example/", -- only hosts below it
      "https://shop.example\t.evil.example/",
      "https://shop.example/\r\nX-Evil: 1",
      "https://shop.example/\0",
      "https://shop.example/ a",
      "https://shop.example/\195\169",
      "\1https://shop.example/",
      "https://[::1]/",
      "https://shop.example:8a/",
    }
    local before = tonumber((select(3, ask "/links"):match "%d+ (%d+)"))
    for _, url in ipairs(rows) do
      local status, headers, text = ask("/go?to=" .. escape(url))
      assert.same({ 400 }, { status, headers.location }, url)
      assert.is_nil(headers["x-evil"])
      assert.equal("nosniff", headers["x-content-type-options"])
      assert.is_nil(text:find("evil", 1, true))
    end
    for _, query in ipairs {
      "",
      "?to",
      "?to=https://shop.example/&to=https://evil.example/",
      "?to[]=x",
    } do
      assert.equal(400, (ask("/go" .. query)))
    end
    assert.equal(#rows + 4, tonumber((select(3, ask "/links"):match "%d+ (%d+)")) - before)
    assert.same({}, events())
  end)

  it("sends on to any place by a link that it signed", function()
    local url = "https://partner.example/a?b=c&d"
    local _, _, link = ask("/link?u=" .. escape(url))
    local status, headers = ask("/mail" .. link)
    assert.same({ 302, url }, { status, headers.location })
    for _, forged in ipairs {
      (link:gsub("partner", "evil")),
      (link:gsub("&s=.", "&s=")),
      (link:gsub("&s=.*", "")),
      (link:gsub("&s=.*", "&s=")),
      (link:gsub("&s=", "&s")),
      link .. "a",
      link .. "&s=a",
      link .. "%00",
    } do
      assert.equal(400, (ask("/mail" .. forged)), forged)
    end
    local list = events()
    assert.equal(1, #list)
    assert.equal("Mail", list[1].event)
  end)

  it("counts no previews, and sends visitors on whatever goes wrong", function()
    local path = "/go?to=" .. escape "https://shop.example/"
    assert.equal(302, (ask(path, { ["Sec-Purpose"] = "prefetch;prerender" })))
    assert.equal(302, (ask(path, { Purpose = "prefetch" })))
    assert.equal(302, (ask(path, nil, nil, "HEAD")))
    assert.equal(302, (ask(path, { Cookie = "user=bad" })))
    assert.equal(302, (ask(path, { Cookie = "user=undefined" })))
    local list = events()
    assert.equal(1, #list)
    assert.is_true((list[1].properties.distinct_id or "") == "") -- Mixpanel refuses undefined
    local log = host:read "error.log"
    assert.matches("a link was followed without an event: .*no%?%?way https://shop.example/", log)
  end)

  it("tracks a form, which then goes on", function()
    local body = "plan=pro&password=secret&tags=a&tags=b%20c&source=mail&time=1&token=x"
    local headers = { ["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8" }
    local status, _, text = ask("/signup", headers, body)
    assert.same({ 200, "signed up " .. body }, { status, text })
    ask("/signup?plan=free&password=secret")
    ask("/signup", { ["Content-Type"] = "multipart/form-data; boundary=x" }, "--x\r\n")
    ask("/signup", headers, "plan=none")
    status, _, text = ask("/signup", headers, "plan=bad")
    assert.same({ 200, "signed up plan=bad" }, { status, text })
    assert.equal(200, (ask("/signup", headers, "plan=" .. ("x"):rep(5000)))) -- in a file
    local list = events()
    assert.equal(4, #list)
    local properties = list[1].properties
    assert.equal("Signup", list[1].event)
    assert.same(
      { "pro", "mail", { "a", "b c" } },
      { properties.plan, properties["$source"], properties.tags }
    )
    assert.equal("projecttoken", properties.token)
    assert.equal("free", list[2].properties.plan)
    for _, record in ipairs(list) do
      assert.is_nil(record.properties.password)
    end
    assert.matches("a form was sent without an event: .*no%?%?way", host:read "error.log")
  end)

  it("serves the script that loads the SDK", function()
    local status, headers, text = ask "/loader.js"
    assert.same({ 200, "text/javascript" }, { status, headers["content-type"] })
    assert.is_truthy(text:find('"projecttoken"', 1, true))
    assert.is_truthy(text:find("\\u003c\\/script\\u003e\\u2028", 1, true))
    assert.is_nil(text:find "</")
  end)
end)

describe("links, forms and the snippet", function()
  local redirect = require "mixpanel.resty.redirect"
  local snippet = require("mixpanel.collector").snippet

  local function raises(message, call)
    local ok, raised = pcall(call)
    assert.is_false(ok)
    assert.matches("^spec/hosts/nginx_links_spec.lua:%d+: bad argument ", raised)
    assert.is_truthy(raised:find(message, 1, true), raised)
  end

  it("raise for options that are none, at the caller's line", function()
    local mp = mixpanel.new("projecttoken", { transport = "manual", name = "links" })
    local rows = {
      { "expected option 'hosts' or 'secret'", {} },
      { "unknown option 'host': expected event, hosts, secret or describe", { host = "a" } },
      { "option 'hosts': table expected, got string", { hosts = "a" } },
      { "option 'hosts': got https://a, expected hosts such as", { hosts = { "https://a" } } },
      { "option 'hosts': got *, expected hosts such as", { hosts = { "*" } } },
      { "option 'secret': expected 16 bytes or more", { secret = "short" } },
      { "options: table expected, got nil" },
    }
    for _, row in ipairs(rows) do
      raises("#2 to 'new' (" .. row[1], function()
        redirect.new(mp, row[2])
      end)
    end
    local good = { token = "t", api_host = "h", source = "s" }
    for name in pairs(good) do
      local options = { token = "t", api_host = "h", source = "s" }
      options[name] = nil
      raises(("#1 to 'snippet' (option '%s' is missing"):format(name), function()
        snippet(options)
      end)
    end
    raises("#1 to 'snippet' (unknown option 'host'", function()
      snippet { host = "a" }
    end)
    mp:close(0)
  end)
end)
