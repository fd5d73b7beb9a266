-- Where the token goes, for every kind of record and request, read back from
-- what the sandbox received.
local cjson = require "cjson"
local mixpanel = require "mixpanel"
local sandbox = require "spec.support.sandbox"

describe("the project token", function()
  local server, mp

  setup(function()
    server = sandbox.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
    mp = mixpanel.new("projecttoken", { api_host = server.url })
  end)

  after_each(function()
    mp:close()
  end)

  -- The only request that arrived, with its records decoded.
  local function arrived()
    assert(mp:flush(10))
    local requests = server:requests()
    assert.equal(1, #requests)
    return requests[1], cjson.decode(requests[1].body)
  end

  it("stands in properties.token of an event, and in no header", function()
    mp:track("Signup", { distinct_id = "1234" })
    local request, records = arrived()
    assert.equal("/track", request.path)
    assert.equal("projecttoken", records[1].properties.token)
    assert.is_nil(records[1]["$token"])
    assert.is_nil(request.headers.authorization)
  end)

  it("stands in $token at the top of a profile update", function()
    mp.people:set("1234", { a = 1 })
    local request, records = arrived()
    assert.equal("/engage", request.path)
    assert.equal("projecttoken", records[1]["$token"])
    assert.is_nil(records[1]["$set"].token)
    assert.is_nil(request.headers.authorization)
  end)

  it("stands in $token at the top of a group update", function()
    mp.groups:set("company", "acme", { a = 1 })
    local request, records = arrived()
    assert.equal("/groups", request.path)
    assert.equal("projecttoken", records[1]["$token"])
    assert.is_nil(request.headers.authorization)
  end)

  it("is the user name of an import, with an empty password", function()
    mp:import("Signup", os.time() - 3600, { distinct_id = "1234" })
    local request, records = arrived()
    assert.equal("/import", request.path)
    assert.same({ kind = "basic", username = "projecttoken", password = "" }, {
      kind = request.auth.kind,
      username = request.auth.username,
      password = request.auth.password,
    })
    assert.is_nil(request.query.project_id)
    assert.equal("projecttoken", records[1].properties.token)
  end)

  it("stands in identity events and merges as well", function()
    local anonymous = "5be8f0a6-7b6a-4d5e-9c53-0d2f4c6d4a11"
    mp:identify("1234", anonymous)
    mp:alias("nick", "1234")
    assert(mp:flush(10))
    mp:merge("1234", anonymous)
    assert(mp:flush(10))
    local names = {}
    for _, request in ipairs(server:requests()) do
      for _, record in ipairs(cjson.decode(request.body)) do
        names[#names + 1] = request.path .. " " .. record.event
        assert.equal("projecttoken", record.properties.token)
      end
    end
    assert.same({ "/track $identify", "/track $create_alias", "/import $merge" }, names)
  end)

  it("never comes from the caller", function()
    mp:track("Signup", { distinct_id = "1234", token = "somebody else's" })
    local _, records = arrived()
    assert.equal("projecttoken", records[1].properties.token)
    assert.equal(1, mp:stats().repaired)
  end)

  it("is placed as in Mixpanel's own two examples", function()
    mp:track("Signup", { ["$distinct_id"] = "1234" })
    mp.people:set("1234", { ["Favourite Show"] = "The Office" })
    assert(mp:flush(10))
    local event, profile
    for _, request in ipairs(server:requests()) do
      local record = cjson.decode(request.body)[1]
      if request.path == "/track" then
        event = record
      else
        profile = record
      end
    end
    assert.equal("Signup", event.event)
    assert.equal("1234", event.properties["$distinct_id"])
    assert.equal("projecttoken", event.properties.token)
    assert.is_nil(event.properties.distinct_id)
    assert.equal("projecttoken", profile["$token"])
    assert.equal("1234", profile["$distinct_id"])
    assert.same({ ["Favourite Show"] = "The Office" }, profile["$set"])
  end)

  it("gives way to a service account for imports", function()
    local account =
      { username = "bot.abc123.mp-service-account", secret = "s3cret", project_id = 42 }
    server:config {
      accounts = { { username = account.username, secret = "s3cret", project_id = "42" } },
    }
    local importer = mixpanel.new("projecttoken", {
      api_host = server.tls_url,
      ca_file = server.ca_file,
      service_account = account,
    })
    assert(importer:import("Signup", os.time() - 3600, { distinct_id = "1234" }))
    assert(importer:flush(10))
    local request = server:requests()[1]
    assert.equal(account.username, request.auth.username)
    assert.equal("s3cret", request.auth.password)
    assert.equal("42", request.query.project_id)
    assert.equal("projecttoken", cjson.decode(request.body)[1].properties.token)
    assert.equal(200, request.status)
    assert.is_nil(tostring(importer):find("s3cret", 1, true))
    importer:close()
  end)
end)
