-- What a sandbox answers in a long life: faults at random, and refusals of each record
-- that has "poison" in it.
local misbehave = {}

-- What any request may meet, one in so many.
local faults = {
  { chance = 0.015, status = 503, body = "upstream connect error" },
  { chance = 0.01, status = 429 },
  { chance = 0.005, status = 429, headers = { ["Retry-After"] = "1" } },
  { chance = 0.005, status = 408 },
  { chance = 0.005, status = 401 },
  { chance = 0.01, status = 200, body = "<html>Sign in</html>" },
  { chance = 0.01, status = 204, body = "" },
  { chance = 0.01, close = "before" },
  { chance = 0.01, close = "after" },
}

-- What a request without poison may meet besides: it is applied all the same.
-- With `min_bytes` the sandbox looks at the body first, and so for poison.
local losses = {
  { chance = 0.01, min_bytes = 1, status = 502, ingest = true },
  { chance = 0.01, min_bytes = 1, close = "after", ingest = true },
  { chance = 0.01, min_bytes = 1, close = "mid", ingest = true },
  { chance = 0.005, min_bytes = 1, delay_ms = 1500, ingest = true },
}

local poison = {
  { endpoint = "/track", body = "0" },
  { endpoint = "/import", status = 400, body = "<html>Bad Request</html>" },
  { endpoint = "/engage", body = { status = 0, error = "poison" } },
  { endpoint = "/groups", body = { status = 0, error = "poison" } },
}

-- From now on, until it is reset.
function misbehave.begin(server, seed)
  server:config { seed = seed % 2147483647 }
  for _, refusal in ipairs(poison) do
    refusal.match = "poison"
  end
  for _, replies in ipairs { faults, poison, losses } do
    for _, reply in ipairs(replies) do
      reply.times = 0
    end
    server:script(replies)
  end
end

return misbehave
