-- The same calls as in spec/fixtures/node/scenarios.json, on a client here: what
-- they send is what Mixpanel's SDK for Node sent when recorded.json was recorded,
-- but for what docs/coming-from.md says and this file lists.
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local users = require "spec.support.users"

local function read(name)
  local file = assert(io.open("spec/fixtures/node/" .. name))
  local text = file:read "*a"
  file:close()
  return cjson.decode(text)
end

-- ---- what no record here has, or has otherwise ----

local elsewhere = { ["$insert_id"] = true, mp_lib = true, ["$lib_version"] = true }
local NOW = 1.75e12 -- milliseconds; what is later is no time of a scenario

local function strip(properties)
  for name, value in pairs(properties) do
    if elsewhere[name] or name == "time" and value > NOW then
      properties[name] = nil
    end
  end
  if properties.ip == 0 then
    properties.ip = nil
  end
  if properties.distinct_id == "" then
    properties.distinct_id = nil -- no user
  end
end

local function by_endpoint(list)
  local lists = {}
  for _, item in ipairs(list) do
    local record = item.record
    local charge = (record["$append"] or {})["$transactions"]
    strip(record.properties or {})
    if record["$ip"] == "0" then
      record["$ip"] = nil
    end
    if (record["$time"] or 0) > NOW then
      record["$time"] = nil
    end
    if charge and charge["$time"] and charge["$time"] > "2025" then
      charge["$time"] = nil
    end
    lists[item.endpoint] = lists[item.endpoint] or {}
    table.insert(lists[item.endpoint], record)
  end
  return lists
end

-- ---- the differences ----

local TOKEN = { ["$token"] = "projecttoken" }

-- An update of user 1 or of the group acme.
local function update(operation, payload, of_group)
  local record = { [operation] = payload, ["$token"] = TOKEN["$token"] }
  if of_group then
    record["$group_key"], record["$group_id"] = "company", "acme"
  else
    record["$distinct_id"] = "1"
  end
  return record
end

-- Integers are sent as text.
local function as_text(record, ...)
  for _, name in ipairs { ... } do
    record[name] = record[name] and ("%d"):format(record[name])
  end
end

-- Each: `refused`, the numbers of calls that are refused here, and what the
-- recorded lists become.
local differences = {
  times = {
    change = function(lists) -- all in milliseconds; what is old goes to /import
      local tracked, imported = lists["/track"], lists["/import"]
      tracked[1].properties.time = 1700000000000
      imported[1].properties.time = 1700000000000
      lists["/track"] = nil
      lists["/import"] = { tracked[1], tracked[2], imported[1], imported[2] }
    end,
  },
  dates = {
    change = function(lists) -- in Mixpanel's own form, which has no fraction
      lists["/track"][1].properties.when = "2023-11-14T22:13:20"
      lists["/engage"][1]["$set"].when = "2023-11-14T22:13:20"
    end,
  },
  batches = {
    change = function(lists)
      lists["/import"][1].properties.time = 1700000000000
    end,
  },
  ["a batch with a token of its own"] = {
    change = function(lists)
      lists["/track"][1].properties.token = "projecttoken"
    end,
  },
  ["a batch with a bad event"] = {
    refused = { 1 },
    change = function(lists)
      assert(#lists["/track"] == 2)
      lists["/track"] = nil
    end,
  },
  ["an import without a time"] = { refused = { 1, 2 } },
  ["ids that are numbers"] = {
    change = function(lists)
      as_text(lists["/track"][1].properties, "distinct_id", "$user_id")
      as_text(lists["/track"][2].properties, "distinct_id", "alias")
      as_text(lists["/engage"][1], "$distinct_id")
      as_text(lists["/groups"][1], "$group_id")
    end,
  },
  ["ids that mean nothing"] = {
    refused = { 2, 3, 4, 5 },
    change = function(lists)
      lists["/track"][2], lists["/engage"], lists["/groups"] = nil, nil, nil
    end,
  },
  ["names of events that are blank"] = {
    refused = { 1, 2 },
    change = function(lists)
      lists["/track"] = nil
    end,
  },
  modifiers = {
    change = function(lists)
      lists["/engage"][1]["$time"] = 1700000000000
      lists["/engage"][2]["$ip"] = nil -- "0", as by default
      lists["/groups"][1]["$time"] = 1700000000000
    end,
  },
  ["modifiers with a false value"] = {
    change = function(lists)
      lists["/engage"][1]["$ignore_time"] = false
    end,
  },
  -- Without a $ they are properties here, wherever Node takes them out.
  ["modifiers among the properties"] = {
    refused = { 1, 2, 4 },
    change = function(lists)
      lists["/engage"] = nil
      lists["/groups"][1] = update("$set", { ip = "203.0.113.7", a = 1 }, true)
    end,
  },
  ["names that are reserved"] = {
    refused = { 1 },
    change = function(lists)
      table.remove(lists["/engage"], 1)
    end,
  },
  ["increment by nothing"] = {
    change = function(lists)
      assert(lists["/engage"][1]["$add"].n == 1)
      lists["/engage"][1]["$add"].n = 0
    end,
  },
  ["increment of what is no number"] = {
    refused = { 1, 2 },
    change = function(lists)
      assert(lists["/engage"][1]["$add"].n == 1 and lists["/engage"][2]["$add"].n == "5")
      lists["/engage"] = nil
    end,
  },
  -- Node leaves out what is neither text nor number, and sends nothing then.
  ["people.union"] = {
    refused = { 3, 4 },
    change = function(lists)
      lists["/engage"][2]["$union"] = { l = { "x", { a = 1 }, true }, m = { true } }
    end,
  },
  ["people.remove"] = {
    change = function(lists)
      assert(#lists["/engage"] == 1)
      for i, payload in ipairs { { l = { "x" } }, { l = true }, {} } do
        lists["/engage"][i + 1] = update("$remove", payload)
      end
    end,
  },
  ["people.unset"] = {
    refused = { 3 },
    change = function(lists)
      lists["/engage"][3] = nil
    end,
  },
  charges = {
    refused = { 3, 4 },
    change = function(lists)
      table.remove(lists["/engage"], 3)
    end,
  },
}

-- ---- the calls ----

-- What JSON stands for: null, and { $date }.
local function revive(value)
  if value == cjson.null then
    return mixpanel.null
  elseif type(value) == "table" and value["$date"] then
    return mixpanel.date(value["$date"])
  elseif type(value) == "table" then
    for key, inner in pairs(value) do
      value[key] = revive(inner)
    end
  end
  return value
end

local renamed = { delete_group = "delete" }

local function call(mp, list)
  local n = #list
  list = revive(list)
  if list[1] == "alias" then
    return mp:alias(list[3], list[2])
  end
  local owner, name = list[1]:match "^(%l+)%.([%l_]+)$"
  local object = owner and mp[owner] or mp
  name = renamed[name] or name or list[1]
  return object[name](object, (table.unpack or unpack)(list, 2, n)) -- luacheck: ignore
end

describe("the calls of the SDK for Node:", function()
  local recorded = read "recorded.json"

  for i, scenario in ipairs(read "scenarios.json") do
    it(scenario.name, function()
      assert.equal(scenario.name, recorded[i].name)
      local difference = differences[scenario.name] or {}
      local expected = by_endpoint(recorded[i].sent)
      if difference.change then
        difference.change(expected)
      end
      local mp = users.client()
      local refused, sent = {}, {}
      for number, list in ipairs(scenario.calls) do
        local ok, result = pcall(call, mp, list)
        if not ok or result == nil then
          refused[#refused + 1] = number
        end
      end
      for n, record in ipairs(users.sent(mp)) do
        sent[n] = { endpoint = "/" .. record.endpoint, record = record }
        record.endpoint = nil
      end
      assert.same(expected, by_endpoint(sent))
      assert.same(difference.refused or {}, refused)
    end)
  end
end)
