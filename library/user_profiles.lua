---@meta _
-- luacheck: ignore

---The profile of a user: `me.people`. Until `identify` updates are held, in
---the order of the calls and in the state, at most 1000 or 4 MiB of them; then they are
---sent to the id, and enter the counters.
---@class mixpanel.UserPeople
local UserPeople = {}

---Sets properties (`$set`); makes the profile if there is none.
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.UserPeople, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function UserPeople:set(name, value, modifiers) end

---Sets properties that have no value yet (`$set_once`).
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.UserPeople, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function UserPeople:set_once(name, value, modifiers) end

---Puts a value at the end of a list (`$append`); a list given is one value.
---May apply twice after an ambiguous failure: see `on_ambiguous`.
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.UserPeople, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function UserPeople:append(name, value, modifiers) end

---Adds values to a list that are not in it yet (`$union`); a scalar counts as a
---list of one.
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.UserPeople, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function UserPeople:union(name, value, modifiers) end

---Takes a value out of a list (`$remove`).
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.UserPeople, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function UserPeople:remove(name, value, modifiers) end

---Adds to numbers (`$add`). May apply twice after an ambiguous failure: see
---`on_ambiguous`.
---@param name string|table one property, or a table of properties and numbers (`by` is then left out)
---@param by? number|userdata 1 by default
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.UserPeople, properties: table<string, number>, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function UserPeople:increment(name, by, modifiers) end

---Removes properties (`$unset`).
---@param names string|string[] one property or a list of them
---@param modifiers? mixpanel.Modifiers
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function UserPeople:unset(names, modifiers) end

---Deletes the profile (`$delete`); events stay. `invalid` before `identify`.
---@param modifiers? mixpanel.Modifiers
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function UserPeople:delete_user(modifiers) end

---Appends a charge to `$transactions` (Mixpanel docs, revenue), at `$time` or now.
---@param amount number
---@param properties? table beside the amount
---@param modifiers? mixpanel.Modifiers
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function UserPeople:track_charge(amount, properties, modifiers) end

---Forgets all charges.
---@param modifiers? mixpanel.Modifiers
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function UserPeople:clear_charges(modifiers) end

---Any operation under its name on the wire.
---@param update table such as `{ ["$set"] = { plan = "pro" } }`: exactly one operation
---@param modifiers? mixpanel.Modifiers
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function UserPeople:update(update, modifiers) end

---The profile of a group, made by `user:get_group`. Updates are not held.
---@class mixpanel.UserGroup
local UserGroup = {}

---Sets properties (`$set`).
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.UserGroup, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function UserGroup:set(name, value, modifiers) end

---Sets properties that have no value yet (`$set_once`).
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.UserGroup, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function UserGroup:set_once(name, value, modifiers) end

---Adds values to a list that are not in it yet (`$union`); a scalar counts as a
---list of one.
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.UserGroup, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function UserGroup:union(name, value, modifiers) end

---Takes a value out of a list (`$remove`).
---@param name string|table one property, or a table of properties (the value is then left out)
---@param value any
---@param modifiers? mixpanel.Modifiers
---@overload fun(self: mixpanel.UserGroup, properties: table, modifiers?: mixpanel.Modifiers): true?, string?, mixpanel.ErrorCode?
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function UserGroup:remove(name, value, modifiers) end

---Removes properties (`$unset`).
---@param names string|string[] one property or a list of them
---@param modifiers? mixpanel.Modifiers
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function UserGroup:unset(names, modifiers) end

---Deletes the profile of the group (`$delete`).
---@param modifiers? mixpanel.Modifiers
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function UserGroup:delete(modifiers) end
