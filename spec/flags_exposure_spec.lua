-- Which exposures of flags are reported, and how often.
local definitions = require "spec.support.definitions"
local flagged = require "spec.support.flagged"

local flag = definitions.flag
local ruled = definitions.ruled
local user = { distinct_id = "u1" }

describe("an exposure", function()
  local function names(events)
    local list = {}
    for i, event in ipairs(events) do
      list[i] = event.properties["Experiment name"] .. " " .. event.properties.distinct_id
    end
    return list
  end

  it("is an event with the properties of Mixpanel's SDKs", function()
    local mp, f = flagged.with { flag "a" }
    f:is_enabled("a", { distinct_id = 12, custom_properties = { plan = "pro" } })
    local events = flagged.events(mp)
    assert.equal(1, #events)
    local properties = events[1].properties
    assert.equal("$experiment_started", events[1].event)
    assert.matches("^%x+$", properties["$insert_id"])
    assert.equal("number", type(properties["Variant fetch latency (ms)"]))
    for _, name in ipairs { "$insert_id", "time", "Variant fetch latency (ms)", "$lib_version" } do
      properties[name] = nil
    end
    assert.same({
      token = "projecttoken",
      mp_lib = "lua",
      ip = 0,
      distinct_id = "12",
      ["Experiment name"] = "a",
      ["Variant name"] = "on",
      ["$experiment_type"] = "feature_flag",
      ["Flag evaluation mode"] = "local",
      ["$experiment_id"] = "experiment of a",
      ["$is_experiment_active"] = true,
      ["$is_qa_tester"] = false,
    }, properties)
  end)

  it("is reported once for each id, flag and variant", function()
    local mp, f = flagged.with { flag "a", flag "b" }
    for _ = 1, 100 do
      for id = 1, 3 do
        f:is_enabled("a", { distinct_id = id })
        f:get_variant("b", nil, { distinct_id = id })
      end
    end
    local seen = names(flagged.events(mp))
    table.sort(seen)
    assert.same({ "a 1", "a 2", "a 3", "b 1", "b 2", "b 3" }, seen)
    assert.equal(6, mp:stats().flags.exposures)
    assert.equal(600, mp:stats().flags.evaluations)
  end)

  it("has the same $insert_id whoever reports it", function()
    local ids = {}
    for i = 1, 2 do
      local mp, f = flagged.with { flag "a" }
      f:is_enabled("a", user)
      ids[i] = flagged.events(mp)[1].properties["$insert_id"]
    end
    assert.equal(ids[1], ids[2])
  end)

  it("is reported always, or never", function()
    local mp, f = flagged.with({ flag "a" }, { flags = { mode = "local", exposure = "always" } })
    f:is_enabled("a", user)
    f:is_enabled("a", user)
    local events = flagged.events(mp)
    assert.equal(2, #events)
    assert.is_not.equal(events[1].properties["$insert_id"], events[2].properties["$insert_id"])
    mp, f = flagged.with({ flag "a" }, { flags = { mode = "local", exposure = "never" } })
    f:is_enabled("a", user)
    assert.same({}, flagged.events(mp))
  end)

  it("needs an id, a variant, and nobody who says no", function()
    local mp, f = flagged.with { flag("a", { context = "company" }), ruled("b", false) }
    f:is_enabled("a", { company = "acme" })
    f:is_enabled("a", { company = "acme", distinct_id = "u1" }, false)
    f:get_variant("a", nil, { company = "acme", distinct_id = "u1" }, false)
    f:get_variant_value("a", nil, { company = "acme", distinct_id = "u1" }, false)
    f:is_enabled("missing", user)
    assert.same({}, flagged.events(mp))
    assert.error_matches(function()
      f:is_enabled("a", user, "no")
    end, "report_exposure: boolean expected, got string")
  end)

  it("is reported by hand", function()
    local mp, f = flagged.with { flag "a" }
    local variant = f:get_variant("a", nil, user, false)
    assert.is_true(f:track_exposure_event("a", variant, user))
    assert.is_true(f:track_exposure_event("a", variant, user))
    local events = flagged.events(mp)
    assert.equal(1, #events)
    assert.equal("on", events[1].properties["Variant name"])
    assert.equal("experiment of a", events[1].properties["$experiment_id"])
    assert.error_matches(function()
      f:track_exposure_event("a", {}, user)
    end, "variant.variant_key: string expected")
    assert.error_matches(function()
      f:track_exposure_event("a", variant, {})
    end, "context.distinct_id: expected the id of whoever saw")
  end)

  it("that cannot be queued is counted, and tried again", function()
    local mp, f = flagged.with({ flag "a" }, { max_queue_bytes = 65536 })
    local filler = ("x"):rep(20000)
    while mp:track("Filler", { filler = filler }) do
      assert.is_true(true)
    end
    while mp:track("Filler", {}) do
      assert.is_true(true)
    end
    assert.is_true(f:is_enabled("a", user))
    local stats = mp:stats().flags
    assert.equal(0, stats.exposures)
    assert.equal(1, stats.exposures_failed)
    assert.matches("an exposure: queue_full", stats.last_error)
    flagged.events(mp)
    assert.is_true(f:is_enabled("a", user))
    assert.equal(1, #flagged.events(mp))
  end)

  it("with an id that Mixpanel refuses is counted", function()
    local mp, f = flagged.with { flag "a" }
    assert.is_true(f:is_enabled("a", { distinct_id = ("x"):rep(256) }))
    local stats = mp:stats().flags
    assert.equal(1, stats.exposures_failed)
    assert.matches("an exposure: invalid", stats.last_error)
    local ok, _, code = f:track_exposure_event(
      "a",
      { variant_key = "on" },
      { distinct_id = ("x"):rep(256) }
    )
    assert.is_nil(ok)
    assert.equal("invalid", code)
  end)
end)
