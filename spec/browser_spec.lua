-- The same calls as in spec/fixtures/browser/scenarios.json, on a user here: what
-- they send is what mixpanel-browser sent when recorded.json was recorded,
-- but for what docs/browser-methods.md says and this file lists.
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local users = require "spec.support.users"

local folder = "spec/fixtures/browser/"

local function read(name)
  local file = assert(io.open(folder .. name))
  local text = file:read "*a"
  file:close()
  return cjson.decode(text)
end

-- ---- what no record here has, or has otherwise ----

local elsewhere = {}
for _, name in ipairs {
  -- of each record
  "$insert_id",
  "time",
  "mp_lib",
  "$lib_version",
  "ip",
  "$ip",
  -- of a browser and its page
  "$browser",
  "$browser_version",
  "$current_url",
  "$initial_referrer",
  "$initial_referring_domain",
  "$os",
  "$screen_height",
  "$screen_width",
  "current_domain",
  "current_page_title",
  "current_url_path",
  "current_url_protocol",
  "current_url_search",
} do
  elsewhere[name] = true
end

-- A copy without them. nil: nothing else was there.
local function strip(value)
  if type(value) ~= "table" then
    return value
  end
  local copy, had = {}, next(value) ~= nil
  for key, inner in pairs(value) do
    if not elsewhere[key] then
      copy[key] = strip(inner)
    end
  end
  if had and next(copy) == nil then
    return nil
  end
  return copy
end

-- True for an update of which only its subject is left.
local function is_empty(record)
  for key in pairs(record) do
    if key == "event" or (key:sub(1, 1) == "$" and not key:find "_id$" and key ~= "$token") then
      return false
    end
  end
  return true
end

local function by_endpoint(list)
  local lists = {}
  for _, item in ipairs(list) do
    local record = strip(item.record)
    if not is_empty(record) then
      lists[item.endpoint] = lists[item.endpoint] or {}
      table.insert(lists[item.endpoint], record)
    end
  end
  return lists
end

-- ---- the differences: what the recorded lists become ----

local function each_event(lists, change)
  for _, record in ipairs(lists.track or {}) do
    change(record.properties)
  end
end

local function each_update(lists, operation, change)
  for _, record in ipairs(lists.engage or {}) do
    if record[operation] then
      change(record)
    end
  end
end

local function delete_any(lists)
  each_update(lists, "$delete", function(record)
    record["$delete"] = "" -- its value means nothing
  end)
end

local differences = {
  -- The group leaves the super property; there it stays, and what is left is
  -- registered as `group_key`.
  remove_group = function(lists)
    assert.same({ "acme", "b" }, lists.track[2].properties.company)
    assert.same({ "b" }, lists.track[2].properties.group_key)
    lists.track[2].properties.company = { "b" }
    lists.track[3].properties.company = nil
    each_event(lists, function(properties)
      properties.group_key = nil
    end)
  end,

  -- It does nothing there any more; here it does what the server SDKs do.
  ["people.track_charge"] = function(lists)
    lists.engage = {
      {
        ["$token"] = "projecttoken",
        ["$distinct_id"] = "u1",
        ["$user_id"] = "u1",
        ["$device_id"] = "uuid-1",
        ["$append"] = { ["$transactions"] = { ["$amount"] = 9.5, ["$time"] = "now" } },
      },
    }
  end,

  ["people.delete_user"] = delete_any,

  -- What is held is neither merged nor sorted by operation.
  ["people before identify"] = function(lists)
    local function update(operation, payload)
      return {
        ["$token"] = "projecttoken",
        ["$distinct_id"] = "u1",
        ["$user_id"] = "u1",
        ["$device_id"] = "uuid-1",
        [operation] = payload,
      }
    end
    assert(#lists.engage == 4, "one $set_once of two")
    lists.engage = {
      update("$set_once", { a = 1 }),
      update("$add", { n = 1 }),
      update("$append", { l = 1 }),
      update("$set_once", { b = 2 }),
      update("$union", { m = { "x" } }),
    }
  end,

  -- Nothing follows the deletion, which would make the profile again.
  opt_out_tracking = function(lists)
    delete_any(lists)
    assert(lists.engage[2]["$set"]["$transactions"])
    table.remove(lists.engage, 2)
  end,
}

-- ---- the calls ----

local function arguments(list, first)
  local n = #list
  for i = first, n do
    list[i] = list[i] == cjson.null and mixpanel.null or list[i]
  end
  return (table.unpack or unpack)(list, first, n) -- luacheck: ignore
end

local function call(me, list)
  local name = list[1]
  if name == "group" then
    local group = me:get_group(list[2], list[3])
    return group[list[4]](group, arguments(list, 5))
  end
  local people = name:match "^people%.(.*)$"
  if people then
    return me.people[people](me.people, arguments(list, 2))
  end
  return me[name](me, arguments(list, 2))
end

local function run(scenario)
  local mp = users.client()
  local me = mp:user {
    state = scenario.stored
      and { version = 1, distinct_id = scenario.stored.distinct_id, identified = true },
  }
  local uuids, n, returned = {}, 0, {}
  local function note_device()
    local uuid = me:get_device_id()
    if uuid and not uuids[uuid] and #uuid == 36 then
      n = n + 1
      uuids[uuid] = "uuid-" .. n
    end
  end
  note_device()
  for _, list in ipairs(scenario.calls) do
    local ok = call(me, list)
    if list[1]:find "^has_" then
      returned[#returned + 1] = ok
    end
    note_device()
  end
  local sent = {}
  for i, record in ipairs(users.sent(mp)) do
    local endpoint = record.endpoint
    record.endpoint = nil
    local text = cjson.encode(record):gsub("%x+%-%x+%-%x+%-%x+%-%x+", uuids)
    sent[i] = { endpoint = endpoint, record = cjson.decode(text) }
  end
  return sent, returned
end

-- Durations and dates of now are what the recorder masked.
local function mask(lists)
  each_event(lists, function(properties)
    if properties["$duration"] then
      properties["$duration"] = 0
    end
  end)
  each_update(lists, "$append", function(record)
    local charge = record["$append"]["$transactions"]
    if charge then
      charge["$time"] = "now"
    end
  end)
  return lists
end

describe("the calls of the browser SDK:", function()
  local recorded = read "recorded.json"

  for i, scenario in ipairs(read "scenarios.json") do
    it(scenario.name, function()
      assert.equal(scenario.name, recorded[i].name)
      local expected = by_endpoint(recorded[i].sent)
      if differences[scenario.name] then
        differences[scenario.name](expected)
      end
      local sent, returned = run(scenario)
      assert.same(expected, mask(by_endpoint(sent)))
      assert.same(recorded[i].returned, returned)
    end)
  end

  it("cover the methods of the snippet", function()
    local seen = {}
    for _, scenario in ipairs(read "scenarios.json") do
      for _, list in ipairs(scenario.calls) do
        seen[list[1]] = true
        if list[1] == "group" then
          seen["get_group"], seen["group." .. list[4]] = true, true
        end
      end
    end
    local snippet = "disable time_event track track_pageview track_with_groups add_group set_group "
      .. "remove_group register register_once alias unregister identify name_tag reset "
      .. "opt_in_tracking opt_out_tracking has_opted_in_tracking has_opted_out_tracking "
      .. "clear_opt_in_out_tracking people.set people.set_once people.unset people.increment "
      .. "people.append people.union people.track_charge people.clear_charges people.delete_user "
      .. "people.remove get_group group.set group.set_once group.union group.unset group.remove "
      .. "group.delete"
    for name in snippet:gmatch "%S+" do
      assert.is_true(seen[name] or false, name)
    end
  end)
end)
