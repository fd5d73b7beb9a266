-- The feature flags of a user: asked for in the background whenever the user is
-- another, kept in the state. The spec carries the requests.
local cjson = require "cjson"
local flagged = require "spec.support.flagged"
local mixpanel = require "mixpanel"
local users = require "spec.support.users"

local function client(options)
  return flagged.new { flags = options or "remote" }
end

local function variant(value)
  return { variant_key = "on", variant_value = value, experiment_id = "e" }
end

-- The context of the next request, which asks for flags, and its id.
local function take(mp)
  local request = assert(mp:next_request())
  assert.equal("GET", request.method)
  local context = request.url:match "&context=([^&]*)"
  return cjson.decode((context:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))),
    request.id
end

local function answer(mp, variants)
  local context, id = take(mp)
  mp:answer(id, 200, nil, cjson.encode { code = 200, flags = variants })
  return context
end

describe("the flags of a user", function()
  it("are asked for when the user is made", function()
    local mp = client()
    local me = mp:user { distinct_id = "u1", device_id = "d1", flags = true }
    assert.is_false(me.flags:are_flags_ready())
    assert.equal("NOT_READY", me.flags:get_variant("a").fallback_reason)
    assert.equal("mine", me.flags:get_variant_value("a", "mine"))
    assert.is_false(me.flags:is_enabled "a")
    assert.is_true(me.flags:is_enabled("a", true))
    local mark = me.flags:when_ready()
    assert.is_false(me.flags:done(mark))
    assert.same(
      { distinct_id = "u1", device_id = "d1" },
      answer(mp, {
        a = variant(true),
        b = variant { 1, 2 },
      })
    )
    assert.is_true(me.flags:done(mark))
    assert.is_true(me.flags:are_flags_ready())
    assert.is_true(me.flags:is_enabled "a")
    assert.is_false(me.flags:is_enabled("b", true))
    assert.same({ 1, 2 }, me.flags:get_variant_value("b", "mine"))
    assert.equal("remote", me.flags:get_variant("a").variant_source)
    local missing = me.flags:get_variant("c", { variant_value = 1 })
    assert.equal("FLAG_NOT_FOUND", missing.fallback_reason)
    assert.equal(1, missing.variant_value)
  end)

  it("are asked for again when the user is another", function()
    local mp = client()
    local me = mp:user { flags = true }
    local anonymous = answer(mp, { a = variant "anonymous" })
    assert.matches("^%$device:", anonymous.distinct_id)
    me:identify "u1"
    assert.equal("anonymous", me.flags:get_variant_value "a") -- until the answer
    assert.equal("persistence", me.flags:get_variant("a").variant_source)
    local context
    for request in mp.next_request, mp do
      if request.method == "GET" then
        context = request.url
        mp:answer(request.id, 200, nil, cjson.encode { flags = { a = variant "known" } })
      else
        mp:answer(request.id, 200, nil, "1")
      end
    end
    assert.is_truthy(context:find("u1", 1, true))
    assert.equal("known", me.flags:get_variant_value "a")
    assert.equal("remote", me.flags:get_variant("a").variant_source)
    me:reset()
    assert.equal("NOT_READY", me.flags:get_variant("a").fallback_reason)
    assert.is_false(me.flags:are_flags_ready())
    local other = answer(mp, { a = variant "other" })
    assert.is_not.equal(anonymous.distinct_id, other.distinct_id)
    assert.equal("other", me.flags:get_variant_value "a")
  end)

  it("are decided by a context that can be changed", function()
    local mp = client { mode = "remote", exposure = "never" }
    local me = mp:user { distinct_id = "u1", device_id = "d", flags = true }
    answer(mp, {})
    local properties = { plan = "free" }
    assert.is_true(me.flags:update_context { custom_properties = properties, company_id = 7 })
    properties.plan = "changed" -- of the caller's
    assert.same({
      distinct_id = "u1",
      device_id = "d",
      custom_properties = { plan = "free" },
      company_id = 7,
    }, answer(mp, { a = variant(1) }))
    assert.is_true(me.flags:update_context { custom_properties = { plan = "pro" } })
    assert.same({
      distinct_id = "u1",
      device_id = "d",
      custom_properties = { plan = "pro" },
      company_id = 7,
    }, answer(mp, { a = variant(2) }))
    assert.equal(2, me.flags:get_variant_value "a")
    assert.is_true(me.flags:update_context({ x = true }, { replace = true }))
    assert.same({ distinct_id = "u1", device_id = "d", x = true }, answer(mp, {}))
  end)

  it("refuse a context that cannot be sent", function()
    local mp = client()
    local me = mp:user { distinct_id = "u1", flags = true }
    answer(mp, { a = variant(1) })
    local none, message, code = me.flags:update_context { x = ("x"):rep(8192) }
    assert.is_nil(none)
    assert.equal("context: it has more than 8 KiB of JSON", message)
    assert.equal("invalid", code)
    none, message = me.flags:update_context { x = print }
    assert.is_nil(none)
    assert.equal("context: a value has no JSON form", message)
    for _, bad in ipairs { { distinct_id = "x" }, { device_id = 1 } } do
      assert.error_matches(function()
        me.flags:update_context(bad)
      end, "the ids are the user's: see identify")
    end
    assert.error_matches(function()
      me.flags:update_context "x"
    end, "context: table expected")
    assert.error_matches(function()
      me.flags:update_context({}, { replaces = true })
    end, 'unknown option "replaces": expected replace')
    assert.error_matches(function()
      me.flags:update_context({}, { replace = 1 })
    end, "option 'replace': got 1, expected true or false")
    assert.equal(1, me.flags:get_variant_value "a") -- as they were
    assert.is_nil((mp:next_request()))
  end)

  it("are loaded again when that is wanted", function()
    local mp = client { mode = "remote", ttl = 1, exposure = "never" }
    local me = mp:user { distinct_id = "u1", flags = true }
    answer(mp, { a = variant(1) })
    assert.equal(1, me.flags:get_variant_value "a")
    local now = os.time()
    local request
    repeat -- the answer is fresh for a second
      assert.is_true(os.time() < now + 20)
      assert.is_true(me.flags:load_flags())
      request = mp:next_request()
    until request
    assert.equal(1, me.flags:get_variant_value "a")
    mp:answer(request.id, 200, nil, cjson.encode { flags = { a = variant(2) } })
    assert.equal(2, me.flags:get_variant_value "a")
  end)

  it("serve when the next answer does not come, and ask again later", function()
    local mp = client { mode = "remote", exposure = "never" }
    local me = mp:user { distinct_id = "u1", flags = true }
    answer(mp, { a = variant(1) })
    assert.equal(1, me.flags:get_variant_value "a")
    me.flags:update_context { x = 1 }
    local _, id = take(mp)
    mp:answer(id, nil, "no network")
    local got = me.flags:get_variant "a"
    assert.equal(1, got.variant_value)
    assert.equal("persistence", got.variant_source)
    local now = os.time()
    local request
    repeat -- it is too early for a second
      assert.is_true(os.time() < now + 20)
      me.flags:get_variant "a"
      request = mp:next_request()
    until request
    mp:answer(request.id, 200, nil, cjson.encode { flags = { a = variant(2) } })
    assert.equal("remote", me.flags:get_variant("a").variant_source)
  end)

  it("are reported as the user's own events, once", function()
    local mp = client()
    local me = mp:user { distinct_id = "u1", device_id = "d1", flags = true }
    me:register { level = 3 }
    answer(mp, { a = variant(true) })
    for _ = 1, 10 do
      me.flags:is_enabled "a"
    end
    local events = flagged.events(mp)
    assert.equal(1, #events)
    local properties = events[1].properties
    assert.equal("$experiment_started", events[1].event)
    assert.equal("u1", properties.distinct_id)
    assert.equal("d1", properties["$device_id"])
    assert.equal(3, properties.level)
    assert.equal("a", properties["Experiment name"])
    assert.equal("on", properties["Variant name"])
    assert.equal("e", properties["$experiment_id"])
    assert.equal("remote", properties["Flag evaluation mode"])
    me:disable "$experiment_started"
    me:identify "u2"
    for request in mp.next_request, mp do
      mp:answer(request.id, 200, nil, cjson.encode { flags = { a = variant(true) } })
    end
    assert.is_true(me.flags:is_enabled "a")
    for _, event in ipairs(flagged.events(mp)) do
      assert.equal("$identify", event.event)
    end
  end)

  it("are not asked for while the user has opted out", function()
    local mp = client()
    local me = mp:user { opt_out_by_default = true, flags = true }
    assert.is_nil((mp:next_request()))
    assert.is_false(me.flags:is_enabled "a")
    assert.equal("opted_out", select(3, me.flags:load_flags()))
    assert.equal("opted_out", select(3, me.flags:when_ready()))
    assert.is_true(me.flags:update_context { x = 1 })
    me:identify "u1"
    me:reset()
    assert.is_nil((mp:next_request()))
    me:opt_in_tracking()
    users.sent(mp)
    me.flags:is_enabled "a"
    assert.equal(1, answer(mp, { a = variant(true) }).x)
    assert.is_true(me.flags:is_enabled "a")
    flagged.events(mp)
    me:opt_out_tracking { clear_persistence = false, delete_user = false }
    assert.is_true(me.flags:is_enabled "a") -- which nothing reports
    me:identify "u3"
    assert.is_nil((mp:next_request()))
  end)

  it("are kept in the state", function()
    local mp = client { mode = "remote", exposure = "never" }
    local me = mp:user { distinct_id = "u1", flags = true }
    answer(mp, { a = variant(123456789012), ["ü"] = variant { x = { "y" } } })
    assert.is_true(me.flags:are_flags_ready())
    local state = me:export_state()
    local next_client = client { mode = "remote", exposure = "never" }
    local again = next_client:user { state = state, flags = true }
    assert.equal(123456789012, again.flags:get_variant_value "a")
    assert.same({ x = { "y" } }, again.flags:get_variant_value "ü")
    assert.equal("persistence", again.flags:get_variant("a").variant_source)
    assert.is_false(again.flags:are_flags_ready())
    answer(next_client, {})
    assert.is_nil(again.flags:get_variant_value "a")

    local other = next_client:user { state = state, distinct_id = "u2", flags = true }
    assert.equal("NOT_READY", other.flags:get_variant("a").fallback_reason)

    local without = client():user { state = state }
    assert.equal(state.flags, without:export_state().flags) -- not lost

    state.flags_at = state.flags_at - 25 * 60 * 60 * 1000
    again = client():user { state = state, flags = true }
    assert.equal("NOT_READY", again.flags:get_variant("a").fallback_reason)
  end)

  it("are refused in a state that was tampered with", function()
    for _, bad in ipairs {
      { flags = "{", flags_at = 1 },
      { flags = 1, flags_at = 1 },
      { flags = "{}" },
      { flags = "{}", flags_at = "x" },
    } do
      bad.version, bad.distinct_id = 1, "u1"
      local mp = client()
      local me = mp:user { state = bad, flags = true }
      assert.is_not.equal("u1", me:get_distinct_id())
      assert.matches('"flags" is not what it should be', mp:poll()[1].message)
    end
    local good = { version = 1, distinct_id = "u1", flags = "[1,2]", flags_at = os.time() * 1000 }
    local me = client():user { state = good, flags = true }
    assert.equal("NOT_READY", me.flags:get_variant("a").fallback_reason)
  end)

  it("need an option, of the user and of the client", function()
    local mp = client()
    local me = mp:user { distinct_id = "u1" }
    for _, method in ipairs { "is_enabled", "load_flags", "get_variant_value", "when_ready" } do
      assert.error_matches(function()
        me.flags[method](me.flags, "a")
      end, "flags: this user was made without option 'flags': say flags = true to mp:user")
    end
    for _, other in ipairs {
      flagged.new { flags = "local" },
      mixpanel.new("projecttoken", { transport = "manual" }),
    } do
      assert.error_matches(function()
        other:user { flags = true }
      end, "option 'flags' of a user needs a client that was made with option flags = \"remote\"")
    end
    assert.error_matches(function()
      mp:user { flags = "yes" }
    end, "option 'flags': got \"yes\", expected true or false")
    assert.is_truthy(flagged.new({ flags = "both" }):user { flags = true })
    me = mp:user { flags = true }
    assert.error_matches(function()
      me.flags:is_enabled()
    end, "flag: string expected, got nil")
    assert.error_matches(function()
      me.flags:is_enabled("a", 1)
    end, "fallback: boolean expected, got number")
    assert.error_matches(function()
      me.flags:get_variant("a", 1)
    end, "fallback: expected a variant")
  end)

  it("outlive their client and their user", function()
    local mp = client()
    local me = mp:user { distinct_id = "u1", flags = true }
    answer(mp, { a = variant(true) })
    assert.is_true(me.flags:is_enabled "a")
    mp:close(0)
    assert.is_true(me.flags:is_enabled "a")
    assert.equal("closed", select(3, me.flags:load_flags()))
    assert.equal("closed", select(3, me.flags:update_context {}))
    debug.getmetatable(me).__gc(me)
    assert.is_false(me.flags:is_enabled "a")
    assert.is_false(me.flags:are_flags_ready())
    assert.equal("closed", select(3, me.flags:load_flags()))
    assert.equal("closed", select(3, me.flags:when_ready()))
    assert.equal("closed", select(3, me.flags:update_context {}))
    debug.getmetatable(mp).__gc(mp)
    assert.equal("closed", select(3, me.flags:done(1)))
  end)
end)
