-- A build without libcurl: see .ci/suites/no_curl.
local mixpanel = require "mixpanel"

describe("without libcurl", function()
  it("the host must carry the requests", function()
    local ok, message = pcall(mixpanel.new, "projecttoken")
    assert.is_false(ok)
    assert.matches('this build has no libcurl, so it must be "manual"', message, 1, true)
  end)

  it("there is no use for a proxy", function()
    local options = { transport = "manual", proxy = "http://user:hunter2@proxy:3128" }
    local ok, message = pcall(mixpanel.new, "projecttoken", options)
    assert.is_false(ok)
    assert.matches("option 'proxy': this build has no libcurl", message, 1, true)
    assert.is_nil(message:find("hunter2", 1, true))
  end)

  it("the host can", function()
    local mp = mixpanel.new("projecttoken", { transport = "manual" })
    assert(mp:track("A", { distinct_id = "u" }))
    mp:flush()
    local request = mp:next_request()
    assert.equal("https://api.mixpanel.com/track?verbose=1&ip=0", request.url)
    mp:answer(request.id, 200, nil, '{"status":1,"error":null}')
    assert.equal(1, mp:stats().delivered)
    assert.is_true(mp:close())
  end)
end)
