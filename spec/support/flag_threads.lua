-- What each thread of spec/flags_threads_spec.lua does: decides by Mixpanel's
-- answers, of few contexts that all threads share, while there is room for
-- fewer; and by a user's.
local number, cpath, url, rounds, events = ...
package.cpath = cpath .. ";" .. package.cpath
rounds, events = tonumber(rounds), tonumber(events)
local mixpanel = require "mixpanel"

for round = 1, rounds do
  local mp = mixpanel.new("projecttoken", {
    api_host = url,
    name = "shared",
    flags = { mode = "both", ttl = 1, contexts = 32, timeout = 20, poll_interval = 0.1 },
  })
  local f = mp.remote_flags
  local me = mp:user { distinct_id = "user " .. number, flags = true }
  for i = 1, events do
    local context = { distinct_id = 1 + (i * 7 + round) % 24 }
    local variant = f:get_variant("a", nil, context)
    assert(variant.variant_key == "on", variant.fallback_message)
    local id = assert(f:request { distinct_id = number * 100 + i % 4 })
    f:done(id)
    f:result(id)
    me.flags:is_enabled "a"
    if i % 10 == 0 then
      me.flags:update_context { round = round, i = i }
      me.flags:get_variant "a"
      mp.local_flags:is_enabled("a", context)
      assert(mp:stats().flags.remote.contexts <= 32)
      collectgarbage()
    end
  end
  mp:close(0)
end
