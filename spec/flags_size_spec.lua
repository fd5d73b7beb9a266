-- Definitions of flags that are many, large or odd: who compiles them, and what
-- becomes of them.
local definitions = require "spec.support.definitions"
local flagged = require "spec.support.flagged"
local mixpanel = require "mixpanel"
local sandbox = require "spec.support.sandbox"

local flag = definitions.flag
local user = { distinct_id = "u1" }

local ONE = [[{"key":"flag %d","context":"distinct_id","ruleset":{"variants":[{"key":"on",]]
  .. [["value":%d,"split":1}],"rollout":[{"rollout_percentage":1%s}]}}]]
local RULE =
  [[,"runtime_evaluation_rule":{"and":[{"==":[{"var":"plan"},"pro"]},{">":[{"var":"n"},%d]}]}]]

-- The text of many definitions.
local function many(n, ruled)
  local list = {}
  for i = 1, n do
    list[i] = ONE:format(i, i, ruled and RULE:format(i) or "")
  end
  return '{"flags":[' .. table.concat(list, ",") .. "]}"
end

describe("definitions of flags", function()
  it("may be 100 000", function()
    local mp, f = flagged.with(many(100000))
    assert.equal(100000, mp:stats().flags.definitions)
    assert.equal(0, mp:stats().flags.faulty)
    for _, i in ipairs { 1, 54321, 100000 } do
      assert.equal(i, f:get_variant_value("flag " .. i, nil, user, false))
    end
    local n = 0
    for _ in pairs(f:get_all_variants(user)) do
      n = n + 1
    end
    assert.equal(100000, n)
  end)

  it("of 50 MB are refused, and those before stay", function()
    local mp, f = flagged.with { flag "a" }
    local request = flagged.fetch(mp)
    mp:answer(request.id, 200, nil, '{"flags":[{"name":"' .. ("x"):rep(50000000) .. '"}]}')
    assert.matches("they have 50000023 bytes, more than 16777216", mp:stats().flags.last_error)
    assert.is_true(f:is_enabled("a", user))
  end)

  it("with splits that do not add up give everybody a variant", function()
    local odd = flag "a"
    local function count(splits)
      local counts = { a = 0, b = 0, none = 0 }
      odd.ruleset.variants = {
        { key = "a", value = 1, split = splits[1] },
        { key = "b", value = 2, split = splits[2] },
      }
      local _, f = flagged.with { odd }
      for i = 1, 2000 do
        local key = f:get_variant("a", nil, { distinct_id = i }, false).variant_key or "none"
        counts[key] = counts[key] + 1
      end
      return counts
    end
    local counts = count { 0.2, 0.2 } -- the last gets the rest
    assert.is_true(counts.a > 300 and counts.a < 500 and counts.a + counts.b == 2000)
    assert.same({ a = 2000, b = 0, none = 0 }, count { 7, 0.5 })
    assert.same({ a = 0, b = 2000, none = 0 }, count { -1, -1 })
    counts = count { "0.5", {} } -- a malformed flag, or one with variants
    assert.equal(2000, counts.a + counts.b + counts.none)
  end)

  it("with names that come twice have the last", function()
    local one = '{"flags":[],"flags":[' .. ONE:format(1, 5, "") .. "]}"
    local _, f = flagged.with(one)
    assert.equal(5, f:get_variant_value("flag 1", nil, user))
    _, f = flagged.with { flag("a", { context = "company" }), flag "a" }
    assert.is_true(f:is_enabled("a", user))
  end)

  -- The nanoseconds that threads of this process spent on a processor: the one
  -- that runs Lua, and the one that fetches.
  local function processor_time()
    local file = assert(io.open "/proc/self/stat")
    local pid = file:read "*n"
    file:close()
    local times = {}
    local pipe = assert(io.popen(("ls /proc/%d/task"):format(pid)))
    for task in pipe:lines() do
      local path = ("/proc/%d/task/%s/"):format(pid, task)
      local comm, schedstat = io.open(path .. "comm"), io.open(path .. "schedstat")
      if comm and schedstat then
        local name = tonumber(task) == pid and "lua" or comm:read "*l"
        times[name] = (times[name] or 0) + schedstat:read "*n"
      end
      for _, opened in ipairs { comm or nil, schedstat or nil } do
        opened:close()
      end
    end
    pipe:close()
    return times.lua, times["mixpanel-send"] or 0
  end

  it("are compiled by the thread that fetches them, and not by a caller", function()
    local server = sandbox.start()
    server:flags { flags = { flag "a" } }
    local mp = mixpanel.new("projecttoken", {
      api_host = server.url,
      name = "compiled elsewhere",
      flags = { mode = "local", exposure = "never", poll_interval = 1000 },
    })
    local f = mp.local_flags
    assert.is_true(f:wait(20))
    server:flags(many(10000, true))
    local lua_before, send_before = processor_time()
    assert.is_true(f:refresh(20))
    local lua_after, send_after = processor_time()
    assert.equal(10000, mp:stats().flags.definitions)
    mp:close()
    server:stop()
    local lua, send = lua_after - lua_before, send_after - send_before
    assert.is_true(send > 5 * lua, ("%d ns by the caller, %d by the other"):format(lua, send))
  end)
end)
