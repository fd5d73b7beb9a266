---@meta _
-- luacheck: ignore

---Clients for specs of your own code: `local testing = require
---"mixpanel.testing"`; needs lua-cjson. They are real clients that send nothing
---and keep what was tracked: see the [guide](testing.md).
---@class mixpanel.testing
local testing = {}

---Makes a client that records. It has a queue of its own, whatever its `name`;
---`transport`, `bus`, `spool` with its settings, `gzip`, `max_retry_delay` and the path
---of a file as `debug` have no effect.
---@param token? string `"projecttoken"` by default
---@param options? mixpanel.Options
---@return mixpanel.TestClient
function testing.new(token, options) end

---From now on `mixpanel.new` makes clients that record, for code that makes its
---own.
---@return mixpanel.Recorder recorder what all of them record
function testing.install() end

---`mixpanel.new` is itself again. The clients that were made still record.
function testing.uninstall() end

---A client that records: all methods of [mixpanel.Client](#mixpanelclient) and
---of [mixpanel.Recorder](#mixpanelrecorder). The sender acts when `flush`,
---`close`, `mark`, `done` or a method of the recorder is called; nothing waits.
---`check` says what was scripted for `/import`, or `true`. The state file of a
---user is kept in memory, for the next user with the same path.
---@class mixpanel.TestClient: mixpanel.Client, mixpanel.Recorder

---What was tracked, and what Mixpanel says to it. An event is `{ event,
---properties, endpoint }`, an update `{ $distinct_id, $set, …, endpoint }`, as it
---is sent, with `endpoint` such as `"/track"`. Those of one endpoint stand in the
---order of the calls.
---@class mixpanel.Recorder
---@field clients mixpanel.TestClient[] of `install`: in the order in which they were made
local Recorder = {}

---All records that are like this. A pattern is a table: the record must have its
---fields, inner tables are patterns again, lists must have the same elements; a
---function, or a matcher of luassert, is called with the value and decides.
---@param what? string|table|fun(record: mixpanel.TestRecord): boolean the name of an event, or a pattern for the record; all by default
---@param properties? table behind the name of an event: a pattern for its properties
---@return mixpanel.TestRecord[]
function Recorder:recorded(what, properties) end

---The first record that is like this.
---@param what? string|table|fun(record: mixpanel.TestRecord): boolean as of `recorded`
---@param properties? table
---@return mixpanel.TestRecord?
function Recorder:find(what, properties) end

---Forgets what was recorded and scripted.
function Recorder:clear() end

---Says how the next requests end, in the order given. A record that failed for
---now is tried again at once, as long as that may end otherwise.
---@param replies mixpanel.TestReply|mixpanel.TestReply[]
function Recorder:script(replies) end

---A record as it is sent.
---@class mixpanel.TestRecord
---@field endpoint string such as `"/track"`
---@field event? string of an event: its name
---@field properties? table of an event

---How a request ends, as the sandbox says it.
---@class mixpanel.TestReply
---@field endpoint? string only requests to this one, such as `"/engage"`
---@field match? string only requests whose body has this text
---@field times? integer how often; 1 by default; 0: until `clear`
---@field status? integer of HTTP; 200 by default
---@field headers? table<string, string> such as `Retry-After`: so long its records stay queued
---@field body? string|table of the reply; a table goes as JSON, with `status = 0` beside an `error`; by default what fits the status
---@field error? string no reply comes, and why
