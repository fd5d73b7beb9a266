-- What mixpanel.resty makes of what visitors send: query strings that may hold
-- secrets, ids that Mixpanel refuses, text that is none.
local cjson = require "cjson"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local ANALYTICS = [[
  local mixpanel = require "mixpanel"
  local options = { api_host = "%s", flush_interval = 0.1 }
  local strict = { api_host = "%s", flush_interval = 0.1, name = "strict", on_invalid = "reject" }
  return {
    client = mixpanel.new("projecttoken", options),
    strict = mixpanel.new("projecttoken", strict),
  }
]]

local SERVER = [[
  location / {
    return 200 "hello";
    log_by_lua_block {
      local analytics = require "analytics"
      local kinds = { all = true, none = false, some = { "q", "utm source", "l[]" } }
      require("mixpanel.resty").log(analytics[ngx.var.arg_client or "client"], "Page", {
        query = kinds[ngx.var.arg_query],
        describe = function(p)
          p.distinct_id = ngx.var.cookie_user
          p["$user_id"] = ngx.var.cookie_login
          p["$device_id"] = ngx.var.cookie_device
          p.mine = ngx.var.arg_mine and { print }
        end,
      })
    }
  }
  location = /bought {
    content_by_lua_block {
      local ok, message, code = require("mixpanel.resty").track(
        require("analytics").client,
        ngx.var.arg_event or "",
        { distinct_id = ngx.var.cookie_user, amount = 12.5 }
      )
      ngx.say(require("cjson").encode { ok = ok, message = message, code = code })
    }
  }
  location = /wrong {
    content_by_lua_block {
      local resty, results = require "mixpanel.resty", {}
      local mp = require("analytics").client
      for i, options in ipairs {
        5,
        { querry = true },
        { describe = true },
        { query = "q" },
        { query = { utm_source = true } },
      } do
        results[i] = select(2, pcall(function() resty.log(mp, "E", options) end))
      end
      ngx.say(require("cjson").encode(results))
    }
  }
  location = /status {
    content_by_lua_block { require("mixpanel.resty").status(require("analytics").client) }
  }
]]

describe("mixpanel.resty", function()
  local server, web

  setup(function()
    server = sandbox.start()
    web = nginx.start {
      workers = 1,
      lua = { analytics = ANALYTICS:format(server.url, server.url) },
      server = SERVER,
    }
  end)

  teardown(function()
    if web then
      web:remove()
    end
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  -- The properties of the only event, once it has arrived.
  local function wait_for_event()
    local records
    process.wait_for(function()
      records = server:records "/track"
      return #records > 0
    end, "an event")
    assert.equal(1, #records)
    return records[1].properties
  end

  local function get(path, headers)
    assert(web:get(path, headers))
    return wait_for_event()
  end

  local function get_json(path, headers)
    local body = assert(web:get(path, headers))
    return cjson.decode(body)
  end

  local function left_out()
    return get_json("/status").left_out
  end

  local QUERY = "/reset?token=secret&q=a%20b&utm%20source=x&l[]=1&l[]=2&Q=2&password=p&q"

  it("sends no query strings", function()
    for _, kind in ipairs { "", "&query=none" } do
      server:reset()
      local page = get(QUERY .. kind, { Referer = "https://example.org/a?session=1#top" })
      assert.equal(web.url .. "/reset", page["$current_url"])
      assert.equal("https://example.org/a", page["$referrer"])
    end
  end)

  it("sends the parameters that are asked for, as they are written", function()
    local page = get(QUERY .. "&query=some", { Referer = "https://example.org/a?x=1&q=%2b#q=3" })
    assert.equal(web.url .. "/reset?q=a%20b&utm%20source=x&l[]=1&l[]=2&q", page["$current_url"])
    assert.equal("https://example.org/a?q=%2b", page["$referrer"])
  end)

  it("sends whole query strings where all are asked for", function()
    local page = get("/a?x=1&query=all&y=b@c", { Referer = "https://example.org?d=e@f#top" })
    assert.equal(web.url .. "/a?x=1&query=all&y=b@c", page["$current_url"])
    assert.equal("https://example.org?d=e@f", page["$referrer"])
    server:reset()
    assert.equal(
      "https://example.org/",
      get("/a?query=all", { Referer = "https://example.org/" })["$referrer"]
    )
  end)

  it("sends no credentials of a referrer", function()
    for _, before in ipairs { "https:", "HTTPS:", "", "view-source:https:", "1a_b:", " https:" } do
      server:reset()
      local page = get("/a", { Referer = before .. "//ada:secret@example.org/b@c//d@e" })
      local expected = before:match "%S*$" .. "//example.org/b@c//d@e"
      assert.equal(expected, page["$referrer"])
    end
  end)

  it("sends an event without an id that Mixpanel refuses, and counts it", function()
    local before = left_out()
    for i, cookie in ipairs { "user=undefined", "user=null; login=0; device=[]" } do
      server:reset()
      local page = get("/a", { Cookie = cookie })
      assert.equal("", page.distinct_id)
      assert.is_nil(page["$user_id"])
      assert.is_nil(page["$device_id"])
      assert.equal(before + (i == 1 and 1 or 4), left_out())
    end
    local log = web:read "error.log"
    local first = 'properties.distinct_id: Mixpanel refuses "undefined" as an id'
    assert.truthy(log:find(first, 1, true), log)
    assert.is_nil(log:find('"null"', 1, true), "only the first is in the log")
  end)

  it("keeps the ids that are none of the trouble", function()
    local page = get("/a", { Cookie = "user=none; login=u7" })
    assert.is_nil(page.distinct_id)
    assert.equal("u7", page["$user_id"])
  end)

  it("sends an event without a URL that is no text where nothing is repaired", function()
    local page = get("/a\255?client=strict", { Referer = "http://example.org/\254" })
    assert.is_nil(page["$current_url"])
    assert.is_nil(page["$referrer"])
    assert.equal(200, page.status)
  end)

  it("refuses what the site itself got wrong, and says so", function()
    assert(web:get("/a?mine=1", { Cookie = "user=null" }))
    assert.equal("u1", get("/a", { Cookie = "user=u1" }).distinct_id)
    local log = web:read "error.log"
    assert.truthy(log:find("[error]", 1, true), log)
    assert.truthy(log:find("properties.mine[1]: function has no JSON form", 1, true), log)
  end)

  it("tracks events of handlers in the same way", function()
    local result = get_json("/bought?event=Bought", { Cookie = "user=nil" })
    assert.same({ ok = true }, result)
    local bought = wait_for_event()
    assert.equal("", bought.distinct_id)
    assert.equal(12.5, bought.amount)
    result = get_json("/bought", { Cookie = "user=nil" })
    assert.equal("invalid", result.code)
    assert.equal("event: the name of the event is blank", result.message)
  end)

  it("raises at its caller for options that it does not know", function()
    local results = get_json "/wrong"
    local expected = {
      "options: table or function expected, got number",
      "unknown option 'querry': expected describe or query",
      "option 'describe': function expected, got boolean",
      "option 'query': expected true, false or a list of names of parameters",
      "option 'query': expected true, false or a list of names of parameters",
    }
    for i, text in ipairs(expected) do
      assert.equal(("bad argument #3 to 'log' (%s)"):format(text), results[i]:match "bad.*$")
      assert.matches("^content_by_lua", results[i])
    end
  end)
end)
