---@meta _
-- luacheck: ignore

---Who a user starts as. The ids say who it is: a state that is somebody
---else's is left behind, but for the consent.
---@class mixpanel.UserOptions
---@field distinct_id? string|integer starts identified as this person, without a device id unless one is given
---@field device_id? string|integer of an anonymous device, without the prefix `$device:`, at most 247 bytes; a new UUID by default
---@field state? string|table path of the file that outlives the process, or what `export_state()` returned; with `transport = "manual"` only the table
---@field opt_out_by_default? boolean nothing is sent until `opt_in_tracking`; `false` by default
---@field flags? boolean whether Mixpanel is asked for the feature flags of this user, by `user.flags`; takes a client with the option `flags = "remote"` or `"both"`; `false` by default

---One person or device, made by `client:user{ … }`, with the names and meanings of
---Mixpanel's browser SDK; [how it differs](browser-methods.md). A user belongs
---to its client: once that is closed, every call that would change or send
---something returns `closed`.
---@class mixpanel.User
---@field people mixpanel.UserPeople the profile of this user
---@field flags mixpanel.UserFlags feature flags; its methods raise without the option `flags = true`
local User = {}

---Queues an event of this user, as `client:track` does. It carries
---`distinct_id`, `$device_id`, `$user_id` and the super properties; the
---event's own properties win. An event that is disabled is not sent.
---@param event string its name, not blank
---@param properties? table
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:track(event, properties) end

---Starts the timer of an event: the next one of this name carries `$duration`,
---in seconds with three decimals. It counts on a clock that is not set, and on
---the wall clock across restarts; a duration below zero is left out. At most
---254 timers run at once, with names of 64 KiB together.
---@param event string
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:time_event(event) end

---Seconds since `time_event`; nil when no timer of this name runs, or the wall
---clock was set back between two runs.
---@param event string
---@return number? seconds
function User:event_elapsed_time(event) end

---Stops the timer of an event, which then carries no `$duration`.
---@param event string
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:clear_timed_event(event) end

---Stops all timers.
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:clear_timed_events() end

---Queues `$mp_web_page_view`. What a browser would add of the page is yours to
---give.
---@param properties? table
---@param options? { event_name: string } another name
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:track_pageview(properties, options) end

---Queues an event with the ids of groups among its properties.
---@param event string
---@param properties? table
---@param groups? table<string, any> a group key and an id or a list of ids each; they win over the properties
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:track_with_groups(event, properties, groups) end

---Sends no events, or none of these names, until `enable`; a disabled event
---starts no timer. Profiles go on. Not kept in the state.
---@param events? string|string[] all by default
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:disable(events) end

---Undoes `disable`, with the same argument.
---@param events? string|string[]
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:enable(events) end

---Says who the user is. A new id queues `$identify` and sends the profile
---updates that were held; the same id, or none, only sends those. While the
---user has opted out the id is taken, nothing is sent, and the code is
---`opted_out`.
---@param id? string|integer without the prefix `$device:`; none: the profile of the present id, also of an anonymous device
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:identify(id) end

---Queues `$create_alias`, then `$identify`. For projects with original ID
---merge only: with simplified ID merge it does nothing.
---@param alias string|integer the new id
---@param original? string|integer the one that it is to lead to; the user's by default
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:alias(alias, original) end

---Starts a new, anonymous device: ids, super properties, timers and held
---updates are forgotten, the consent stays.
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:reset() end

---Puts the super property `mp_name_tag` on the user's events.
---@param name_tag string
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:name_tag(name_tag) end

---@return string distinct_id
function User:get_distinct_id() end

---@return string? device_id
function User:get_device_id() end

---Sets super properties, which every event of the user carries from now on; or
---one, by name and value.
---@param properties table at most 254 in all, and a megabyte
---@param options? { persistent: boolean } `persistent = false`: for this run only, before those that are kept
---@overload fun(self: mixpanel.User, name: string, value: any, options?: { persistent: boolean }): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:register(properties, options) end

---Sets super properties that are not set yet, or have the default value.
---@param properties table
---@param default? any `"None"` by default
---@param options? { persistent: boolean }
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:register_once(properties, default, options) end

---Forgets a super property.
---@param name string
---@param options? { persistent: boolean }
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:unregister(name, options) end

---A super property, `distinct_id`, `$device_id` or `$user_id`. A table is a
---copy; an integer that Lua cannot hold exactly comes as a string.
---@param name string
---@return any value
function User:get_property(name) end

---All super properties that events carry, as a copy; values as of
---`get_property`.
---@return table<string, any> properties
function User:get_super_properties() end

---Forgets all super properties, those of this run and those that name the
---user's groups included.
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:clear_super_properties() end

---Makes these the user's groups of this key: in the super property of that
---name, and in the profile (`$set`).
---@param group_key string such as `"company"`; made in the project settings first
---@param group_id string|integer|(string|integer)[] one or a list
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:set_group(group_key, group_id) end

---Adds the user to a group, in the super property and in the profile
---(`$union`).
---@param group_key string
---@param group_id string|integer
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:add_group(group_key, group_id) end

---Takes the user out of a group, in the super property and in the profile
---(`$remove`).
---@param group_key string
---@param group_id string|integer
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:remove_group(group_key, group_id) end

---The profile of a group.
---@param group_key string
---@param group_id string|integer
---@return mixpanel.UserGroup? group
---@return string? message
---@return mixpanel.ErrorCode? code
function User:get_group(group_key, group_id) end

---The user agrees to be tracked: queues `$opt_in` and sends it at once.
---@param options? { track_event_name: string?, track_properties: table? } another name, and properties
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:opt_in_tracking(options) end

---The user does not want to be tracked: from now on every call that would send
---something returns `opted_out`, also after a restart and for every other user
---of the process with the same state file. What is queued was agreed
---to and is sent. By default the profile of an identified user is deleted, and
---ids, super properties, timers and held updates are forgotten.
---@param options? { delete_user: boolean?, clear_persistence: boolean? } both `true` by default
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:opt_out_tracking(options) end

---@return boolean
function User:has_opted_in_tracking() end

---True also when nothing is known and the user was made with
---`opt_out_by_default`.
---@return boolean
function User:has_opted_out_tracking() end

---Forgets whether the user opted in or out.
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:clear_opt_in_out_tracking() end

---Waits until the state file is written, which otherwise happens within a second
---of a change. It blocks the calling thread. `invalid` without a state file.
---@param timeout? number seconds; 10 by default
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function User:save(timeout) end

---What is known of the user, for hosts without files: a table of strings,
---booleans and integers, to be given to `client:user{ state = … }` again.
---@return table state
function User:export_state() end
