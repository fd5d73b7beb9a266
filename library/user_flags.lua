---@meta _
-- luacheck: ignore

---The feature flags of a user: `user.flags`, see the
---[guide](flags.md#the-flags-of-a-user). Mixpanel is asked in the background
---when the user is made, after `identify`, `alias`, `reset` and
---`update_context`, and not while the user has opted out; nothing here waits.
---@class mixpanel.UserFlags
local UserFlags = {}

---The user's variant of a flag. Reports the exposure, once in 24 hours.
---@param key string of the flag
---@param fallback? table what to return a copy of when there is no variant, such as `{ variant_value = false }`
---@return mixpanel.Variant # its `variant_source` is `"persistence"` until the answer for who the user is now came
function UserFlags:get_variant(key, fallback) end

---The value of the user's variant. Reports the exposure, once in 24 hours.
---@param key string of the flag
---@param fallback? any what to return when there is no variant
---@return any value `nil` for JSON's `null`
function UserFlags:get_variant_value(key, fallback) end

---Whether the value of the user's variant is exactly `true`. Reports the
---exposure, once in 24 hours.
---@param key string of the flag
---@param fallback? boolean what to return when there is no variant; `false` by default
---@return boolean
function UserFlags:is_enabled(key, fallback) end

---Has Mixpanel asked again, unless its answer for the same context is still
---fresh: see `ttl` of `mixpanel.FlagOptions`.
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code `opted_out`, `invalid`, `queue_full`, `closed`
function UserFlags:load_flags() end

---Whether the answer came for who the user is now.
---@return boolean
function UserFlags:are_flags_ready() end

---A mark of the request that is under way, or was last.
---@return integer? mark for `done`
---@return string? message
---@return mixpanel.ErrorCode? code `opted_out`, `invalid`, `queue_full`, `closed`
function UserFlags:when_ready() end

---Whether nothing is to be waited for any more: the answer came, or failed.
---@param mark integer of `when_ready`
---@return boolean? done
---@return string? message
---@return mixpanel.ErrorCode? code `closed`, once the client is collected
function UserFlags:done(mark) end

---Changes what the flags are decided by beside the ids, such as
---`{ custom_properties = { plan = "pro" } }`, and has Mixpanel asked.
---@param context table its members replace those of the same name; all is copied
---@param options? { replace?: boolean } `replace = true` forgets all other members
---@return true? ok also when the user has opted out
---@return string? message
---@return mixpanel.ErrorCode? code `invalid`, `queue_full`, `closed`
function UserFlags:update_context(context, options) end
