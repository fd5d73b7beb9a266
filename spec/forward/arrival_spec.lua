-- What clients put on the bus arrives at Mixpanel, once, and as their calls send it
-- without a bus.
local cjson = require "cjson"
local forwarding = require "spec.support.forwarding"
local mixpanel = require "mixpanel"
local nats = require "spec.support.nats"

describe("a forwarder", function()
  local here = forwarding()

  -- ---- the same as without a bus ----

  local function call_all(mp)
    local now = os.time()
    for i = 1, 3 do
      mp:track("Signup", { distinct_id = "u", n = i, time = now, ["$insert_id"] = "s" .. i })
    end
    mp:track("Nested", {
      time = now,
      ["$insert_id"] = "nested",
      list = mixpanel.array { 1, "zwei", mixpanel.array {} },
      empty = mixpanel.object {},
      text = 'Grüße "\\\n\0',
      number = 0.1,
    })
    mp:import("Old", now - 30 * 86400, { distinct_id = "u", ["$insert_id"] = "old" })
    mp:identify("u", "device-7")
    mp:alias("other", "u")
    mp:merge("u", "v")
    for _, id in ipairs { "u", "v" } do
      mp.people:set(id, { plan = "pro" })
      mp.people:set_once(id, { first = 1 })
      mp.people:increment(id, { visits = 2 })
      mp.people:append(id, { list = "x" })
      mp.people:union(id, { tags = mixpanel.array { "a" } })
      mp.people:remove(id, { list = "x" })
      mp.people:unset(id, { "plan" })
      mp.people:track_charge(id, 9.5)
      mp.people:delete_user(id)
    end
    mp.groups:set("company", "acme", { size = 3 })
    mp.groups:union("company", "acme", { tags = mixpanel.array { "a" } })
    mp.groups:delete("company", "acme")
    mp:collect(
      "track",
      cjson.encode {
        { event = "Page", properties = { token = "projecttoken", distinct_id = "q", time = now } },
      }
    )
  end

  it("adds nothing to a record", function()
    here.fleet:start()
    here.publish(function(mp)
      mp.people:set("u", { a = 1 })
      mp.groups:set("company", "acme", { a = 1 })
    end, here.TOKEN, { profile_time = false })
    here.fleet:settle()
    local token = here.TOKEN
    assert.same(
      { { ["$token"] = token, ["$distinct_id"] = "u", ["$ip"] = "0", ["$set"] = { a = 1 } } },
      here.server:records "/engage"
    )
    assert.is_nil(here.server:records("/groups")[1]["$time"])
  end)

  -- What two runs have in common: ids that are made at random have a mark instead.
  local function plain(line)
    return (
      line
        :gsub('("%$insert_id":)"[%x%-]+"', '%1"?"')
        :gsub('("%$time":)%d+', "%1?")
        :gsub('("%$time":)"[^"]+"', '%1"?"')
        :gsub('("time":)%d+%.?%d*', "%1?")
    )
  end

  local function arrived()
    local all = {}
    for _, endpoint in ipairs { "/track", "/import", "/engage", "/groups" } do
      all[endpoint] = {}
      for i, line in ipairs(here.server:lines(endpoint)) do
        all[endpoint][i] = plain(line)
      end
    end
    return all
  end

  it("sends what the same calls send without a bus", function()
    local direct = mixpanel.new("projecttoken", {
      api_host = here.server.url,
      name = "direct",
      flush_interval = 0.02,
    })
    call_all(direct)
    assert(direct:flush(60))
    direct:close(20)
    local expected = arrived()
    here.server:reset()
    here.publish(call_all)
    local forwarder = here.fleet:start()
    here.fleet:settle()
    local got = arrived()
    for endpoint, lines in pairs(expected) do
      table.sort(lines)
      table.sort(got[endpoint])
      assert.same(lines, got[endpoint], endpoint)
    end
    assert.same({}, here.fleet:dead())
    forwarder:stop()
    local sent = 0
    for _, lines in pairs(expected) do
      sent = sent + #lines
    end
    assert.equal(sent, forwarder:metric "mixpanel_records_delivered_total")
    assert.equal(sent, forwarder:metric "mixpanel_forward_records_total")
    assert.equal(0, forwarder:metric "mixpanel_forward_refused_total")
  end)

  it("keeps the order of the updates of each profile", function()
    local COUNT, IDS = 300, 7
    local forwarder = here.fleet:start()
    here.publish(function(mp)
      for n = 1, COUNT do
        mp.people:set("u" .. n % IDS, { n = n })
        if n % 50 == 0 then
          mp:flush(60) -- a message for a few
        end
      end
    end)
    here.fleet:settle()
    local last, seen = {}, 0
    for _, update in ipairs(here.server:records "/engage") do
      local id, n = update["$distinct_id"], update["$set"].n
      assert.is_true(n > (last[id] or 0), id)
      last[id], seen = n, seen + 1
    end
    assert.equal(COUNT, seen)
    assert.is_true(forwarder:alive())
  end)

  -- ---- accounts, projects ----

  it("imports with a service account, and shows its secret nowhere", function()
    local SECRET = "sUp3r-secret"
    here.server:config {
      accounts = { { username = "robot", secret = SECRET, project_id = 7 } },
    }
    here.fleet:projects {
      {
        token = here.TOKEN,
        api_host = here.server.tls_url,
        ca_file = here.server.ca_file,
        events_via = "import",
        service_account = { username = "robot", secret = SECRET, project_id = 7 },
      },
    }
    local forwarder = here.fleet:start()
    local lease = nats.until_done("a lease", function()
      return here.fleet:lease(here.TOKEN)
    end)
    assert.matches("events_via=import", lease)
    assert.matches("service_account", lease)
    here.publish(function(mp)
      mp:track "Live"
      mp:import("Old", os.time() - 90 * 86400)
    end)
    here.fleet:settle()
    here.same_names({ "Live", "Old" }, "/import")
    here.same_names({}, "/track")
    here.fleet:start { unready = true } -- one that stands by tells of nothing, too
    forwarder:stop()
    here.fleet.forwarders[2]:until_said "forwards"
    here.fleet.forwarders[2]:stop()
    for _, one in ipairs(here.fleet.forwarders) do
      for _, text in ipairs { lease, one:said(), one:printed(), one:metrics_text() } do
        assert.is_nil(text:find(SECRET, 1, true))
        assert.is_nil(text:find(here.TOKEN, 1, true))
        assert.is_nil(text:find("robot", 1, true))
      end
    end
  end)

  it("forwards several projects, each to its own", function()
    local TOKENS = { "projecttoken", "anothertoken", "thirdtoken" }
    local projects = {}
    for i, token in ipairs(TOKENS) do
      projects[i] = { token = token }
    end
    here.fleet:projects(projects)
    here.fleet:start()
    for i, token in ipairs(TOKENS) do
      here.publish(function(mp)
        mp:track("Of" .. i)
        mp.people:set("u", { of = i })
      end, token)
    end
    here.fleet:settle(5 * #TOKENS)
    here.same_names { "Of1", "Of2", "Of3" }
    for _, record in ipairs(here.server:records "/track") do
      assert.equal(TOKENS[tonumber(record.event:match "%d")], record.properties.token)
    end
    for _, update in ipairs(here.server:records "/engage") do
      assert.equal(TOKENS[update["$set"].of], update["$token"])
    end
  end)

  -- ---- requests ----

  it("joins what small messages hold", function()
    local COUNT = 2000
    local asker = here.fleet:connect()
    for n = 1, COUNT do
      local body = cjson.encode { here.event("E" .. n) }
      assert(asker:request(here.subject "events", body))
    end
    asker:close()
    here.fleet:start()
    here.fleet:settle()
    local records = here.server:records "/track"
    assert.equal(COUNT, #records)
    -- a request more for each second that passes until all are read
    local requests = here.requests "/track"
    assert.is_true(requests <= COUNT / 50, requests)
  end)
end)
