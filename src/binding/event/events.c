#include "binding/event/events.h"

#include "binding/encode/id.h"
#include "binding/encode/timestamp.h"
#include "binding/encode/type_hint.h"
#include "binding/event/client_defaults.h"
#include "binding/event/event.h"
#include "binding/lua/argument.h"
#include "binding/lua/handle.h"

#include "core/engine/engine.h"
#include "core/user/ids.h"

#include <stdio.h>

static const char *check_name(lua_State *L, int arg, size_t *len) {
    if (lua_type(L, arg) != LUA_TSTRING)
        mp_raise_type(L, arg, "event: string");
    return lua_tolstring(L, arg, len);
}

/* True if there are any. */
static bool check_properties(lua_State *L, int arg) {
    return lua_istable(L, arg) || mp_argument_properties(L, arg) > 0;
}

static void check_time(lua_State *L, int arg) {
    mp_digits digits;
    if (lua_type(L, arg) != LUA_TNUMBER &&
        mp_type_hint_of(L, arg, &digits) != MP_HINT_INTEGER)
        mp_raise_type(L, arg, "time: number");
}

/* Begins an event of the client at argument 1. What it pushes is to be kept on
 * the stack until the event is finished. */
static void begin_event(mp_event *event, mp_call *call, const char *name,
                        size_t len) {
    mp_client_defaults_begin(event, call, 1, name, len);
}

static void begin(mp_call *call, lua_State *L, const mp_client *client) {
    mp_call_begin(call, L, client, MP_LIST_MAX, "event");
}

/* Ends a call for one event. */
static int send(mp_event *event, mp_lane_id asked) {
    return mp_call_end(event->call, mp_event_send(event, asked));
}

/* ---- one event ---- */

static int track(lua_State *L) {
    size_t len;
    const mp_client *client = mp_handle_client(L);
    const char *name = check_name(L, 2, &len);
    bool any = check_properties(L, 3);
    if (client->closed)
        return mp_fail_closed(L);
    mp_call call;
    mp_event event;
    begin(&call, L, client);
    begin_event(&event, &call, name, len);
    if (any)
        mp_event_properties(&event, 3);
    return send(&event, MP_LANE_EVENTS);
}

static int import(lua_State *L) {
    size_t len;
    const mp_client *client = mp_handle_client(L);
    const char *name = check_name(L, 2, &len);
    check_time(L, 3);
    bool any = check_properties(L, 4);
    if (client->closed)
        return mp_fail_closed(L);
    mp_call call;
    mp_event event;
    begin(&call, L, client);
    begin_event(&event, &call, name, len);
    mp_fault_enter(&call.e.fault, "time");
    mp_encode_note(&call.e,
                   mp_timestamp_read(L, 3, &event.time_ms, &call.e.fault));
    if (any)
        mp_event_properties(&event, 4);
    return send(&event, MP_LANE_IMPORT);
}

/* ---- identity ---- */

typedef void identity_body(mp_event *event, const mp_id ids[2]);

static void identify_body(mp_event *event, const mp_id ids[2]) {
    char shown[MP_SHOWN];
    if (!mp_ids_is_device(ids[1].text, ids[1].len) &&
        !mp_ids_is_uuid4(ids[1].text, ids[1].len))
        mp_encode_refuse(&event->call->e,
                         "Mixpanel merges no %s: expected a UUID of version "
                         "4, or an id that begins with " MP_DEVICE_PREFIX,
                         mp_fault_quote(ids[1].text, ids[1].len, shown));
    mp_event_id(event, "$identified_id", &ids[0]);
    mp_event_id(event, "$anon_id", &ids[1]);
    mp_event_id(event, "distinct_id", &ids[0]);
}

static void alias_body(mp_event *event, const mp_id ids[2]) {
    mp_event_id(event, "alias", &ids[0]);
    mp_event_id(event, "distinct_id", &ids[1]);
}

static void merge_body(mp_event *event, const mp_id ids[2]) {
    mp_encode *e = &event->call->e;
    mp_buf_puts(e->out, ",\"$distinct_ids\":[");
    mp_encode_text(e, ids[0].text, ids[0].len);
    mp_buf_puts(e->out, ",");
    mp_encode_text(e, ids[1].text, ids[1].len);
    mp_buf_puts(e->out, "]");
}

/* Reads the ids at arguments 2 and 3, which must differ; false if they are
 * none. */
static bool read_ids(mp_encode *e, const char *const names[2], mp_id ids[2]) {
    for (int i = 0; i < 2; i++) {
        mp_fault_enter(&e->fault, names[i]);
        mp_encode_note(e, mp_id_argument(e->L, 2 + i, &ids[i], &e->fault));
        if (mp_encode_err(e))
            return false;
    }
    if (ids[0].len == ids[1].len &&
        memcmp(ids[0].text, ids[1].text, ids[0].len) == 0)
        mp_encode_refuse(e, "the same id as %s", names[0]);
    return !mp_encode_err(e);
}

static int send_identity(lua_State *L, const char *name,
                         const char *const arguments[2], identity_body *body) {
    const mp_client *client = mp_handle_client(L);
    mp_id_check(L, 2, arguments[0]);
    mp_id_check(L, 3, arguments[1]);
    if (client->closed)
        return mp_fail_closed(L);
    mp_call call;
    mp_event event;
    mp_id ids[2];
    begin(&call, L, client);
    begin_event(&event, &call, name, strlen(name));
    if (read_ids(&call.e, arguments, ids))
        body(&event, ids);
    return send(&event, MP_LANE_EVENTS);
}

static int identify(lua_State *L) {
    static const char *const arguments[] = {"user_id", "anon_id"};
    return send_identity(L, "$identify", arguments, identify_body);
}

static int alias(lua_State *L) {
    static const char *const arguments[] = {"alias", "distinct_id"};
    return send_identity(L, "$create_alias", arguments, alias_body);
}

static int merge(lua_State *L) {
    static const char *const arguments[] = {"id1", "id2"};
    return send_identity(L, "$merge", arguments, merge_body);
}

/* ---- lists ---- */

/* A list in the making. All records lie one behind the other in the head of
 * the scratch, what tells them apart in `extra`, and there is one lane for
 * all, so that they can be queued together or not at all. */
typedef struct batch {
    mp_call call;
    mp_lane_id asked; /* for all of them */
    mp_lane_id lane;
    size_t n;
} batch;

/* Pushes the fields of the item at the top: its name, then its properties.
 * False if it is no event. */
static bool open_item(mp_encode *e) {
    lua_State *L = e->L;
    int item = lua_gettop(L);
    char shown[MP_SHOWN];
    mp_fault_start(&e->fault, "");
    if (!lua_istable(L, item)) {
        mp_encode_refuse(e, "expected { event =, properties = }, got %s",
                         mp_fault_show(L, item, shown));
        return false;
    }
    lua_pushliteral(L, "event");
    lua_rawget(L, item);
    lua_pushliteral(L, "properties");
    lua_rawget(L, item);
    lua_pushnil(L);
    while (lua_next(L, item)) {
        lua_pop(L, 1);
        const char *field =
            lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
        if (strcmp(field, "event") != 0 && strcmp(field, "properties") != 0)
            mp_encode_refuse(e,
                             "%s is no field of an event: expected { event =, "
                             "properties = }",
                             mp_fault_show(L, -1, shown));
    }
    mp_fault_enter(&e->fault, "event");
    if (lua_type(L, item + 1) != LUA_TSTRING)
        mp_encode_refuse(e, "string expected, got %s",
                         mp_fault_show(L, item + 1, shown));
    mp_fault_enter(&e->fault, "properties");
    if (!lua_istable(L, item + 2) && !lua_isnil(L, item + 2))
        mp_encode_refuse(e, "table expected, got %s",
                         mp_fault_show(L, item + 2, shown));
    return !mp_encode_err(e);
}

static void encode_item(batch *b, mp_event *event, int item) {
    size_t len;
    mp_encode *e = &b->call.e;
    const char *name = lua_tolstring(e->L, item + 1, &len);
    begin_event(event, &b->call, name, len);
    if (lua_istable(e->L, item + 2))
        mp_event_properties(event, item + 2);
    mp_fault_enter(&e->fault, "properties.time");
    if (b->asked == MP_LANE_IMPORT && event->time_ms == 0)
        mp_encode_refuse(e, "import wants to know when each event happened");
}

/* All events of a list go where the first one goes. */
static void check_lane(batch *b, const mp_event *event) {
    char shown[MP_SHOWN];
    mp_lane_id lane = mp_event_lane(event, b->asked);
    if (b->n == 0)
        b->lane = lane;
    if (lane == b->lane)
        return;
    mp_fault_enter(&b->call.e.fault, "event");
    mp_encode_refuse(&b->call.e,
                     "%s goes to another endpoint than the events before it: "
                     "send it in a call of its own",
                     mp_fault_quote(event->name, event->name_len, shown));
}

/* Adds the event in the item at the top. */
static mp_err add_item(batch *b) {
    mp_encode *e = &b->call.e;
    mp_scratch *scratch = b->call.scratch;
    mp_event event;
    mp_record record;
    int item = lua_gettop(e->L);
    if (!open_item(e))
        return mp_encode_err(e);
    encode_item(b, &event, item);
    mp_err err = mp_event_finish(&event, &record);
    if (err != MP_OK)
        return err;
    check_lane(b, &event);
    mp_event_keep(scratch, &record);
    mp_encode_note(e, mp_buf_add(&scratch->extra, &record, sizeof record));
    if (!mp_project_can_hold(b->call.client->project, scratch->head.len))
        mp_encode_note(e, MP_QUEUE_FULL);
    b->n++;
    return mp_encode_err(e);
}

/* Queues what was added. */
static mp_err push_batch(batch *b) {
    const mp_scratch *scratch = b->call.scratch;
    mp_record *records = (mp_record *)(void *)scratch->extra.data;
    if (b->n == 0)
        return MP_OK;
    mp_event_place(scratch, records, b->n);
    return mp_engine_push(b->call.client->project, b->lane, records, b->n);
}

/* Because of the item at place `i`, unless all until then are too many. */
static int fail_item(lua_State *L, batch *b, mp_err err, size_t i) {
    char item[MP_SHOWN];
    if (err == MP_QUEUE_FULL)
        return mp_call_end(&b->call, err);
    mp_scratch_give(b->call.scratch);
    snprintf(item, sizeof item, "list[%zu]", i);
    mp_fail_record(L, b->call.client, err, &b->call.e.fault, item);
    lua_pushinteger(L, (lua_Integer)i);
    return 4;
}

/* True if the table at `index` has `n` keys: with a border at `n`, these are
 * 1..n unless one of them is found to be missing. */
static bool has_keys(lua_State *L, int index, size_t n) {
    size_t found = 0;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        found++;
    }
    return found == n;
}

static int send_batch(lua_State *L, mp_lane_id asked) {
    batch b;
    const mp_client *client = mp_handle_client(L);
    if (!lua_istable(L, 2))
        mp_raise_type(L, 2, "list: table");
    if (client->closed)
        return mp_fail_closed(L);
    size_t n = mp_lua_rawlen(L, 2);
    if (!has_keys(L, 2, n))
        return mp_fail(L, MP_INVALID,
                       "list: expected a list of { event =, properties = }, "
                       "with the keys 1, 2, 3... and no others");
    begin(&b.call, L, client);
    b.asked = asked;
    b.n = 0;
    int top = lua_gettop(L);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, 2, (int)i);
        mp_err err = add_item(&b);
        if (err != MP_OK)
            return fail_item(L, &b, err, i);
        lua_settop(L, top);
    }
    int results = mp_call_end(&b.call, push_batch(&b));
    if (results > 1)
        return results;
    lua_pushinteger(L, (lua_Integer)n);
    return 2;
}

static int track_batch(lua_State *L) {
    return send_batch(L, MP_LANE_EVENTS);
}

static int import_batch(lua_State *L) {
    return send_batch(L, MP_LANE_IMPORT);
}

const luaL_Reg mp_events_methods[] = {
    {"track", track},       {"track_batch", track_batch},
    {"import", import},     {"import_batch", import_batch},
    {"identify", identify}, {"alias", alias},
    {"merge", merge},       {NULL, NULL},
};
