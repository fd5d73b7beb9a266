-- The same calls as in spec/fixtures/browser/scenarios.json, on a user here: what
-- they send is what mixpanel-browser sent in Chromium when recorded.json was
-- recorded, batched and record by record, but for what docs/browser-methods.md
-- says and spec/fixtures/browser/differences.lua lists.
local cjson = require "cjson"
local differences = require "spec.fixtures.browser.differences"
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
  "mp_sent_by_lib_version",
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
    record["$time"] = nil -- of an update
    if not is_empty(record) then
      lists[item.endpoint] = lists[item.endpoint] or {}
      table.insert(lists[item.endpoint], record)
    end
  end
  return lists
end

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

-- Makes the calls: what they sent, what said something, and the numbers of those
-- that were refused.
local function run(scenario)
  local mp = users.client()
  local me = mp:user {
    state = scenario.stored
      and { version = 1, distinct_id = scenario.stored.distinct_id, identified = true },
  }
  local uuids, n, returned, refused = {}, 0, {}, {}
  local function note_device()
    local uuid = me:get_device_id()
    if uuid and not uuids[uuid] and #uuid == 36 then
      n = n + 1
      uuids[uuid] = "uuid-" .. n
    end
  end
  note_device()
  for i, list in ipairs(scenario.calls) do
    local ok, result = pcall(call, me, list)
    if not ok or result == nil then
      refused[#refused + 1] = i
    elseif list[1]:find "^has_" then
      returned[#returned + 1] = result
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
  return sent, returned, refused
end

-- Durations and dates of now are what the recorder masked.
local function mask(lists)
  for _, record in ipairs(lists.track or {}) do
    record.properties["$duration"] = record.properties["$duration"] and 0
  end
  for _, record in ipairs(lists.engage or {}) do
    local charge = (record["$append"] or {})["$transactions"]
    if charge then
      charge["$time"] = "now"
    end
  end
  return lists
end

describe("the calls of the browser SDK:", function()
  local recorded = read "recorded.json"

  for i, scenario in ipairs(read "scenarios.json") do
    for _, mode in ipairs { "single", "batched" } do
      it(("%s, %s"):format(scenario.name, mode), function()
        assert.equal(scenario.name, recorded[i].name)
        local difference = differences[scenario.name] or {}
        local expected = by_endpoint(recorded[i][mode].sent)
        if difference.change then
          difference.change(expected, mode)
        end
        local sent, returned, refused = run(scenario)
        assert.same(expected, mask(by_endpoint(sent)))
        assert.same(recorded[i][mode].result.returned, returned)
        assert.same(difference.refused or {}, refused)
      end)
    end
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
