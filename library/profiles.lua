---@meta _
-- luacheck: ignore

---A request that `next_request` gives out.
---@class mixpanel.Request
---@field id integer for `answer`
---@field url string
---@field method string `"POST"`, or `"GET"` for feature flags
---@field headers table<string, string>
---@field body string bytes; of events gzip, unless the option `gzip` is `false`; empty with `"GET"`

---What may stand beside an operation; each with or without a `$` in front
---(Mixpanel docs, profile updates).
---@class mixpanel.Modifiers
---@field ip? string|0 the user's address, to place them by; `0` or `"0"` for none
---@field time? number when the update happened: seconds or milliseconds since the epoch; of users the time of the call by default, see the option `profile_time`
---@field ignore_time? boolean leave the profile's "last seen" as it is; `true` sends no time
---@field ignore_alias? boolean act on the id as it is, though it is an alias
---@field latitude? number degrees, -90 to 90
---@field longitude? number degrees, -180 to 180

---Profiles of users: `client.people`. Every method queues one update for
---`/engage`; those of one profile keep their order. Ids are strings or integers, not empty.
---@class mixpanel.People
local People = {}

---Sets properties (`$set`); makes the profile if there is none.
---@param id string|integer of the user
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.People, id: string|integer, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function People:set(id, name, value, modifiers) end

---Sets properties that have no value yet (`$set_once`).
---@param id string|integer of the user
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.People, id: string|integer, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function People:set_once(id, name, value, modifiers) end

---Puts a value at the end of a list (`$append`); a list given is one value.
---May apply twice after an ambiguous failure: see `on_ambiguous`.
---@param id string|integer of the user
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.People, id: string|integer, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function People:append(id, name, value, modifiers) end

---Adds values to a list that are not in it yet (`$union`); a scalar counts as a
---list of one.
---@param id string|integer of the user
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.People, id: string|integer, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function People:union(id, name, value, modifiers) end

---Takes a value out of a list (`$remove`).
---@param id string|integer of the user
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.People, id: string|integer, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function People:remove(id, name, value, modifiers) end

---Adds to numbers (`$add`). May apply twice after an ambiguous failure: see
---`on_ambiguous`.
---@param id string|integer of the user
---@param name string|table one property, or a table of properties and numbers (`by` is then left out)
---@param by? number|userdata 1 by default
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.People, id: string|integer, properties: table<string, number>, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function People:increment(id, name, by, modifiers) end

---Removes properties (`$unset`).
---@param id string|integer of the user
---@param names string|string[] one property or a list of them
---@param modifiers? mixpanel.Modifiers
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function People:unset(id, names, modifiers) end

---Deletes the profile (`$delete`); events stay. With `ignore_alias = true` the
---id is taken as it is.
---@param id string|integer of the user
---@param modifiers? mixpanel.Modifiers
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function People:delete_user(id, modifiers) end

---Appends a charge to `$transactions` (Mixpanel docs, revenue), at `$time` or now.
---@param id string|integer of the user
---@param amount number
---@param properties? table beside the amount
---@param modifiers? mixpanel.Modifiers
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function People:track_charge(id, amount, properties, modifiers) end

---Forgets all charges.
---@param id string|integer of the user
---@param modifiers? mixpanel.Modifiers
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function People:clear_charges(id, modifiers) end

---Any operation under its name on the wire.
---@param id string|integer of the user
---@param update table such as `{ ["$set"] = { plan = "pro" } }`: exactly one operation
---@param modifiers? mixpanel.Modifiers
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function People:update(id, update, modifiers) end

---Profiles of groups: `client.groups`. Every method queues one update for
---`/groups`; those of one group keep their order.
---@class mixpanel.Groups
local Groups = {}

---Sets properties (`$set`).
---@param group_key string such as `"company"`; made in the project settings first
---@param group_id string|integer of the group
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.Groups, group_key: string, group_id: string|integer, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function Groups:set(group_key, group_id, name, value, modifiers) end

---Sets properties that have no value yet (`$set_once`).
---@param group_key string such as `"company"`; made in the project settings first
---@param group_id string|integer of the group
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.Groups, group_key: string, group_id: string|integer, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function Groups:set_once(group_key, group_id, name, value, modifiers) end

---Adds values to a list that are not in it yet (`$union`); a scalar counts as a
---list of one.
---@param group_key string such as `"company"`; made in the project settings first
---@param group_id string|integer of the group
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.Groups, group_key: string, group_id: string|integer, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function Groups:union(group_key, group_id, name, value, modifiers) end

---Takes a value out of a list (`$remove`).
---@param group_key string such as `"company"`; made in the project settings first
---@param group_id string|integer of the group
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.Groups, group_key: string, group_id: string|integer, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function Groups:remove(group_key, group_id, name, value, modifiers) end

---Removes properties (`$unset`).
---@param group_key string such as `"company"`; made in the project settings first
---@param group_id string|integer of the group
---@param names string|string[] one property or a list of them
---@param modifiers? mixpanel.Modifiers
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function Groups:unset(group_key, group_id, names, modifiers) end

---Deletes the profile of the group (`$delete`).
---@param group_key string such as `"company"`; made in the project settings first
---@param group_id string|integer of the group
---@param modifiers? mixpanel.Modifiers
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function Groups:delete(group_key, group_id, modifiers) end

---Any operation under its name on the wire.
---@param group_key string such as `"company"`; made in the project settings first
---@param group_id string|integer of the group
---@param update table such as `{ ["$set"] = { plan = "pro" } }`: exactly one operation
---@param modifiers? mixpanel.Modifiers
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function Groups:update(group_key, group_id, update, modifiers) end
