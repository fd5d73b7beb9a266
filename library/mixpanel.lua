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
---account, `events_via`, `spool`, `transport`, `bus` and `name` share one queue. Of
---each setting what was said last is in force, by `new` or `set_config` of a client
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

---Where on a [message bus](bus.md) the records of a project are: the subject
---without its lane, such as `"mp.0123456789abcdef"`, for permissions and readers.
---@param token string the project token
---@return string
function mixpanel.bus_subject(token) end

---Why a call returned `nil`: the third result.
---@alias mixpanel.ErrorCode
---| "invalid"      # the data has no place in a Mixpanel record; the message has the path to it
---| "queue_full"   # `max_queue_bytes` wait already, or a user holds too many updates or timers; nothing was queued
---| "too_large"    # `collect`: more than is taken at once, to be sent in parts; nothing was queued
---| "closed"       # the client was closed, or the process is exiting
---| "opted_out"    # the user of `mp:user` has opted out; nothing was sent
---| "timeout"      # the wait ended before its records did; they stay queued. `check`: no answer yet. `save`: the file is not written yet
---| "memory"       # out of memory
---| "unauthorized" # `check`: the API, or the bus, refused the credentials
---| "thread"       # `flush`, `close`, `check`, `save`: a thread cannot be started; what was queued waits, and is tried again
---| "network"      # `check`: the API, or the bus, cannot be reached or did not answer as it should, or the bus has no place for records
---| "state"        # `save`: the state file cannot be written; it is tried again. `user`: it cannot be read, or is a file of something else or of a newer version

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
---@field transport? "curl"|"manual"|string *key*; `"manual"`: the host carries the requests, by `next_request` and `answer`, and no thread is started; another name: that of the driver of a [message bus](bus.md), `mixpanel_NAME.so` on `package.cpath`; `"curl"` by default
---@field bus? mixpanel.BusOptions *key*; where the bus of `transport` is
---@field geolocate? boolean let Mixpanel place users by the address the request comes from; `false` by default
---@field profile_time? boolean whether updates of user profiles carry `$time`, the milliseconds of the call, unless `time` or `ignore_time` is among the modifiers; `true` by default. Mixpanel applies updates in the order of their times
---@field properties? table|fun(event: string): table? on every event of this client; an event's own properties win. A function is called for each event, with its name, before the event is encoded, and may not yield; `nil` adds nothing. If it fails, or what it returns is no table of properties, the event goes without them: `stats().properties_failed` counts, and the first time is reported. What it tracks itself does not call it again
---@field exclude_properties? string[] names of properties that this client never sends, in events, profiles and groups (`mp_lib` and `$lib_version` too; not ids, `time`, `token` or `ip`, nor what is inside a property, such as the parts of a charge)
---@field flags? "local"|"remote"|"both"|mixpanel.FlagOptions feature flags: decided in this process, by `client.local_flags`, or by Mixpanel, for `client.remote_flags`: see the [guide](flags.md); none by default
---@field flush_interval? number seconds that a record lingers at most, for others to join it; 5 by default
---@field max_batch_size? integer records in a request, 1 to 2000; 2000 by default
---@field max_in_flight? integer requests under way at the same time for events, 1 to 20; 4 by default (10 to 20 for bulk imports)
---@field max_rate? number|false records a second, from 0.1 to 1e9: in no window of 60 seconds requests with more than 60 times as many are started, retries and failures included; see [limits](delivery.md#limits). `false`, the default, for no such limit. Not beside a bus
---@field max_byte_rate? number|false bytes of uncompressed JSON a second, from 65536 to 1e9, in the same sense. `false`, the default, for no such limit. Not beside a bus
---@field max_queue_bytes? integer bytes of records that may wait in memory, at least 64 KiB; 64 MiB by default
---@field gzip? integer|boolean level 1 to 12 of event bodies, `true` (1) or `false`; 1 by default
---@field connect_timeout? number seconds; 10 by default
---@field request_timeout? number seconds; 30 by default
---@field exit_timeout? number seconds that the end of the process, or `close` without an argument, may wait; 2 by default
---@field max_retry_delay? number seconds between two tries at most, before jitter; 60 by default
---@field max_stuck? number|false seconds; a record that goes on drawing errors alone for so long while others are taken is rejected; `false`, the default: never
---@field max_age? number|false seconds; batches whose youngest record is older are dropped as `expired`; `false`, the default without a spool: never; 30 days with one
---@field durability? "process"|"power" what a record in the spool survives: `"process"` (default) the death of the process from the moment the call returned; `"power"` also a loss of power, from `sync_interval` on. Needs `spool`
---@field sync_interval? number seconds between two syncs of what came in, with `"power"`; 1 by default. Needs `spool`
---@field spool_owner? "user"|"any" whose directory the spool may be: `"user"` (default): of the user that the process runs as, or root's, and no group may write to it; `"any"`: whoever's, and a group may. Needs `spool`
---@field spool_io? "mapped"|"written" how a record gets into its file: `"mapped"` (default): by a mapping, where the file system can do that safely, else as `"written"`: by a write for each call. Needs `spool`
---@field spool_max_bytes? integer bytes of batches that may wait on disk, at least 4 MiB; the oldest make room, counted as `evicted`; 256 MiB by default. Needs `spool`
---@field spool_total_bytes? integer bytes of batches that all dead processes of the project may leave, at least `spool_max_bytes`; the oldest make room, counted as `evicted`; four times `spool_max_bytes` by default. Needs `spool`
---@field overflow? "drop_newest"|"drop_oldest" at `max_queue_bytes` a call returns `queue_full` (default), or the oldest records that are in no request make room
---@field on_ambiguous? "retry"|"report" what becomes of `$add` and `$append` updates that may have been applied: sent again (default), or rejected as `uncertain`
---@field reports? "failures"|"all"|"none"|"every" which reports `poll` finds; `"failures"` by default. `"every"`: those, each with all of its records, however many, also of what was dropped or is stuck; for programs that poll often
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

---Where a message bus is that carries records instead of HTTP: see the guide to
---a [message bus](bus.md).
---@class mixpanel.BusOptions
---@field servers string[] URLs such as `"tls://n1:4222"`, without user and password
---@field credentials? string path of the file that says who may connect
---@field ca_file? string path of a PEM file of the authorities to trust, for NATS beside the system's
---@field stream? string where messages are kept, for drivers that ask

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
---have ended. `stats`, `poll` and `done` still answer, so its memory is freed when
---Lua collects its clients, too. Lua does not see how much that is: a program that
---makes many such clients calls `collectgarbage()` now and then.
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
---@param kind? "events"|"people"|"groups" of these alone; of all by default
---@return boolean
function Client:done(ticket, kind) end

---Asks `/import`, with a record that cannot be accepted, whether it can be
---reached and takes the credentials. Blocks. It cannot tell whether a project
---with this token exists: Mixpanel takes any token for `/track`.
---
---Beside a bus it asks that, and stores nothing there: whether it can be reached,
---lets these credentials publish where events of the project go, and would store
---them; see [a message bus](bus.md). Raises with `transport = "manual"`.
---@param timeout? number seconds; 10 by default
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code `unauthorized`, `network`, `timeout` or `thread`
function Client:check(timeout) end

---Permits requests of the client's project for so many seconds from now, and none
---behind that, until it is called again: see
---[a permit](delivery.md#a-permit). It moves the moment, later or earlier, for all
---clients of the project, and waits for nothing. Raises with `transport =
---"manual"` and beside a bus.
---@param seconds number|false 0 to 1e9; 0 ends it now; `false` lifts it: requests may go at any time, as at first
---@return true? ok
---@return string? message
---@return mixpanel.ErrorCode? code `closed`
function Client:permit(seconds) end

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
---@return mixpanel.ErrorCode? code `invalid`: no JSON, or damaged gzip; `too_large`: it holds more than 64 MiB, inflated
---@return integer? done how many records are queued already, for `skip`
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
---@field alive boolean whether a process holds it: its own, or one that adopted it
---@field own boolean whether this one does
---@field pid? integer of the process, where that is known
---@field files mixpanel.SpoolFile[] in no order
---@field problem? string why the directory cannot be read

---@class mixpanel.SpoolFile
---@field name string
---@field kind "batch"|"open"|"damaged"|"rejected"|"unfinished"|"newer"|"other" sealed; a segment that is still written to or was not sealed; one of them that was set aside; what Mixpanel refused; not whole, being made or of a process that died; of a version of this module that this one does not know; something else
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

---How `ingest` reads a text, and what becomes of its records. With `items` other
---than `"text"` it is a part of a file: each record is then judged by itself, also
---where it is no JSON, and one that is not whole at the end of the text is left
---for the next. `$insert_id` depends on the position, so equal records stay two.
---@class mixpanel.IngestOptions
---@field items? "text"|"lines"|"values"|"rows" `"text"`, the default: JSON as without options; one a line; objects in a list or one behind the other; rows of CSV
---@field content_encoding? "gzip" the text is compressed: at most 64 MiB inflated, and what stands in it is told of the inflated text
---@field collected? boolean with `"track"`: others sent these events, so they have the rights of those that `collect` takes
---@field complete? boolean clients of this module made the records, as a message of a [bus](bus.md) has them: they are sent byte for byte, without a `$time` or address that they lack
---@field in_doubt? boolean updates that add up are refused: they may have been applied
---@field position? integer offset of the text in its file, in bytes; 0 by default
---@field last? boolean nothing follows the text
---@field dates? boolean the `time` of an event may be a date: `2026-01-02T03:04:05Z`
---@field dry? boolean queue nothing
---@field split? boolean take nothing: all come back in `refusals`, those that can be read without a `message`
---@field places? boolean say where the records begin that are taken
---@field skip? integer records of this text that are queued already
---@field doubt_end? integer with `items`: the same for those that begin before this offset
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
---@field mark integer for `done`, as `mark` returns it, also when nothing was queued. Each record that is taken has a mark, the last one this
---@field places? string of `ingest` with `places`: for each record that is taken 4 bytes, the lowest first: where it begins in the text, from 0

---@class mixpanel.Refusal
---@field index integer of the record in the text, from 1
---@field first integer where it begins in the JSON: with `last` for `string.sub`; both 0 for what `describe` made of it
---@field last integer
---@field field? string path to what is wrong; none for the record as a whole
---@field message string why; none with `split`
---@field json? string what a row of CSV became; with `content_encoding` the record as it stands in the inflated text
