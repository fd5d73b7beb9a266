---@meta _
-- luacheck: ignore

---Feature flags that are decided in this process: `client.local_flags`, see the
---[guide](flags.md). The first call reads the definitions that were kept, and
---has them fetched from then on. A decision never waits, and once the client is
---closed goes by what was fetched before.
---@class mixpanel.LocalFlags
local LocalFlags = {}

---The value of somebody's variant. Reports the exposure, unless told not to.
---@param key string of the flag
---@param fallback any what to return when there is no variant
---@param context mixpanel.FlagContext
---@param report_exposure? boolean `true` by default
---@return any value `nil` for JSON's `null`
function LocalFlags:get_variant_value(key, fallback, context, report_exposure) end

---Somebody's variant. Reports the exposure, unless told not to.
---@param key string of the flag
---@param fallback table? what to return a copy of when there is no variant, such as `{ variant_value = false }`
---@param context mixpanel.FlagContext
---@param report_exposure? boolean `true` by default
---@return mixpanel.Variant
function LocalFlags:get_variant(key, fallback, context, report_exposure) end

---Whether the value of somebody's variant is exactly `true`. Reports the
---exposure, unless told not to.
---@param key string of the flag
---@param context mixpanel.FlagContext
---@param report_exposure? boolean `true` by default
---@return boolean
function LocalFlags:is_enabled(key, context, report_exposure) end

---The variants of all flags of which somebody has one. Reports no exposure.
---@param context mixpanel.FlagContext
---@return table<string, mixpanel.Variant> variants by the keys of the flags
function LocalFlags:get_all_variants(context) end

---Reports an exposure, unless that was done in the last 24 hours.
---@param key string of the flag
---@param variant mixpanel.Variant what `get_variant` returned
---@param context mixpanel.FlagContext with a `distinct_id`
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function LocalFlags:track_exposure_event(key, variant, context) end

---Whether there are definitions.
---@return boolean
function LocalFlags:are_flags_ready() end

---Has the definitions kept up to date, as the first call of any method does; also
---after they were stopped.
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function LocalFlags:start_polling_for_definitions() end

---The server is asked no more, but for `refresh`.
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function LocalFlags:stop_polling_for_definitions() end

---Waits until there are definitions. Blocks; with `transport = "manual"` it
---returns at once.
---@param timeout? number seconds; 10 by default
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code `timeout`
function LocalFlags:wait(timeout) end

---Has the server asked for definitions now.
---@param timeout? number seconds to wait for what comes of it; 0, which does not wait, by default
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code `timeout`, or `network` when what came is no use
function LocalFlags:refresh(timeout) end

---Feature flags that Mixpanel decides: `client.remote_flags`, see the
---[guide](flags.md). A method that takes a context asks for it once in `ttl`
---seconds and waits for the answer; where none comes, the last one serves.
---@class mixpanel.RemoteFlags
local RemoteFlags = {}

---The value of somebody's variant. Reports the exposure, unless told not to.
---Blocks; with `transport = "manual"` it returns at once.
---@param key string of the flag
---@param fallback any what to return when there is no variant
---@param context mixpanel.FlagContext
---@param report_exposure? boolean `true` by default
---@param timeout? number seconds to wait for an answer, 0 for none; by default the `timeout` of the option `flags`
---@return any value `nil` for JSON's `null`
function RemoteFlags:get_variant_value(key, fallback, context, report_exposure, timeout) end

---Somebody's variant. Reports the exposure, unless told not to. Blocks; with
---`transport = "manual"` it returns at once.
---@param key string of the flag
---@param fallback table? what to return a copy of when there is no variant, such as `{ variant_value = false }`
---@param context mixpanel.FlagContext
---@param report_exposure? boolean `true` by default
---@param timeout? number seconds to wait for an answer, 0 for none; by default the `timeout` of the option `flags`
---@return mixpanel.Variant
function RemoteFlags:get_variant(key, fallback, context, report_exposure, timeout) end

---Whether the value of somebody's variant is exactly `true`. Reports the
---exposure, unless told not to. Blocks; with `transport = "manual"` it returns
---at once.
---@param key string of the flag
---@param context mixpanel.FlagContext
---@param report_exposure? boolean `true` by default
---@param timeout? number seconds to wait for an answer, 0 for none; by default the `timeout` of the option `flags`
---@return boolean
function RemoteFlags:is_enabled(key, context, report_exposure, timeout) end

---The variants of all flags of which somebody has one. Reports no exposure.
---Blocks; with `transport = "manual"` it returns at once.
---@param context mixpanel.FlagContext
---@param timeout? number seconds to wait for an answer, 0 for none; by default the `timeout` of the option `flags`
---@return table<string, mixpanel.Variant>? variants by the keys of the flags
---@return string? message
---@return mixpanel.ErrorCode? code `timeout`, `network`, `invalid`, `closed`
function RemoteFlags:get_all_variants(context, timeout) end

---Reports an exposure, unless that was done in the last 24 hours.
---@param key string of the flag
---@param variant mixpanel.Variant what `get_variant` returned
---@param context mixpanel.FlagContext with a `distinct_id`
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function RemoteFlags:track_exposure_event(key, variant, context) end

---Has Mixpanel asked for a context, unless its answer is there, and never waits.
---@param context mixpanel.FlagContext
---@return integer? id for `result`
---@return string? message
---@return mixpanel.ErrorCode? code `invalid`, `queue_full`, `closed`
function RemoteFlags:request(context) end

---Whether nothing is to be waited for any more: the answer came, or failed.
---@param id integer of `request`
---@return boolean? done
---@return string? message
---@return mixpanel.ErrorCode? code `closed`, once the client is collected
function RemoteFlags:done(id) end

---What Mixpanel answered.
---@param id integer of `request`
---@return table<string, mixpanel.Variant>|false|nil variants by the keys of the flags; `false` while the answer is still to come
---@return string? message
---@return mixpanel.ErrorCode? code `network` when none came; `invalid` for an id that is not, or no longer, known; `closed`
function RemoteFlags:result(id) end

---Whom a decision is about. Flags may be decided by other attributes than the
---id, such as `company_id`, which stand beside it: string, number or boolean.
---@class mixpanel.FlagContext
---@field distinct_id? string|number whose exposure is reported
---@field custom_properties? table what rules look at; case does not matter

---What somebody gets.
---@class mixpanel.Variant
---@field variant_key? string
---@field variant_value? any
---@field experiment_id? string
---@field is_experiment_active? boolean
---@field is_qa_tester? boolean whether the definitions name this user
---@field variant_source? "local"|"remote"|"persistence"|"fallback" the third: Mixpanel's last answer, where no newer one came
---@field fallback_reason? "NOT_READY"|"FLAG_NOT_FOUND"|"MISSING_CONTEXT_KEY"|"NO_ROLLOUT_MATCH"|"INVALID_CONTEXT"|"BACKEND_ERROR"
---@field fallback_message? string of remote flags: what more there is to say
