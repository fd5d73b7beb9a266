-- What a visitor can put into a table costs time and memory in proportion to
-- its size. Costs are compared with each other, in CPU time of the process.
local mixpanel = require "mixpanel"
local script = require "spec.support.script"

-- CPU time of a call, of the best of some tries.
local function cost(call)
  local best = math.huge
  for _ = 1, 5 do
    local start = os.clock()
    for _ = 1, 10 do
      call()
    end
    best = math.min(best, os.clock() - start)
  end
  return best
end

describe("a hostile table", function()
  local mp, me

  before_each(function()
    mp = mixpanel.new("projecttoken", {
      transport = "manual",
      max_queue_bytes = 1024 * 1024 * 1024,
      name = "hostile",
    })
    me = mp:user { distinct_id = "u" }
  end)

  after_each(function()
    mp:close(0)
  end)

  -- Every way for a value into a record: property `v` of something.
  local ways = {
    event = function(v)
      assert(mp:track("E", { v = v }))
    end,
    ["a list of events"] = function(v)
      assert(mp:track_batch { { event = "E", properties = { v = v } } })
    end,
    import = function(v)
      assert(mp:import("E", 1700000000, { v = v }))
    end,
    people = function(v)
      assert(mp.people:set("u", { v = v }))
    end,
    ["one property of people"] = function(v)
      assert(mp.people:append("u", "v", v))
    end,
    ["a list of people"] = function(v)
      assert(mp.people:union("u", "v", { v }))
    end,
    groups = function(v)
      assert(mp.groups:set("company", "acme", { v = v }))
    end,
    ["a charge"] = function(v)
      assert(mp.people:track_charge("u", 1, { v = v }))
    end,
    ["an option"] = function(v)
      assert(mp:set_config { properties = { v = v } })
    end,
    ["a super property"] = function(v)
      assert(me:register { v = v })
    end,
    ["the default of a super property"] = function(v)
      assert(me:register_once({ v = 1 }, v))
    end,
  }

  describe("nested in lists that were filled out of order", function()
    -- A list with `first` that lua_next does not walk in order, though it
    -- begins with 1: its other elements lie in the hash part.
    local function list(first)
      local t = { first }
      for _, name in ipairs { "a", "b", "c", "d" } do
        t[name] = 1
      end
      for _, name in ipairs { "a", "b", "c", "d" } do
        t[name] = nil
      end
      t[4], t[3], t[2] = 4, 3, 2
      return t
    end

    local function nest(depth, wrap)
      local value = 1
      for i = 1, depth do
        value = wrap(value, i)
      end
      return value
    end

    it("is one that is walked out of order", function()
      local order = {}
      for i in next, list(1) do
        order[#order + 1] = i
      end
      assert.equal(1, order[1])
      assert.not_same({ 1, 2, 3, 4 }, order)
    end)

    for name, put in pairs(ways) do
      it("costs no more than its size as " .. name, function()
        local small, large = nest(4, list), nest(12, list)
        local ratio = cost(function()
          put(large)
        end) / cost(function()
          put(small)
        end)
        assert.is_true(ratio < 16, ratio)
      end)
    end

    it("costs no more with objects in between", function()
      -- As many objects as there may be, each found to be one at its end.
      local function wrap(value, i)
        return i % 4 == 0 and { value, name = i } or list(value)
      end
      local small, large = nest(3, list), nest(15, wrap)
      local ratio = cost(function()
        ways.event(large)
      end) / cost(function()
        ways.event(small)
      end)
      assert.is_true(ratio < 80, ratio)
    end)
  end)

  describe("with keys that are not UTF-8", function()
    local function keys(n, format)
      local t = {}
      for i = 1, n do
        t[format:format(i)] = i
      end
      return t
    end

    local function compare(n, put)
      local plain, broken = keys(n, "key %d"), keys(n, "key %d\255")
      local ratio = cost(function()
        put(broken)
      end) / cost(function()
        put(plain)
      end)
      assert.is_true(ratio < 15, ratio)
    end

    for name, put in pairs(ways) do
      it("costs as others as " .. name, function()
        compare(254, put)
      end)
    end

    it("costs as others when it holds the properties", function()
      compare(250, function(t)
        assert(mp:track("E", t))
      end)
      compare(250, function(t)
        assert(mp:track_batch { { event = "E", properties = t } })
      end)
      compare(2000, function(t)
        assert(mp.people:set("u", t))
      end)
      compare(2000, function(t)
        assert(mp.groups:set("company", "acme", t))
      end)
      compare(250, function(t)
        assert(mp.people:track_charge("u", 1, t))
      end)
      compare(250, function(t)
        assert(mp:set_config { properties = t })
      end)
      compare(254, function(t)
        assert(me:register(t))
        assert(me:reset())
      end)
    end)

    it("costs as others when there are too many", function()
      compare(20000, function(t)
        assert(not mp:track("E", t))
      end)
      compare(20000, function(t)
        assert(not mp:track("E", { v = t }))
      end)
      compare(20000, function(t)
        assert(not mp.people:set("u", t))
      end)
      compare(20000, function(t)
        assert(not me:register(t))
      end)
    end)
  end)

  it("of many super properties is refused at the first one too many", function()
    local function register(n)
      local t = {}
      for i = 1, n do
        t["name " .. i] = i
      end
      return cost(function()
        local ok, message = me:register(t)
        assert.is_nil(ok)
        assert.equal("properties: more than 254 super properties", message)
      end)
    end
    local few, many = register(300), register(20000)
    assert.is_true(many / few < 10, many / few)
  end)

  describe("of references to one large event", function()
    local program = [[
      local mixpanel = require "mixpanel"
      local method = ...
      local mp = mixpanel.new("t", { transport = "manual", max_queue_bytes = 4000000 })
      local event = {
        event = "E",
        properties = { time = os.time(), text = ("x"):rep(1000000) },
      }
      local list = {}
      for i = 1, 400 do
        list[i] = event
      end
      local function most()
        for line in io.lines "/proc/self/status" do
          local kib = line:match "^VmHWM:%s*(%d+)"
          if kib then
            return tonumber(kib)
          end
        end
      end
      local before = most()
      local ok, message, code, place = mp[method](mp, list)
      print(ok, code, place, mp:stats().queue_full, mp:stats().accepted, message)
      print(most() - before)
      list = { event, event, event }
      print(mp[method](mp, list))
    ]]

    for _, method in ipairs { "track_batch", "import_batch" } do
      it("takes no more memory than the queue may: " .. method, function()
        local printed, status = script.run(program, method)
        assert.equal(0, status, printed)
        local refusal, kib, rest = printed:match "^([^\n]*)\n(%d+)\n(.*)\n$"
        assert.equal(
          "nil\tqueue_full\tnil\t1\t0\tthe queue is full: max_queue_bytes = "
            .. "4000000 are waiting to be delivered",
          refusal
        )
        assert.is_true(tonumber(kib) < 100 * 1024, kib)
        assert.equal("true\t3", rest)
      end)
    end
  end)
end)
