-- Flags that Mixpanel decides: what is asked, what the methods make of the
-- answers, and what serves where none comes. The spec carries the requests.
local cjson = require "cjson"
local flagged = require "spec.support.flagged"
local mixpanel = require "mixpanel"

local user = { distinct_id = "u1", custom_properties = { plan = "Pro" } }

-- A client that asks Mixpanel, and its flags.
local function new(options)
  local mp = flagged.new { flags = options or "remote" }
  return mp, mp.remote_flags
end

local function unescape(text)
  return (
    text:gsub("%%(%x%x)", function(digits)
      return string.char(tonumber(digits, 16))
    end)
  )
end

-- The next request, which asks for variants, and its context.
local function take(mp)
  local request = assert(mp:next_request())
  assert.equal("GET", request.method)
  assert.equal("", request.body)
  local url, context = request.url:match "^([^?]*)%?.*&context=([^&]*)"
  assert.matches("/flags$", url)
  return request, unescape(context)
end

local function variant(value, changes)
  local v = { variant_key = "on", variant_value = value }
  for name, change in pairs(changes or {}) do
    v[name] = change
  end
  return v
end

-- Answers the next request with variants.
local function answer(mp, variants)
  local request, context = take(mp)
  mp:answer(request.id, 200, nil, cjson.encode { code = 200, flags = variants })
  return context
end

-- A client that knows these variants of `user`.
local function with(variants, options)
  local mp, f = new(options)
  f:request(user)
  answer(mp, variants)
  return mp, f
end

describe("a flag of Mixpanel's", function()
  it("is asked for with the context, as Mixpanel's SDKs do", function()
    local mp, f = new()
    assert.is_truthy(f:request {
      distinct_id = 12,
      device_id = 1.5,
      custom_properties = {
        B = "X y&=",
        a = { 1, true, mixpanel.null },
        ["ü"] = {},
      },
    })
    local request, context = take(mp)
    assert.equal(
      '{"device_id":"1.5","distinct_id":"12","custom_properties":'
        .. '{"B":"X y&=","a":[1,true,null],"ü":{}}}',
      context
    )
    assert.matches(
      "%?token=projecttoken&mp_lib=lua&lib_version=" .. mixpanel._VERSION:gsub("%.", "%%.") .. "&",
      request.url
    )
    assert.equal("Basic cHJvamVjdHRva2VuOg==", request.headers.Authorization)
    assert.is_nil(request.url:find "[^%w%%%-%._~:/?&=]")
  end)

  it("has a value, or the fallback", function()
    local _, f = with { a = variant(true), b = variant "x", c = variant { 1, { x = false } } }
    assert.is_true(f:is_enabled("a", user))
    assert.is_false(f:is_enabled("b", user))
    assert.equal("x", f:get_variant_value("b", "no", user))
    assert.same({ 1, { x = false } }, f:get_variant_value("c", nil, user))
    assert.equal("no", f:get_variant_value("d", "no", user))
    assert.is_false(f:is_enabled("d", user))
  end)

  it("tells its variant, or why there is none", function()
    local _, f = with {
      a = variant(3, { experiment_id = "e", is_experiment_active = true, is_qa_tester = false }),
    }
    assert.same({
      variant_key = "on",
      variant_value = 3,
      experiment_id = "e",
      is_experiment_active = true,
      is_qa_tester = false,
      variant_source = "remote",
    }, f:get_variant("a", nil, user))
    assert.same({
      variant_value = 1,
      variant_source = "fallback",
      fallback_reason = "FLAG_NOT_FOUND",
    }, f:get_variant("b", { variant_value = 1 }, user))
    assert.equal("NOT_READY", f:get_variant("a", nil, { distinct_id = "u2" }).fallback_reason)
  end)

  it("is one of all that somebody has", function()
    local mp, f = with { a = variant(true), b = variant(2) }
    local all = f:get_all_variants(user)
    assert.is_true(all.a.variant_value)
    assert.equal("remote", all.b.variant_source)
    assert.same({}, flagged.events(mp))
    local none, message, code = f:get_all_variants { distinct_id = "u2" }
    assert.is_nil(none)
    assert.equal("timeout: Mixpanel has not answered yet", message)
    assert.equal("timeout", code)
  end)

  it("is not asked for again, whatever the order of the context", function()
    local mp, f = with { a = variant(true) }
    for i = 1, 50 do
      local properties = {}
      for j = 1, 20 do
        properties["p" .. (i * j) % 21] = true -- in another order each time
      end
      for name in pairs(properties) do
        properties[name] = nil
      end
      properties.plan = "Pro"
      assert.is_true(f:is_enabled("a", { custom_properties = properties, distinct_id = "u1" }))
    end
    assert.equal(1, mp:stats().flags.remote.requests)
    f:is_enabled("a", { distinct_id = "u1" })
    f:is_enabled("a", { distinct_id = "u1" })
    assert.equal('{"distinct_id":"u1"}', answer(mp, {}))
  end)
end)

describe("a request", function()
  it("has a result once its answer came", function()
    local mp, f = new()
    local id = f:request(user)
    assert.is_false(f:result(id))
    assert.is_false(f:done(id))
    answer(mp, { a = variant(1) })
    assert.is_true(f:done(id))
    assert.equal(1, f:result(id).a.variant_value)
    assert.equal(id, f:request(user)) -- fresh: not asked for again
    assert.equal(1, f:result(id).a.variant_value)
  end)

  it("that failed says why", function()
    local mp, f = new()
    local id = f:request(user)
    mp:answer(take(mp).id, 401, nil, '{"error":"Invalid credentials","status":"error"}')
    local none, message, code = f:result(id)
    assert.is_nil(none)
    assert.equal("/flags: status 401: Invalid credentials", message)
    assert.equal("network", code)
    assert.equal(message, f:get_variant("a", nil, user).fallback_message)
    assert.equal("BACKEND_ERROR", f:get_variant("a", nil, user).fallback_reason)
    assert.equal(message, mp:stats().flags.last_error)
  end)

  it("is one that there is", function()
    local _, f = new()
    for _, id in ipairs { 0, -1, 1.5, 2 ^ 60, 0 / 0, 1, 1048577 } do
      local none, message, code = f:result(id)
      assert.is_nil(none)
      assert.matches("^id: there is no such request", message)
      assert.equal("invalid", code)
    end
    assert.error_matches(function()
      f:result "1"
    end, "id of a request: number expected, got string")
  end)

  it("is refused for a context without JSON, or with too much", function()
    local mp, f = new()
    local cycle = {}
    cycle.cycle = cycle
    local bad = {
      ["a value has no JSON form"] = { x = print },
      ["nested deeper than 64 levels"] = { custom_properties = cycle },
      ["an id is no finite number"] = { distinct_id = 0 / 0 },
      ["a key is no text"] = { custom_properties = { [true] = 1 } },
      ["it has more than 8 KiB of JSON"] = { distinct_id = ("x"):rep(8192) },
    }
    for message, context in pairs(bad) do
      local none, said, code = f:request(context)
      assert.is_nil(none)
      assert.equal("context: " .. message, said)
      assert.equal("invalid", code)
      local got = f:get_variant("a", { variant_value = 1 }, context)
      assert.equal("INVALID_CONTEXT", got.fallback_reason)
      assert.equal(message, got.fallback_message)
      assert.equal(1, got.variant_value)
    end
    assert.is_nil((mp:next_request()))
    assert.is_truthy(f:request { distinct_id = ("x"):rep(8192 - #'{"distinct_id":""}') })
    assert.error_matches(function()
      f:request "u1"
    end, "context: table expected, got string")
    assert.error_matches(function()
      f:request { custom_properties = 1 }
    end, "context.custom_properties: got 1, expected a table")
  end)

  it("waits for one of those before when there are too many", function()
    local mp, f = new { mode = "remote", contexts = 2 }
    local first = f:request { distinct_id = 1 }
    f:request { distinct_id = 2 }
    local none, _, code = f:request { distinct_id = 3 }
    assert.is_nil(none)
    assert.equal("queue_full", code)
    answer(mp, { a = variant(1) })
    assert.equal(1, f:result(first).a.variant_value)
    assert.is_truthy(f:request { distinct_id = 3 })
    assert.equal("invalid", select(3, f:result(first))) -- it made room
    assert.equal(2, mp:stats().flags.remote.contexts)
  end)
end)

describe("the last answer", function()
  it("serves where no other comes", function()
    local mp, f = with({ a = variant(1) }, { mode = "remote", ttl = 1, exposure = "never" })
    local now = os.time()
    repeat -- until it is asked for again
      assert.is_true(os.time() < now + 20)
      local source = f:get_variant("a", nil, user).variant_source
    until source ~= "remote"
    assert.equal("persistence", f:get_variant("a", nil, user).variant_source)
    mp:answer(take(mp).id, nil, "no network")
    local got = f:get_variant("a", nil, user)
    assert.equal(1, got.variant_value)
    assert.equal("persistence", got.variant_source)
    assert.equal(1, mp:stats().flags.remote.failures)
    assert.is_nil((mp:next_request())) -- it is too early to ask again
    mp:close(0)
    assert.equal("persistence", f:get_variant("a", nil, user).variant_source)
  end)

  it("stays when the next is of no use", function()
    for _, body in ipairs { "", "<html>", "{}", '{"flags":[]}', '{"flags":{"a":' } do
      local mp, f = new()
      local id = f:request(user)
      mp:answer(take(mp).id, 200, nil, body)
      local none, message, code = f:result(id)
      assert.is_nil(none)
      assert.matches("^/flags: ", message)
      assert.equal("network", code)
    end
  end)
end)

describe("an exposure of a flag of Mixpanel's", function()
  it("has the properties of Mixpanel's SDKs, and is reported once", function()
    local mp, f = with { a = variant(1, { experiment_id = "e", is_experiment_active = true }) }
    for _ = 1, 10 do
      f:get_variant_value("a", nil, user)
    end
    f:get_variant_value("b", nil, user)
    f:get_variant_value("a", nil, { distinct_id = "u2" }) -- not answered yet
    answer(mp, {})
    local list = flagged.events(mp)
    assert.equal(1, #list)
    local properties = list[1].properties
    local number = properties["Variant fetch latency (ms)"]
    assert.is_true(number >= 0 and number < 60000)
    for _, name in ipairs { "Variant fetch start time", "Variant fetch complete time" } do
      assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", properties[name])
    end
    assert.equal("$experiment_started", list[1].event)
    assert.equal("remote", properties["Flag evaluation mode"])
    assert.equal("a", properties["Experiment name"])
    assert.equal("on", properties["Variant name"])
    assert.equal("feature_flag", properties["$experiment_type"])
    assert.equal("e", properties["$experiment_id"])
    assert.is_true(properties["$is_experiment_active"])
    assert.equal("u1", properties.distinct_id)
    assert.equal(1, mp:stats().flags.exposures)
  end)

  it("is reported by hand", function()
    local mp, f = with { a = variant(1) }
    local got = f:get_variant("a", nil, user, false)
    assert.same({}, flagged.events(mp))
    assert.is_true(f:track_exposure_event("a", got, user))
    local properties = flagged.events(mp)[1].properties
    assert.equal("remote", properties["Flag evaluation mode"])
    assert.is_nil(properties["Variant fetch start time"])
  end)
end)

describe("the option flags", function()
  local function refuses(message, options)
    assert.error_matches(function()
      new(options)
    end, message)
  end

  it("has members for what Mixpanel decides", function()
    refuses("'flags.ttl': got 0, expected seconds from 1", { mode = "remote", ttl = 0 })
    refuses("'flags.timeout': got %-1, expected seconds from 0", { mode = "both", timeout = -1 })
    refuses("'flags.contexts': got 0.5, expected an integer", { mode = "both", contexts = 0.5 })
    refuses('\'flags.ttl\' needs flags.mode "remote" or "both"', { ttl = 1 })
    refuses(
      '\'flags.poll_interval\' needs flags.mode "local" or "both"',
      { mode = "remote", poll_interval = 1 }
    )
    refuses("'flags.file' needs flags.mode", { mode = "remote", file = "/tmp/x" })
    assert.is_truthy(new { mode = "both", ttl = 1, poll_interval = 1, timeout = 0, contexts = 1 })
  end)

  it("says who decides", function()
    local mp = new()
    assert.error_matches(function()
      mp.local_flags:is_enabled("a", user)
    end, 'local_flags: option \'flags\' of this client is "remote": say flags = "local" or "both"')
    mp = flagged.new()
    assert.error_matches(function()
      mp.remote_flags:is_enabled("a", user)
    end, 'remote_flags: option \'flags\' of this client is "local": say flags = "remote" or "both"')
    mp = mixpanel.new("projecttoken", { transport = "manual" })
    for _, method in ipairs { "get_variant_value", "request", "result", "get_all_variants" } do
      assert.error_matches(function()
        mp.remote_flags[method](mp.remote_flags, 1)
      end, "remote_flags: this client was made without option 'flags'")
    end
    mp = flagged.new { flags = "both" }
    assert.is_false(mp.local_flags:are_flags_ready())
    assert.is_truthy(mp.remote_flags:request(user))
  end)
end)

describe("a closed client", function()
  it("knows what Mixpanel decided, and asks nothing", function()
    local mp, f = with { a = variant(1) }
    local id = f:request { distinct_id = "u2" }
    mp:close(0)
    assert.equal(1, f:get_variant_value("a", nil, user))
    assert.equal("BACKEND_ERROR", f:get_variant("a", nil, { distinct_id = "u3" }).fallback_reason)
    assert.equal("closed", select(3, f:request(user)))
    assert.equal("closed", select(3, f:result(id)))
    assert.is_nil((mp:next_request()))
    debug.getmetatable(mp).__gc(mp)
    assert.equal("NOT_READY", f:get_variant("a", nil, user).fallback_reason)
    assert.equal("closed", select(3, f:result(id)))
  end)
end)
