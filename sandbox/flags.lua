-- GET /flags/definitions: the feature flags that POST /sandbox/flags named, as
-- Mixpanel has them for SDKs that decide by themselves. An entity tag goes
-- along, and 304 answers to it.
local reply = require "reply"
local store = require "store"

local flags = {}

local function refuse(seen)
  local auth = seen.auth
  if not auth or auth.username == "" then
    return "Invalid credentials"
  elseif auth.password ~= "" then
    for _, account in ipairs(store.config.accounts) do
      if account.username == auth.username and account.secret == auth.password then
        return nil
      end
    end
    return "Not a valid service account username"
  end
  for _, token in ipairs(store.config.tokens or { auth.username }) do
    if token == auth.username then
      return nil
    end
  end
  return "Invalid credentials"
end

local function answer(seen)
  local why = refuse(seen)
  if why then
    return 401, { error = why, status = "error" }
  end
  local tag = '"' .. ngx.md5(store.flags) .. '"'
  ngx.header["ETag"] = tag
  if ngx.var.http_if_none_match == tag then
    return 304, ""
  end
  return 200, store.flags
end

-- `seen`: the request as it is kept. `scripted`: what is to be answered
-- instead, or nil.
function flags.definitions(seen, scripted)
  seen.status, seen.reply = answer(seen)
  if scripted then
    ngx.header["ETag"] = nil
    return reply.scripted(seen, scripted)
  end
  return reply.send(seen.status, seen.reply)
end

return flags
