-- Flags that are decided in this process: what the methods take and return, and
-- which exposures they report. How rules decide is shown in spec/c, against
-- Mixpanel's SDK for Node.
local cjson = require "cjson"
local definitions = require "spec.support.definitions"
local flagged = require "spec.support.flagged"
local mixpanel = require "mixpanel"

local flag, ruled = definitions.flag, definitions.ruled
local user = { distinct_id = "u1" }

local function of_plan(plan)
  return { distinct_id = "u1", custom_properties = { plan = plan } }
end

local function with_value(key, value)
  return flag(key, {
    ruleset = {
      variants = { { key = "v", value = value, split = 1 } },
      rollout = { { rollout_percentage = 1 } },
    },
  })
end

describe("a flag", function()
  it("has a value, or the fallback", function()
    local _, f = flagged.with { flag "a", ruled("b", { ["=="] = { { var = "plan" }, "pro" } }) }
    assert.is_true(f:get_variant_value("a", "no", user))
    assert.is_true(f:get_variant_value("b", "no", of_plan "PRO"))
    assert.equal("no", f:get_variant_value("b", "no", of_plan "free"))
    assert.equal("no", f:get_variant_value("c", "no", user))
    assert.is_nil(f:get_variant_value("c", nil, user))
  end)

  it("is enabled if its value is exactly true", function()
    local _, f = flagged.with {
      with_value("yes", true),
      with_value("no", false),
      with_value("text", "true"),
      with_value("one", 1),
    }
    assert.is_true(f:is_enabled("yes", user))
    for _, key in ipairs { "no", "text", "one", "missing" } do
      assert.is_false(f:is_enabled(key, user))
    end
  end)

  it("tells its variant, or why there is none", function()
    local _, f = flagged.with { flag "a", ruled("b", false), flag("c", { context = "company" }) }
    assert.same({
      variant_key = "on",
      variant_value = true,
      experiment_id = "experiment of a",
      is_experiment_active = true,
      is_qa_tester = false,
      variant_source = "local",
    }, f:get_variant("a", nil, user))
    local fallback = { variant_key = "mine", variant_value = 3 }
    for key, reason in pairs {
      missing = "FLAG_NOT_FOUND",
      c = "MISSING_CONTEXT_KEY",
    } do
      assert.same({
        variant_key = "mine",
        variant_value = 3,
        variant_source = "fallback",
        fallback_reason = reason,
      }, f:get_variant(key, fallback, user))
    end
    assert.same({ variant_key = "mine", variant_value = 3 }, fallback)
    assert.equal("FLAG_NOT_FOUND", f:get_variant("missing", nil, user).fallback_reason)
  end)

  it("has values of every kind", function()
    local text = [=[{"flags":[{"key":"a","context":"distinct_id","ruleset":{"variants":[{"key":"v",
      "split":1,"value":{"n":null,"i":9007199254740993,"d":0.5,"l":[1,"x",null,[]],"t":"ü"}}],
      "rollout":[{"rollout_percentage":1}]}}]}]=]
    local _, f = flagged.with(text)
    local value = f:get_variant_value("a", nil, user)
    assert.equal(mixpanel.null, value.n)
    assert.equal(0.5, value.d)
    assert.same({ 1, "x", mixpanel.null, {} }, value.l)
    assert.equal("ü", value.t)
    if _VERSION ~= "Lua 5.1" then
      assert.equal("9007199254740993", tostring(value.i))
    end
    local _, g = flagged.with { with_value("null", cjson.null) }
    assert.is_nil(g:get_variant_value("null", "fallback", user))
  end)

  it("is hashed by the attribute that it names", function()
    local half = flag("a", { context = "company" })
    half.ruleset.rollout[1].rollout_percentage = 0.5
    local _, f = flagged.with { half }
    local on = 0
    for i = 1, 1000 do
      local by_number = f:is_enabled("a", { company = i }, false)
      assert.equal(by_number, f:is_enabled("a", { company = tostring(i) }, false))
      on = on + (by_number and 1 or 0)
    end
    assert.is_true(on > 400 and on < 600, on)
  end)

  it("is one of all that somebody has", function()
    local mp, f =
      flagged.with { flag "a", ruled("b", { ["in"] = { { var = "plan" }, "pro" } }), flag "c" }
    local all = f:get_all_variants(of_plan "pro")
    assert.is_true(all.a.variant_value and all.b.variant_value and all.c.variant_value)
    all = f:get_all_variants(of_plan "free")
    assert.is_nil(all.b)
    assert.equal("on", all.c.variant_key)
    assert.same({}, flagged.events(mp))
  end)
end)

describe("definitions", function()
  it("that are faulty are left out, and counted", function()
    local text = cjson.encode {
      flags = {
        flag "a",
        { key = "b" },
        { name = "no key" },
        flag("c", { ruleset = { variants = {}, rollout = {} } }),
        flag("d", { ruleset = { variants = "all", rollout = {} } }),
        ruled("e", "DEEP"),
        ruled("f", { no_such = { 1 } }),
      },
    }
    text = text:gsub('"DEEP"', ('{"!":['):rep(1000) .. "1" .. ("]}"):rep(1000))
    local mp, f = flagged.with(text)
    assert.is_true(f:is_enabled("a", user))
    for _, key in ipairs { "b", "c", "d", "e", "f" } do
      assert.is_false(f:is_enabled(key, { distinct_id = "u1", custom_properties = {} }))
    end
    local stats = mp:stats().flags
    assert.equal(5, stats.faulty)
    assert.matches('flag "b": its member "context" is missing', stats.fault)
    assert.equal(1, stats.rule_errors)
  end)

  it("are handed out as a GET, with the tag of those before", function()
    local mp = flagged.new { api_host = "https://proxy.example/mp" }
    mp.local_flags:are_flags_ready()
    local request = mp:next_request()
    local url =
      "https://proxy.example/mp/flags/definitions?token=projecttoken&mp_lib=lua&lib_version="
    assert.equal(url .. mixpanel._VERSION, request.url)
    assert.equal("GET", request.method)
    assert.equal("", request.body)
    assert.equal("Basic cHJvamVjdHRva2VuOg==", request.headers.Authorization)
    assert.is_nil(request.headers["If-None-Match"])
    mp:answer(request.id, 200, { ETag = '"7"' }, cjson.encode { flags = { flag "a" } })
    request = flagged.fetch(mp)
    assert.equal('"7"', request.headers["If-None-Match"])
    mp:answer(request.id, 304)
    assert.equal(0, mp:stats().flags.failures)
    mp:answer(
      flagged.fetch(mp).id,
      200,
      { ETag = "a\r\nX: y" },
      cjson.encode { flags = { flag "b" } }
    )
    assert.is_nil(flagged.fetch(mp).headers["If-None-Match"])
    assert.is_true(mp.local_flags:is_enabled("b", user))
  end)

  it("are waited for by the host", function()
    local mp = flagged.new()
    local ok, message, code = mp.local_flags:wait(10)
    assert.is_nil(ok)
    assert.equal("timeout: no definitions of flags have come yet", message)
    assert.equal("timeout", code)
    flagged.answer(mp, { flag "a" })
    assert.is_true(mp.local_flags:wait(10))
    assert.equal("timeout", select(3, mp.local_flags:refresh(10)))
  end)

  it("are asked for when the host is told to", function()
    local mp, f = flagged.with({ flag "a" }, { flags = { mode = "local", poll_interval = 1000 } })
    local request, seconds = mp:next_request()
    assert.is_nil(request)
    assert.is_true(seconds > 0)
    assert.is_true(f:stop_polling_for_definitions())
    mp:answer(flagged.fetch(mp).id, nil, "no network")
    assert.equal("no network", mp:stats().flags.last_error)
    assert.is_true(f:is_enabled("a", user))
  end)
end)

describe("a context", function()
  local _, f

  setup(function()
    _, f = flagged.with {
      flag "plain",
      ruled("rule", { ["=="] = { { var = "deep.x" }, 1 } }),
      ruled("list", { ["in"] = { "b", { var = "list" } } }),
      ruled("any", { ["!!"] = { { var = "" } } }),
    }
  end)

  it("is a table", function()
    for _, bad in ipairs { "u1", 1, true, print } do
      assert.error_matches(function()
        f:is_enabled("plain", bad)
      end, "context: table expected, got " .. type(bad))
    end
    assert.error_matches(function()
      f:is_enabled "plain"
    end, "context: table expected, got no value")
    assert.error_matches(function()
      f:is_enabled("plain", { custom_properties = "pro" })
    end, 'context.custom_properties: got "pro", expected a table')
  end)

  it("is told from no context where flags want more than it has", function()
    for _, bad in ipairs { {}, print, 0 / 0, coroutine.create(print) } do
      local variant = f:get_variant("plain", nil, { distinct_id = bad })
      assert.equal("INVALID_CONTEXT", variant.fallback_reason)
    end
    for _, none in ipairs { {}, { distinct_id = mixpanel.null } } do
      assert.equal("MISSING_CONTEXT_KEY", f:get_variant("plain", nil, none).fallback_reason)
    end
  end)

  it("may hold whatever the flag does not look at", function()
    local properties = { deep = { X = 1 }, bad = print, nan = 0 / 0 }
    properties.cycle = properties
    for i = 1, 10000 do
      properties["attribute " .. i] = i
    end
    local context = { distinct_id = "u1", custom_properties = properties }
    assert.is_true(f:is_enabled("plain", context))
    assert.is_true(f:is_enabled("rule", context))
    assert.equal("INVALID_CONTEXT", f:get_variant("any", nil, context).fallback_reason)
    properties.bad = nil
    assert.equal("INVALID_CONTEXT", f:get_variant("any", nil, context).fallback_reason)
    properties.cycle = nil
    assert.is_true(f:is_enabled("any", context))
  end)

  it("has lists and objects as events have them", function()
    local function enabled(list)
      return f:is_enabled("list", { distinct_id = "u1", custom_properties = { list = list } })
    end
    assert.is_true(enabled { "a", "B" })
    assert.is_true(enabled(mixpanel.array { "b" }))
    assert.is_false(enabled { x = "b" })
    assert.is_false(enabled(mixpanel.object { "b" }))
    assert.is_false(enabled {})
    assert.is_false(enabled(mixpanel.null))
  end)
end)

describe("the option flags", function()
  local function new(flags, options)
    options = options or {}
    options.flags = flags
    options.transport = options.transport or "manual"
    return mixpanel.new("projecttoken", options)
  end

  local function refuses(flags, message, options)
    assert.error_matches(function()
      new(flags, options)
    end, message)
  end

  it("says what would be right", function()
    refuses("all", [[option 'flags': got "all", expected "local", "remote" or "both"]])
    refuses(true, [[option 'flags': got true, expected "local"]])
    refuses(
      { mode = "on" },
      [[option 'flags.mode': got "on", expected "local", "remote" or "both"]]
    )
    refuses({ poll_interval = 0 }, "option 'flags.poll_interval': got 0, expected seconds from 0.1")
    refuses({ exposure = "twice" }, [[option 'flags.exposure': got "twice", expected "once"]])
    refuses({ file = "" }, "option 'flags.file': got \"\", expected the path of a file")
    refuses({ pollInterval = 1 }, [[option 'flags': "pollInterval" is none of mode]])
    refuses({ "local" }, "option 'flags': 1 is none of mode")
    refuses(
      { file = "/tmp/x" },
      "'flags.file' and 'spool' exclude",
      { transport = "curl", spool = "/tmp/y" }
    )
  end)

  it("is for new", function()
    local mp = new "local"
    assert.error_matches(function()
      mp:set_config { flags = "local" }
    end, "option 'flags' is for mixpanel.new")
  end)

  it("is what the methods need", function()
    local mp = mixpanel.new("projecttoken", { transport = "manual" })
    local methods = { "is_enabled", "get_variant", "get_all_variants", "wait", "refresh" }
    for _, method in ipairs(methods) do
      assert.error_matches(function()
        mp.local_flags[method](mp.local_flags, "a", user)
      end, "without option 'flags'")
    end
    assert.is_nil(mp:stats().flags)
  end)

  it("keeps definitions in one place", function()
    local name = "one place"
    local mp = new({ file = "/tmp/a" }, { name = name })
    assert.error_matches(function()
      new({ file = "/tmp/b" }, { name = name })
    end, "another client of this project keeps its definitions in /tmp/a")
    assert.is_truthy(new({ file = "/tmp/a" }, { name = name }))
    mp:close()
  end)
end)

describe("a closed client", function()
  it("decides with what it has, and asks for nothing", function()
    local mp, f = flagged.with { flag "a" }
    mp:close(0)
    assert.is_true(f:is_enabled("a", user))
    assert.is_true(f:are_flags_ready())
    local _, message, code = f:refresh()
    assert.equal("this client is closed", message)
    assert.equal("closed", code)
    assert.is_nil((mp:next_request()))
  end)

  it("leaves what the host never answers", function()
    local mp = flagged.new()
    local request = flagged.fetch(mp)
    mp:close(0)
    assert.is_true(mp:answer(request.id, 200, nil, cjson.encode { flags = { flag "a" } }))
    assert.is_true(mp.local_flags:is_enabled("a", user))
    mp = flagged.new()
    flagged.fetch(mp)
    debug.getmetatable(mp).__gc(mp) -- the sanitizers see what is left
  end)

  it("that was collected has none", function()
    local mp, f = flagged.with { flag "a" }
    debug.getmetatable(mp).__gc(mp)
    assert.equal("NOT_READY", f:get_variant("a", nil, user).fallback_reason)
    assert.is_false(f:are_flags_ready())
    assert.same({}, f:get_all_variants(user))
  end)
end)
