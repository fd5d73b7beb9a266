--- Flags that Mixpanel decides, for nginx: the request that asks waits, and no
--- other does.

---@class mixpanel.RestyFlags
---@field private mp mixpanel.Client
local Flags = {}
Flags.__index = Flags

local TIMEOUT = 10 -- seconds, as of the option flags
local FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.02 -- seconds between two looks

-- The phases in which ngx.sleep may be called.
local YIELDS = {
  server_rewrite = true,
  rewrite = true,
  access = true,
  content = true,
  timer = true,
  ssl_client_hello = true,
  ssl_cert = true,
  ssl_session_fetch = true,
}

local told = setmetatable({}, { __mode = "k" }) -- client -> phase -> true

local function tell(mp, phase)
  told[mp] = told[mp] or {}
  if not told[mp][phase] then
    told[mp][phase] = true
    ngx.log(
      ngx.WARN,
      "mixpanel: nothing may wait in the phase ",
      phase,
      ": flags of Mixpanel's are those that it answered before, or the fallback"
    )
  end
end

-- Waits for the answer, if there is one to wait for; false where nobody may.
local function await(mp, context, timeout)
  local flags = mp.remote_flags
  local id = flags:request(context)
  if not id or flags:done(id) then
    return true
  end
  local phase = ngx.get_phase()
  if not YIELDS[phase] then
    tell(mp, phase)
    return false
  end
  ngx.update_time() -- else a handler that computed for long waits too little
  local deadline, pause = ngx.now() + (timeout or TIMEOUT), FIRST_PAUSE
  while not flags:done(id) do
    local left = deadline - ngx.now()
    if left <= 0 then
      return true
    end
    -- Less than a millisecond would be 0: nginx then goes on at once.
    ngx.sleep(math.max(0.001, math.min(pause, left)))
    pause = math.min(2 * pause, LONGEST_PAUSE)
  end
  return true
end

--- As mp.remote_flags:get_variant_value, but only this request waits.
---@param key string of the flag
---@param fallback any what to return when there is no variant
---@param context mixpanel.FlagContext
---@param report_exposure? boolean `true` by default
---@param timeout? number seconds; 10 by default
---@return any value
function Flags:get_variant_value(key, fallback, context, report_exposure, timeout)
  await(self.mp, context, timeout)
  return self.mp.remote_flags:get_variant_value(key, fallback, context, report_exposure, 0)
end

--- As mp.remote_flags:get_variant, but only this request waits. Where it may not,
--- `fallback_message` says so.
---@param key string of the flag
---@param fallback table?
---@param context mixpanel.FlagContext
---@param report_exposure? boolean `true` by default
---@param timeout? number seconds; 10 by default
---@return mixpanel.Variant
function Flags:get_variant(key, fallback, context, report_exposure, timeout)
  local waited = await(self.mp, context, timeout)
  local variant = self.mp.remote_flags:get_variant(key, fallback, context, report_exposure, 0)
  if not waited and variant.fallback_reason == "NOT_READY" then
    variant.fallback_message = "nothing may wait in the phase " .. ngx.get_phase()
  end
  return variant
end

--- As mp.remote_flags:is_enabled, but only this request waits.
---@param key string of the flag
---@param context mixpanel.FlagContext
---@param report_exposure? boolean `true` by default
---@param timeout? number seconds; 10 by default
---@return boolean
function Flags:is_enabled(key, context, report_exposure, timeout)
  await(self.mp, context, timeout)
  return self.mp.remote_flags:is_enabled(key, context, report_exposure, 0)
end

--- As mp.remote_flags:get_all_variants, but only this request waits.
---@param context mixpanel.FlagContext
---@param timeout? number seconds; 10 by default
---@return table<string, mixpanel.Variant>? variants by the keys of the flags
---@return string? message
---@return mixpanel.ErrorCode? code
function Flags:get_all_variants(context, timeout)
  await(self.mp, context, timeout)
  return self.mp.remote_flags:get_all_variants(context, 0)
end

--- As mp.remote_flags:track_exposure_event, which never waits.
---@param key string of the flag
---@param variant mixpanel.Variant
---@param context mixpanel.FlagContext with a `distinct_id`
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function Flags:track_exposure_event(key, variant, context)
  return self.mp.remote_flags:track_exposure_event(key, variant, context)
end

-- The flags of a client.
return function(mp)
  return setmetatable({ mp = mp }, Flags)
end
