---@meta mixpanel
-- luacheck: ignore

---Analytics from Lua to Mixpanel: `local mixpanel = require "mixpanel"`.
---
---A wrong argument or option (an event that is no string, an unknown option, a
---token with white space) raises an error at the caller's line. What depends on
---the data or on the world returns `nil, message, code`; the codes are those of
---[mixpanel.ErrorCode](#mixpanelerrorcode). No call prints, and none but
---`flush`, `close`, `check` and `save` waits for anything.
---@class mixpanel
local mixpanel = {}

---The version of the module, such as `"0.1.0"`.
---@type string
mixpanel._VERSION = nil

---Stands for JSON's `null` in properties. `cjson.null`, `ngx.null` and every
---other null pointer mean the same.
---@type lightuserdata
mixpanel.null = nil

---Makes a client of the project with this token. Clients of one token, host,
---account, `events_via`, `spool`, `transport` and `name` share one queue. Of each
---setting what was said last is in force, by `new` or `set_config` of a client
---that is open; what a closed one said lapses once another is open. `new`
---starts no thread and sends nothing: that begins with the first record, so a client may be made before a fork.
---@param token string the project token: project settings, access keys. It identifies a project and is no secret
---@param options? mixpanel.Options
---@return mixpanel.Client
function mixpanel.new(token, options) end

---Marks a table as an array, also when it is empty or has gaps; missing elements
---become `null`. The table itself is not changed.
---@param t table
---@return userdata # to be used as a value in properties
function mixpanel.array(t) end

---Marks a table as an object, also when its keys are 1..n.
---@param t table
---@return userdata # to be used as a value in properties
function mixpanel.object(t) end

---A moment as Mixpanel's date type takes it: `YYYY-MM-DDTHH:MM:SS`, in UTC
---(Mixpanel docs, profile properties: numbers stay numbers, texts of this form
---become dates).
---@param seconds? number since the epoch, as `os.time()`; now by default
---@return string
function mixpanel.date(seconds) end

---Why a call returned `nil`: the third result.
---@alias mixpanel.ErrorCode
---| "invalid"      # the data has no place in a Mixpanel record; the message has the path to it
---| "queue_full"   # `max_queue_bytes` wait already, or a user holds too many updates or timers; nothing was queued
---| "too_large"    # `collect`: more than is taken at once, to be sent in parts; nothing was queued
---| "closed"       # the client was closed, or the process is exiting
---| "opted_out"    # the user of `mp:user` has opted out; nothing was sent
---| "timeout"      # the wait ended before its records did; they stay queued. `check`: no answer yet. `save`: the file is not written yet
---| "memory"       # out of memory
---| "unauthorized" # `check`: the API refused the credentials
---| "thread"       # `flush`, `close`, `check`, `save`: the sending thread cannot be started; what was queued waits, and is tried again
---| "network"      # `check`: the API cannot be reached, or did not answer as it should
---| "state"        # `save`: the state file cannot be written; it is tried again. `user`: it cannot be read, or is a file of something else

---What `mixpanel.new` takes besides the token, and `set_config` with the
---exception of those that decide where records go (marked *key*).
---@class mixpanel.Options
---@field residency? "us"|"eu"|"in" *key*; where the project's data lives, `"us"` by default. Mixpanel drops what is sent to another region
---@field api_host? string *key*; instead of `residency`: the `https://` base URL of a proxy; `http://` only for loopback, or with `allow_http`, never with a secret
---@field allow_http? boolean *key*; permits `http://` beyond loopback; `false` by default
---@field name? string *key*; clients of one project share a queue, counters and settings unless their names differ; `""` by default
---@field service_account? mixpanel.ServiceAccount *key*; credentials for `/import` instead of the token
---@field events_via? "track"|"import" *key*; `"import"` sends events through `/import`, which validates and reports each; `"track"` by default
---@field spool? string *key*; a directory that keeps records until they are delivered, also when the process is killed: see the guide to the spool. A relative path is taken from the present working directory; its parent must exist. None by default
---@field transport? "curl"|"manual" *key*; `"manual"`: the host carries the requests, by `next_request` and `answer`, and no thread is started; `"curl"` by default
---@field geolocate? boolean let Mixpanel place users by the address the request comes from; `false` by default
---@field profile_time? boolean whether updates of user profiles carry `$time`, the milliseconds of the call, unless `time` or `ignore_time` is among the modifiers; `true` by default. Mixpanel applies updates in the order of their times
---@field properties? table|fun(event: string): table? on every event of this client; an event's own properties win. A function is called for each event, with its name, before the event is encoded, and may not yield; `nil` adds nothing. If it fails, or what it returns is no table of properties, the event goes without them: `stats().properties_failed` counts, and the first time is reported. What it tracks itself does not call it again
---@field exclude_properties? string[] names of properties that this client never sends, in events, profiles and groups (`mp_lib` and `$lib_version` too; not ids, `time`, `token` or `ip`, nor what is inside a property, such as the parts of a charge)
---@field flags? "local"|"remote"|"both"|mixpanel.FlagOptions feature flags: decided in this process, by `client.local_flags`, or by Mixpanel, for `client.remote_flags`: see the [guide](flags.md); none by default
---@field flush_interval? number seconds that a record lingers at most, for others to join it; 5 by default
---@field max_batch_size? integer records in a request, 1 to 2000; 2000 by default
---@field max_in_flight? integer requests under way at the same time for events, 1 to 20; 4 by default (10 to 20 for bulk imports)
---@field max_queue_bytes? integer bytes of records that may wait in memory, at least 64 KiB; 64 MiB by default
---@field gzip? integer|boolean level 1 to 12 of event bodies, `true` (1) or `false`; 1 by default
---@field connect_timeout? number seconds; 10 by default
---@field request_timeout? number seconds; 30 by default
---@field exit_timeout? number seconds that the end of the process, or `close` without an argument, may wait; 2 by default
---@field max_retry_delay? number seconds between two tries at most, before jitter; 60 by default
---@field max_age? number|false seconds; batches whose youngest record is older are dropped as `expired`; `false`, the default without a spool: never; 30 days with one
---@field durability? "process"|"power" what a record in the spool survives: `"process"` (default) the death of the process from the moment the call returned; `"power"` also a loss of power, from `sync_interval` on. Needs `spool`
---@field sync_interval? number seconds between two syncs of what came in, with `"power"`; 1 by default. Needs `spool`
---@field spool_max_bytes? integer bytes of batches that may wait on disk, at least 4 MiB; the oldest make room, counted as `evicted`; 256 MiB by default. Needs `spool`
---@field overflow? "drop_newest"|"drop_oldest" at `max_queue_bytes` a call returns `queue_full` (default), or the oldest records that are in no request make room
---@field on_ambiguous? "retry"|"report" what becomes of `$add` and `$append` updates that may have been applied: sent again (default), or rejected as `uncertain`
---@field reports? "failures"|"all"|"none"|"every" which reports `poll` finds; `"failures"` by default. `"every"`: those, each with all of its records, however many; for programs that poll often
---@field debug? string|boolean path of a file that gets every request and reply as text, credentials left out, or true for standard error; if it cannot be written, `stats().last_error` says so
---@field on_invalid? "repair"|"reject" what becomes of NaN, infinities and invalid UTF-8: repaired and counted (default), or the record is refused
---@field proxy? string|false `scheme://[user:password@]host[:port]` of a proxy for libcurl, never shown; `false` (default) for none; the environment, `NO_PROXY` too, is ignored
---@field ca_file? string|false PEM file of the authorities to trust instead of the system's, read at once
---@field ca_path? string|false directory of authorities to trust instead of the system's, hashed as by `openssl rehash`

---How feature flags are decided, and their definitions kept. What clients of one
---project say last of all but `mode` and `exposure` holds for all of them.
---@class mixpanel.FlagOptions
---@field mode? "local"|"remote"|"both" in this process (default), from definitions that are fetched in the background; by Mixpanel; or either
---@field poll_interval? number seconds between two looks for new definitions, 0.1 to 86400; 60 by default. Not with mode `"remote"`
---@field file? string path of a file that keeps them for the next start; not with `spool`, which keeps them by itself. One for all clients of a project. Not with mode `"remote"`
---@field ttl? number seconds that an answer of Mixpanel's holds, 1 to 86400; 60 by default. Not with mode `"local"`
---@field timeout? number seconds that a call waits for one, 0 to 3600; 10 by default. Not with mode `"local"`
---@field contexts? integer contexts whose answers are remembered, 1 to 1000000; 10000 by default. Not with mode `"local"`
---@field exposure? "once"|"always"|"never" which exposures are reported: once in 24 hours (default), each, or none

---A service account of Mixpanel with the role admin or owner, for `/import`
---(Mixpanel docs, service accounts). The secret is never shown and never sent
---over plain http.
---@class mixpanel.ServiceAccount
---@field username string such as `"bot.abc123.mp-service-account"`
---@field secret string
---@field project_id string|integer the number of the project

---A client, made by `mixpanel.new`. Its methods may be called from any thread
---that runs a Lua state of its own; a client belongs to the state it was made in.
---`tostring(client)` never shows a secret. A client that is collected, or that
---leaves the scope of a `<close>` variable, drops nothing: its records are
---delivered all the same.
---@class mixpanel.Client
---@field people mixpanel.People profiles of users
---@field groups mixpanel.Groups profiles of groups
---@field local_flags mixpanel.LocalFlags feature flags; its methods raise without the option `flags = "local"` or `"both"`
---@field remote_flags mixpanel.RemoteFlags feature flags that Mixpanel decides; its methods raise without `flags = "remote"` or `"both"`
local Client = {}

---Queues an event for `/track` (or `/import`, with `events_via = "import"`). It
---gets `time` and `$insert_id` now unless the properties give them, `token`,
---`mp_lib` and `$lib_version`; without any id it carries `distinct_id = ""`,
---which means no user. Events older than five days go to `/import`.
---@param event string its name, not blank
---@param properties? table at most 254 with those of the client, lists of at most 254 elements, objects at most 3 levels deep in a property, 1 MiB of JSON in all; `time` in seconds or milliseconds since the epoch; `distinct_id`, `$user_id`, `$device_id` as string or integer; `ip`, the user's address, to place them by
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function Client:track(event, properties) end

---Queues events of `/track`, all or none. The list has the keys 1..n and no others.
---@param list { event: string, properties: table? }[]
---@return true? ok
---@return integer|string n how many, or the message
---@return mixpanel.ErrorCode? code
---@return integer? index the item that was refused
function Client:track_batch(list) end

---Queues an event for `/import`, which takes events of any age, validates each
---and says what became of it.
---@param event string
---@param time number|userdata seconds or milliseconds since the epoch; values from 1e11 on are milliseconds
---@param properties? table
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function Client:import(event, time, properties) end

---Queues events of `/import`, all or none; `properties.time` says when each
---happened.
---@param list { event: string, properties: table }[]
---@return true? ok
---@return integer|string n how many, or the message
---@return mixpanel.ErrorCode? code
---@return integer? index the item that was refused
function Client:import_batch(list) end

---Links an anonymous id to a user (`$identify`), in projects with Mixpanel's
---original ID merge. With simplified ID merge, send an event that carries both
---`$user_id` and `$device_id` instead.
---@param user_id string|integer
---@param anon_id string a UUID (version 4) that was not linked before, or an id that begins with `$device:`; others are refused
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function Client:identify(user_id, anon_id) end

---Gives a user a second id (`$create_alias`), in projects with the original ID
---merge. An alias belongs to one id, for good.
---@param alias string|integer
---@param distinct_id string|integer
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function Client:alias(alias, distinct_id) end

---Merges two users for good (`$merge`, through `/import`), in projects with the
---original ID merge. Best with a service account.
---@param id1 string|integer
---@param id2 string|integer
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function Client:merge(id1, id2) end

---Sends what waits and returns once every record that was accepted before the
---call has an outcome. Blocks: in an event loop or a frame use `mark` and `done`.
---Never shortens a pause that the API asked for.
---@param timeout? number seconds; 10 by default; 0 only wakes the sender
---@return true? ok
---@return string? message such as `"timeout: 12 records undelivered"`, with `", kept in the spool"` if files have all of them
---@return mixpanel.ErrorCode? code
function Client:flush(timeout) end

---Closes this client after a last flush. The project lives on until its records
---have ended. `stats`, `poll` and `done` still answer.
---@param timeout? number seconds; what is left of `exit_timeout` by default; 0 does not wait
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function Client:close(timeout) end

---Wakes the sender and returns a ticket for everything accepted so far, without
---waiting.
---@return integer ticket
function Client:mark() end

---Whether every record up to a ticket has an outcome.
---@param ticket integer what `mark` returned
---@return boolean
function Client:done(ticket) end

---Asks `/import`, with a record that cannot be accepted, whether it can be
---reached and takes the credentials. Blocks. It cannot tell whether a project
---with this token exists: Mixpanel takes any token for `/track`.
---@param timeout? number seconds; 10 by default
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code `unauthorized`, `network`, `timeout` or `thread`
function Client:check(timeout) end

---The counters of the project, in one snapshot.
---@return mixpanel.Stats
function Client:stats() end

---The project's next reports, oldest first; each is seen once, by whichever
---client asks. Up to 64 are kept; then those of one kind are merged, which keeps
---the count and loses the single records.
---@param max? integer how many at most; all by default
---@return mixpanel.Report[]
function Client:poll(max) end

---With `transport = "manual"`: the next request for the host to carry, to be
---answered by `answer`. Several may be under way. A closed client gives out what
---it accepted before.
---@return mixpanel.Request? request
---@return number|string? seconds after which to ask again, when there is none now; the message when the client was collected
---@return mixpanel.ErrorCode? code
function Client:next_request() end

---With `transport = "manual"`: says what became of a request, once: `answer(id,
---status, headers, body)` for a reply, `answer(id, nil, message)` where none
---came.
---@param id integer of the request
---@param status integer? of HTTP
---@param headers? table<string, string>|string of the reply, for `Retry-After` and `ETag`; where no status is, the message
---@param body? string of the reply
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function Client:answer(id, status, headers, body) end

---Takes in what a Mixpanel SDK posts, of a browser above all: the events and
---updates in it become records of this client, each judged by itself. They keep
---their `$insert_id` and `time`, numbers as they are written and text byte for
---byte; the client's `properties` are not added, its `exclude_properties` are
---left out. An event with a time but without an `$insert_id` gets one that
---depends on its bytes, so that what is sent again counts once.
---
---Events go to `/track` and never gain rights: not to `/import`, whatever
---`events_via` says, no `$merge`, and what is or becomes older than five days
---less an hour ends as `expired`. Of a body the good records are queued all at
---once, or none: then it returns `nil`.
---@param endpoint "track"|"engage"|"groups" that it was posted to
---@param body? string as it came: JSON, or a form with JSON or base64 in `data`; the bytes tell which. Without one `data` is looked for in the query
---@param options? mixpanel.CollectOptions
---@return mixpanel.Collected? collected
---@return string? message
---@return mixpanel.ErrorCode? code `invalid`: the body is none; `too_large`: 10 MB, inflated, or 2000 records
function Client:collect(endpoint, body, options) end

---Queues records that are JSON already: an object, a list of them, or several
---values one after the other, as in a file of lines. They are what the API takes,
---with the rights of this client; the token may be missing. An event with a time
---but without an `$insert_id` gets one that depends on its bytes. A text is queued
---whole or not at all, unless events that go to `/import` stand in it beside
---others that go to `/track`: then some may be queued when it returns `nil`.
---@param endpoint "track"|"import"|"engage"|"groups" as `track` or `import` would send
---@param json string
---@param options? mixpanel.IngestOptions
---@return mixpanel.Collected? ingested
---@return string? message
---@return mixpanel.ErrorCode? code
---@return integer? done with `items`: how many records are queued already, for `skip`
function Client:ingest(endpoint, json, options) end

---Changes settings for every client of the project; `properties` of this client
---only. Options that decide where records go raise.
---@param options mixpanel.Options
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code
function Client:set_config(options) end

---Makes a user: identity, super properties, timers, groups and consent of one
---person or device, apart from those of every other user of the client. Its
---events carry the client's `properties`, but for ids.
---@param options? mixpanel.UserOptions
---@return mixpanel.User? user
---@return string? message
---@return mixpanel.ErrorCode? code
function Client:user(options) end

---What is in the spool of this client, for people to look at. Changes nothing,
---and starts nothing: a process that uses the spool does not notice. Waits for the
---disk.
---@return mixpanel.SpoolList? list
---@return string? message
---@return mixpanel.ErrorCode? code `state`: the spool cannot be read, or there is none
function Client:spool_list() end

---The records of a batch or an open segment, also of one that was set aside,
---which may be in any directory, of any spool. Waits for the disk.
---@param path string of the file, which has the name that the spool gave it
---@return mixpanel.SpoolRecords? records
---@return string? message
---@return mixpanel.ErrorCode? code `invalid`: no file of a spool; `state`: it cannot be read
function Client:spool_read(path) end

---What a spool has of one project.
---@class mixpanel.SpoolList
---@field directory string of the project; it may not be there
---@field foreign integer other projects that have files in this spool
---@field runs mixpanel.SpoolRun[] in the order of their starts

---What one process keeps in a spool.
---@class mixpanel.SpoolRun
---@field name string of its directory
---@field started number seconds since the epoch
---@field alive boolean whether the process lives
---@field own boolean whether it is this one
---@field pid? integer of the process, where that is known
---@field files mixpanel.SpoolFile[] in no order
---@field problem? string why the directory cannot be read

---@class mixpanel.SpoolFile
---@field name string
---@field kind "batch"|"open"|"damaged"|"rejected"|"unfinished"|"newer"|"other" sealed; a segment that is still written to or was not sealed; one of them that was set aside; what Mixpanel refused; not whole, of a process that died; of a version of this module that this one does not know; something else
---@field endpoint? "events"|"import"|"people"|"groups" of a batch or segment
---@field bytes integer
---@field time number seconds since the epoch: of a batch's last record, else of the last change
---@field records? integer of a batch by its name; else that can be read
---@field attempts? integer of a batch: requests that were made with updates that may not be sent twice, `$add` and `$append`
---@field in_doubt? boolean of a batch: whether one of these may have arrived
---@field problem? string why it cannot be read, or not all of it

---@class mixpanel.SpoolRecords
---@field endpoint "events"|"import"|"people"|"groups"
---@field records string[] as JSON
---@field problem? string why these are not all

---What `collect` is told of a request.
---@class mixpanel.CollectOptions
---@field content_encoding? string of the request; `gzip` or none, others are `invalid`
---@field query? string of the URL, behind the `?`: `ip`, `verbose`, and `data` of a GET
---@field ip? string the visitor's address, for records whose request asks to be placed by it: by `ip=1`, updates of people unless by `ip=0`
---@field tokens? table<string, string> tokens to take beside the client's own, and those to send instead; at most 64. Records with others are refused
---@field describe? fun(record: table): boolean? gets each record that would be taken, complete and with `mixpanel.null` for null; what it changes is sent so and judged again, `false` drops the record, an error refuses it. What it leaves alone stays as it was written, to the last digit. May not yield

---How `ingest` reads a part of a file. Each record is then judged by itself, also
---where it is no JSON, and one that is not whole at the end of the text is left
---for the next. `$insert_id` depends on the position, so equal records stay two.
---@class mixpanel.IngestOptions
---@field items "text"|"lines"|"values"|"rows" `"text"`: as without options; one a line; objects in a list or one behind the other; rows of CSV
---@field position? integer offset of the text in its file, in bytes; 0 by default
---@field last? boolean nothing follows the text
---@field dates? boolean the `time` of an event may be a date: `2026-01-02T03:04:05Z`
---@field dry? boolean queue nothing
---@field skip? integer records of this text that are queued already
---@field doubt_end? integer updates that add up and begin before this offset are refused: they may have been applied
---@field csv? table with `"rows"`: `columns`, each with its `name` as JSON with a colon, and what stands around them; as `mixpanel import` makes it

---What became of the records of a text.
---@class mixpanel.Collected
---@field taken integer queued
---@field refused integer that have no place in Mixpanel
---@field expired integer of the refused: events too old for `/track`
---@field left_out integer updates of which `exclude_properties` left nothing, and records that `describe` dropped
---@field refusals mixpanel.Refusal[] of `collect` the first ten, of `ingest` all
---@field verbose? boolean of `collect`: the SDK asks for a reply in JSON
---@field consumed? integer of `ingest` with `items`: bytes of the text that were read
---@field mark? integer of `ingest` with `items`: for `done`, as `mark` returns it

---@class mixpanel.Refusal
---@field index integer of the record in the text, from 1
---@field first integer where it begins in the JSON: with `last` for `string.sub`; both 0 for what `describe` made of it
---@field last integer
---@field field? string path to what is wrong; none for the record as a whole
---@field message string why
---@field json? string what a row of CSV became

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

---Who a user starts as. The ids say who it is: a state that is somebody
---else's is left behind, but for the consent.
---@class mixpanel.UserOptions
---@field distinct_id? string|integer starts identified as this person, without a device id unless one is given
---@field device_id? string|integer of an anonymous device, without the prefix `$device:`; a new UUID by default
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
---254 timers run at once.
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

---What `client:stats()` returns. In every snapshot `accepted` + `adopted` is the
---sum of `delivered`, `rejected`, everything in `dropped`, `queued`, `in_flight`
---and `spooled`.
---@class mixpanel.Stats
---@field accepted integer records that a call returned `true` for
---@field adopted integer records that processes which died had left in the spool
---@field delivered integer records that the API took
---@field rejected integer records that the API refused for good
---@field dropped table<string, integer> records that ended otherwise, by reason: `expired`, `overflow`, `evicted` (from the spool), `quarantined` (in a damaged file of it)
---@field queued integer records that wait for a request
---@field in_flight integer records in a request without a reply
---@field spooled integer records that wait on disk and not in memory
---@field queue_full integer calls refused with `queue_full`
---@field retried integer records sent once more
---@field ambiguous integer batches that may have been applied already
---@field repaired integer values replaced to make valid JSON, and tokens left out
---@field truncated integer texts and names of more than 255 bytes in events, which Mixpanel cuts
---@field held_dropped integer profile updates of users that were held and dropped by `reset`, by opting out or by another user's state
---@field properties_failed integer events that went without what the function `properties` was to add, since it failed
---@field requests integer
---@field bytes_raw integer of request bodies before gzip
---@field bytes_sent integer of request bodies as sent
---@field queue_bytes integer of records in memory
---@field spooled_bytes integer of the files of `spooled` records
---@field quarantined integer damaged files of the spool that were set aside as `*.bad`
---@field foreign integer other projects that have files in this spool
---@field spool_errors integer times that the disk failed or something in the spool had to be passed over
---@field oldest_age? number seconds since the oldest record without an outcome came in
---@field last_error? string what failed last and why: a request, the spool, a state file, the function `properties`, or the file of `debug`
---@field last_error_age? number seconds since then
---@field flags? mixpanel.FlagStats with the option `flags`

---How feature flags fare: `stats().flags`.
---@class mixpanel.FlagStats
---@field ready boolean there are definitions
---@field definitions integer flags
---@field faulty integer flags that are left out, or have a rule that never holds, for what is wrong with them
---@field fault? string what is wrong with the first
---@field age? number seconds since the server last said that the definitions hold
---@field polls integer requests for definitions
---@field failures integer of these, without an answer of use
---@field evaluations integer decisions
---@field fallbacks table<string, integer> of these, without a variant, by reason
---@field rule_errors integer decisions in which a rule did not hold since it was wrong or took too long
---@field exposures integer events that were queued
---@field exposures_failed integer events that could not be queued, and were tried again with the next decision
---@field remote mixpanel.RemoteFlagStats of those that Mixpanel decides
---@field last_error? string what failed last and why
---@field last_error_age? number seconds since then

---How it goes with flags that Mixpanel decides: `stats().flags.remote`.
---@class mixpanel.RemoteFlagStats
---@field contexts integer that are remembered
---@field pending integer of these, whose answers are still to come
---@field requests integer
---@field failures integer of these, without an answer of use

---What became of records, from `client:poll()`.
---@class mixpanel.Report
---@field outcome "delivered"|"rejected"|"dropped"|"ambiguous"|"paused"|"stuck"|"spool"|"state"|"properties" the last six are no end: the records are still queued, unless another report says what became of them; `"spool"` is of the disk, `"state"` of a user's state and `"properties"` of the function of that option, and none of a record
---@field endpoint string such as `"/track"`; `""` when no record is meant
---@field count integer of records
---@field status? integer of the HTTP reply; none without one
---@field message? string why, in the API's words where it had any
---@field uncertain boolean the records may have been applied all the same
---@field records mixpanel.ReportRecord[] of a rejection, 20 at most; else empty

---A record that was rejected.
---@class mixpanel.ReportRecord
---@field mark? integer by which `done` of what `mark` returned tells it from others
---@field json? string the record as it was sent; left out beyond 64 KiB in one report
---@field insert_id? string of an event
---@field field? string what the API found wrong, such as `"properties.time"`
---@field message? string

---Clients for specs of your own code: `local testing = require
---"mixpanel.testing"`; needs lua-cjson. They are real clients that send nothing
---and keep what was tracked: see the [guide](testing.md).
---@class mixpanel.testing
local testing = {}

---Makes a client that records. It has a queue of its own, whatever its `name`;
---`transport`, `spool` with its settings, `gzip` and `max_retry_delay` have no
---effect.
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
