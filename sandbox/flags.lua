-- The feature flags that POST /sandbox/flags named. GET /flags/definitions has
-- them for SDKs that decide by themselves: an entity tag goes along, and 304
-- answers to it. GET /flags decides for a context, by this project's own module,
-- which `make luajit` builds.
local cjson = require "cjson.safe"
local has_module, mixpanel = pcall(require, "mixpanel")
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

-- ---- decisions ----

local decider -- a client, which fetches nothing by itself
local decided -- the definitions that it has

-- The variants of all flags for a context.
local function decide(context)
  decider = decider
    or mixpanel.new(
      "sandbox",
      { transport = "manual", flags = { mode = "local", exposure = "never" } }
    )
  if decided ~= store.flags then
    decider.local_flags:refresh()
    decider:answer(decider:next_request().id, 200, nil, store.flags)
    decided = store.flags
  end
  return decider.local_flags:get_all_variants(context)
end

local function answer_context(seen)
  local why = refuse(seen)
  if why then
    return 401, { error = why, status = "error" }
  elseif not has_module then
    return 501, { error = mixpanel, status = "error" }
  end
  local context = cjson.decode(tostring(seen.query.context))
  if type(context) ~= "table" then
    return 400, { error = "context: expected an object", status = "error" }
  end
  local ok, variants = pcall(decide, context)
  if not ok then
    return 400, { error = variants, status = "error" }
  end
  local chosen = {}
  for key, variant in pairs(variants) do
    if not seen.query.flag_key or seen.query.flag_key == key then
      variant.variant_source = nil
      chosen[key] = variant
    end
  end
  return 200, { code = 200, flags = chosen }
end

function flags.evaluate(seen, scripted)
  seen.status, seen.reply = answer_context(seen)
  if scripted then
    return reply.scripted(seen, scripted)
  end
  return reply.send(seen.status, seen.reply)
end

return flags
