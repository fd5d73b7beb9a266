#include "binding/event/event.h"

#include "binding/encode/timestamp.h"
#include "core/base/json.h"
#include "core/base/num.h"
#include "core/base/version.h"
#include "core/engine/engine.h"
#include "core/os/clock.h"
#include "core/os/rng.h"
#include "core/record/event_name.h"

#define EVENT       "{\"event\":"
#define LIB         ",\"mp_lib\":\"lua\""
#define LIB_VERSION ",\"$lib_version\":\"" MP_VERSION "\""
#define NO_IP       ",\"ip\":0" /* no place is made up from the sender's */
#define NOBODY      ",\"distinct_id\":\"\""
#define INSERT_ID   ",\"$insert_id\":\""

mp_err mp_event_prefix(mp_buf *event_prefix, const char *token) {
    static const char before[] = ",\"properties\":{\"token\":\"",
                      after[] = "\",\"time\":";
    /* No more memory than that: there may be thousands of clients. */
    event_prefix->limit = sizeof before - 1 + strlen(token) + sizeof after - 1;
    mp_buf_puts(event_prefix, before);
    mp_buf_puts(event_prefix, token); /* has nothing to escape: config.c */
    return mp_buf_puts(event_prefix, after);
}

/* ---- begin ---- */

void mp_event_anchor(lua_State *L, int index) {
    mp_lua_getuser(L, index);
    lua_rawgeti(L, -1, 1);
}

void mp_event_begin(mp_event *event, mp_call *call, const mp_defaults *defaults,
                    const char *name, size_t len) {
    mp_encode *e = &call->e;
    event->call = call;
    event->defaults = NULL;
    event->default_bits = 0;
    event->name = name;
    event->name_len = len;
    event->time_ms = 0;
    event->given = 0;
    event->identified = false;
    event->properties = 0;
    event->insert_id_len = 0;
    event->overridden = (mp_overridden){.count = 0};
    event->is_identity = mp_event_name_is_identity(name, len);
    event->is_merge = event->is_identity && mp_event_name_is_merge(name, len);
    e->out = &call->scratch->body;
    e->out->limit = MP_BODY_MAX;
    e->repaired = e->truncated = 0;
    mp_fault_start(&e->fault, "event");
    if (call->client->closed) { /* by Lua code that ran meanwhile */
        mp_encode_note(e, MP_CLOSED);
        return;
    }
    if (defaults && !event->is_merge) {
        event->defaults = defaults;
        event->default_bits = defaults->bits;
    }
    e->excluded = mp_defaults_excluded(event->defaults);
    if (mp_event_name_is_blank(name, len))
        mp_encode_refuse(e, "the name of the event is blank");
}

/* ---- body ---- */

static void encode_id(mp_event *event, mp_encode *e, mp_reserved name) {
    bool given;
    size_t start = e->out->len;
    mp_reserved_value_id(e, &given);
    if (e->out->len > start)
        event->given |= name;
    event->identified |= given;
}

static void read_time(mp_event *event, mp_encode *e) {
    if (event->time_ms == 0 && !mp_type_hint_is_null(e->L, -1))
        mp_encode_note(e,
                       mp_timestamp_read(e->L, -1, &event->time_ms, &e->fault));
}

/* The value at the top, of a property with a meaning of its own. Appends
 * nothing for what is written in the head, or stands for nothing. */
static void encode_reserved(mp_event *event, mp_encode *e, mp_reserved name) {
    switch (name) {
    case MP_TOKEN:
        e->repaired++;
        break;
    case MP_TIME:
        read_time(event, e);
        break;
    case MP_INSERT_ID_KEY:
        mp_reserved_value_insert_id(e, event->insert_id, &event->insert_id_len);
        break;
    case MP_DISTINCT_ID:
    case MP_OTHER_ID:
        encode_id(event, e, name);
        break;
    default:
        if (name == MP_IP && mp_type_hint_is_null(e->L, -1))
            return;
        event->given |= name;
        mp_encode_value(e, 0);
    }
}

static void refuse_many(mp_encode *e) {
    mp_encode_refuse(e, "more than %d properties, those of the client included",
                     MP_KEYS_MAX);
}

/* The pair whose key is at index `key` and whose value is at the top. False
 * when it failed. */
static bool encode_pair(mp_event *event, mp_encode *e, int table, int key) {
    mp_buf *out = e->out;
    size_t start = out->len;
    if (!mp_encode_key(e, table, key))
        return false;
    size_t value = out->len, len = value - start - 4; /* ,"": */
    if (e->excluded && mp_dict_find(e->excluded, out->data + start + 2, len)) {
        out->len = start;
        return true;
    }
    uint64_t bit = mp_name_bit(out->data + start + 2, len);
    mp_reserved name = bit & MP_RESERVED_BITS
                           ? mp_reserved_find(out->data + start + 2, len)
                           : MP_RESERVED_NONE;
    if (name) {
        encode_reserved(event, e, name);
    } else if (event->properties++ >= MP_KEYS_MAX) {
        refuse_many(e);
        return false;
    } else {
        mp_encode_value(e, 0);
    }
    if (out->err) {
        mp_fault_key(&e->fault, e->L, key);
        return false;
    }
    if (out->len == value)
        out->len = start;
    else if (event->default_bits & bit)
        mp_defaults_find(event->defaults, out->data + start + 2, len,
                         &event->overridden);
    return true;
}

void mp_event_properties(mp_event *event, int table) {
    mp_encode *e = &event->call->e;
    lua_State *L = e->L;
    size_t start = e->out->len;
    mp_fault_enter(&e->fault, "properties");
    lua_pushnil(L);
    int key = lua_gettop(L);
    while (lua_next(L, table)) {
        if (!encode_pair(event, e, table, key))
            return;
        lua_pop(L, 1);
    }
    mp_encode_check_keys(e, start);
}

/* Counts a property as given if it is among the defaults. */
static void override(mp_event *event, const char *name, size_t len) {
    if (event->defaults)
        mp_defaults_find(event->defaults, name, len, &event->overridden);
}

void mp_event_id(mp_event *event, const char *name, const mp_id *id) {
    mp_encode *e = &event->call->e;
    size_t len = strlen(name);
    mp_encode_name(e, name);
    mp_encode_text(e, id->text, id->len);
    event->given |= mp_reserved_find(name, len);
    event->identified = true;
    override(event, name, len);
}

void mp_event_raw(mp_event *event, const char *name, const char *json,
                  size_t len) {
    mp_encode *e = &event->call->e;
    size_t name_len = strlen(name);
    if (e->excluded && mp_dict_find(e->excluded, name, name_len))
        return;
    mp_encode_name(e, name);
    mp_buf_add(e->out, json, len);
    event->properties++;
    override(event, name, name_len);
}

/* ---- head ---- */

/* Each of these writes where there is room and returns the end. */

#define PUT(at, text)                                                          \
    (memcpy((at), (text), sizeof(text) - 1), (at) + sizeof(text) - 1)

static char *put_insert_id(char *at, const mp_event *event) {
    at = PUT(at, INSERT_ID);
    size_t len = event->insert_id_len;
    if (len > 0) {
        memcpy(at, event->insert_id, len);
    } else {
        len = MP_INSERT_ID;
        mp_insert_id(at);
    }
    at[len] = '"';
    return at + len + 1;
}

/* What neither the caller nor the client gives. */
static char *put_automatic(char *at, const mp_event *event) {
    const mp_defaults *defaults = event->defaults;
    unsigned given = event->given | (defaults ? defaults->reserved : 0);
    bool identified = event->identified ||
                      (defaults && defaults->ids > event->overridden.ids);
    if (!(given & MP_LIB))
        at = PUT(at, LIB);
    if (!(given & (MP_LIB | MP_LIB_VERSION))) /* it is our own library's */
        at = PUT(at, LIB_VERSION);
    if (!(given & MP_IP) && !mp_project_geolocate(event->call->client->project))
        at = PUT(at, NO_IP);
    if (!identified && !(given & MP_DISTINCT_ID) && !event->is_merge)
        at = PUT(at, NOBODY);
    return at;
}

enum {
    /* Bytes that the two functions above and a number write at most. */
    AUTOMATIC_MAX = MP_NUM_MAX + sizeof INSERT_ID + MP_INSERT_ID_MAX +
                    sizeof LIB + sizeof LIB_VERSION + sizeof NO_IP +
                    sizeof NOBODY
};

static void compose(mp_event *event, mp_encode *e) {
    mp_buf *out = e->out;
    const mp_buf *event_prefix = &event->call->client->event_prefix;
    mp_buf_add(out, EVENT, sizeof EVENT - 1);
    mp_encode_text(e, event->name, event->name_len);
    if (!mp_buf_reserve(out, event_prefix->len + AUTOMATIC_MAX))
        return;
    if (event->time_ms == 0)
        event->time_ms = mp_clock_wall_ms();
    char *at = out->data + out->len;
    memcpy(at, event_prefix->data, event_prefix->len);
    at = mp_num_int64(at + event_prefix->len, event->time_ms);
    at = put_insert_id(at, event);
    at = put_automatic(at, event);
    out->len = (size_t)(at - out->data);
    if (event->defaults)
        mp_defaults_add(event->defaults, &event->overridden, out);
}

/* The caller's and the client's properties together. */
static void check_count(mp_event *event, mp_encode *e) {
    uint32_t n = event->properties;
    if (event->defaults)
        n += event->defaults->plain - event->overridden.plain;
    if (n > MP_KEYS_MAX)
        refuse_many(e);
}

mp_err mp_event_finish(mp_event *event, mp_record *record) {
    mp_encode *e = &event->call->e;
    mp_scratch *scratch = event->call->scratch;
    mp_buf *head = &scratch->head, *body = &scratch->body;
    size_t start = head->len;
    if (!event->call->client->project)
        mp_encode_note(e, MP_CLOSED);
    check_count(event, e);
    mp_buf_add(body, "}}", 2);
    mp_encode_into(e, head);
    mp_fault_enter(&e->fault, "event");
    compose(event, e);
    mp_err err = mp_encode_judge(e, head->len - start + body->len);
    if (err != MP_OK)
        return err;
    *record = (mp_record){
        .head = head->data + start,
        .head_len = head->len - start,
        .body = body->data,
        .body_len = body->len,
        .time_ms = event->time_ms,
        .repaired = e->repaired,
        .truncated = e->truncated,
        .kind = event->is_identity ? MP_IDENTITY : MP_PLAIN,
    };
    if (event->defaults) {
        record->repaired += event->defaults->repaired;
        record->truncated +=
            mp_defaults_truncated(event->defaults, &event->overridden);
    }
    return MP_OK;
}

mp_err mp_event_keep(mp_scratch *scratch, mp_record *record) {
    mp_buf_add(&scratch->head, record->body, record->body_len);
    mp_buf_clear(&scratch->body);
    record->head_len += record->body_len;
    record->body_len = 0;
    return scratch->head.err;
}

void mp_event_place(const mp_scratch *scratch, mp_record *records, size_t n) {
    const char *at = scratch->head.data;
    for (size_t i = 0; i < n; i++) {
        records[i].head = at;
        records[i].body = NULL;
        at += records[i].head_len;
    }
}

mp_err mp_event_send(mp_event *event, mp_lane_id asked) {
    mp_record record;
    mp_err err = mp_event_finish(event, &record);
    if (err != MP_OK)
        return err;
    return mp_engine_push(event->call->client->project,
                          mp_event_lane(event, asked), &record, 1);
}

mp_lane_id mp_event_lane(const mp_event *event, mp_lane_id asked) {
    if (event->is_identity)
        return event->is_merge ? MP_LANE_IMPORT : MP_LANE_EVENTS;
    const mp_config *config = mp_project_config(event->call->client->project);
    return config->events_via_import ? MP_LANE_IMPORT : asked;
}
