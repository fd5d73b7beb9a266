#include "binding/event/event.h"

#include "binding/encode/timestamp.h"
#include "core/base/json.h"
#include "core/base/num.h"
#include "core/base/version.h"
#include "core/engine/engine.h"
#include "core/os/clock.h"
#include "core/os/rng.h"

#define EVENT       "{\"event\":"
#define LIB         ",\"mp_lib\":\"lua\""
#define LIB_VERSION ",\"$lib_version\":\"" MP_VERSION "\""
#define NO_IP       ",\"ip\":0" /* no place is made up from the sender's */
#define NOBODY      ",\"distinct_id\":\"\""
#define INSERT_ID   ",\"$insert_id\":\""

mp_err mp_event_prefix(mp_buf *event_prefix, const char *token) {
    mp_err err = mp_buf_puts(event_prefix, ",\"properties\":{\"token\":\"");
    if (err == MP_OK)
        err = mp_buf_puts(event_prefix,
                          token); /* has nothing to escape: config.c */
    return err == MP_OK ? mp_buf_puts(event_prefix, "\",\"time\":") : err;
}

/* ---- begin ---- */

static bool is(const char *name, size_t len, const char *text) {
    return strlen(text) == len && memcmp(name, text, len) == 0;
}

static void recognise(mp_event *event, const char *name, size_t len) {
    event->is_merge = is(name, len, "$merge");
    event->is_identity = event->is_merge || is(name, len, "$identify") ||
                         is(name, len, "$create_alias");
}

static bool is_blank(const char *name, size_t len) {
    size_t i = 0;
    while (i < len && (name[i] == ' ' || (name[i] >= '\t' && name[i] <= '\r')))
        i++;
    return i == len;
}

void mp_event_anchor(lua_State *L, int index) {
    mp_lua_getuser(L, index);
    lua_rawgeti(L, -1, 1);
}

mp_err mp_event_begin(mp_event *event, mp_encode *e, const mp_client *client,
                      const mp_defaults *defaults, mp_scratch *scratch,
                      const char *name, size_t len) {
    memset(event, 0, sizeof *event);
    event->client = client;
    event->name = name;
    event->name_len = len;
    if (len > 0 && name[0] == '$')
        recognise(event, name, len);
    if (!client->project) /* collected by a finaliser */
        return MP_CLOSED;
    if (!event->is_merge)
        event->defaults = defaults;
    e->out = &scratch->body;
    mp_buf_clear(e->out);
    e->out->limit = MP_BODY_MAX;
    e->list_max = MP_LIST_MAX;
    e->reject = mp_project_reject_invalid(client->project);
    e->excluded = mp_defaults_excluded(event->defaults);
    e->repaired = 0;
    mp_fault_start(&e->fault, "event");
    if (is_blank(name, len))
        return mp_fault_set(&e->fault, "the name of the event is blank");
    return MP_OK;
}

/* ---- body ---- */

static mp_err encode_id(mp_event *event, mp_encode *e, mp_reserved name) {
    bool given;
    size_t start = e->out->len;
    mp_err err = mp_reserved_id(e, &given);
    if (e->out->len > start)
        event->given |= name;
    event->identified |= given;
    return err;
}

static mp_err read_time(mp_event *event, mp_encode *e) {
    if (event->time_ms != 0 || mp_type_hint_is_null(e->L, -1))
        return MP_OK;
    return mp_timestamp_read(e->L, -1, &event->time_ms, &e->fault);
}

/* The value at the top, of a property with a meaning of its own. Appends
 * nothing for what is written in the head, or stands for nothing. */
static mp_err encode_reserved(mp_event *event, mp_encode *e, mp_reserved name) {
    switch (name) {
    case MP_TOKEN:
        e->repaired++;
        return MP_OK;
    case MP_TIME:
        return read_time(event, e);
    case MP_INSERT_ID_KEY:
        return mp_reserved_insert_id(e, event->insert_id,
                                     &event->insert_id_len);
    case MP_DISTINCT_ID:
    case MP_OTHER_ID:
        return encode_id(event, e, name);
    case MP_IP:
        if (mp_type_hint_is_null(e->L, -1))
            return MP_OK;
        break;
    default:
        break;
    }
    event->given |= name;
    return mp_encode_value(e, 0);
}

static mp_err too_many(mp_encode *e) {
    return mp_fault_set(&e->fault,
                        "more than %d properties, those of the client included",
                        MP_KEYS_MAX);
}

/* The pair whose key is at index `key` and whose value is at the top. */
static mp_err encode_pair(mp_event *event, mp_encode *e, int table, int key) {
    mp_buf *out = e->out;
    size_t start = out->len;
    mp_err err = mp_encode_key(e, table, key);
    if (err != MP_OK)
        return err;
    size_t value = out->len, len = value - start - 4; /* ,"": */
    if (e->excluded && mp_dict_find(e->excluded, out->data + start + 2, len)) {
        out->len = start;
        return MP_OK;
    }
    uint64_t bit = mp_name_bit(out->data + start + 2, len);
    mp_reserved name = bit & MP_RESERVED_BITS
                           ? mp_reserved_find(out->data + start + 2, len)
                           : MP_RESERVED_NONE;
    if (name)
        err = encode_reserved(event, e, name);
    else if (++event->properties > MP_KEYS_MAX)
        return too_many(e);
    else
        err = mp_encode_value(e, 0);
    if (err != MP_OK)
        mp_fault_key(&e->fault, e->L, key);
    else if (out->len == value)
        out->len = start;
    else if (event->defaults && event->defaults->bits & bit)
        mp_defaults_find(event->defaults, out->data + start + 2, len,
                         &event->overridden);
    return err;
}

mp_err mp_event_properties(mp_event *event, mp_encode *e, int table) {
    lua_State *L = e->L;
    e->fault.root = "properties";
    lua_pushnil(L);
    int key = lua_gettop(L);
    while (lua_next(L, table)) {
        mp_err err = encode_pair(event, e, table, key);
        if (err != MP_OK)
            return err;
        lua_pop(L, 1);
    }
    return MP_OK;
}

mp_err mp_event_id(mp_event *event, mp_encode *e, const char *name,
                   const mp_id *id) {
    size_t len = strlen(name);
    mp_err err = mp_encode_name(e, name);
    if (err == MP_OK)
        err = mp_encode_text(e, id->text, id->len);
    if (err != MP_OK)
        return err;
    event->given |= mp_reserved_find(name, len);
    event->identified = true;
    if (event->defaults)
        mp_defaults_find(event->defaults, name, len, &event->overridden);
    return MP_OK;
}

mp_err mp_event_raw(mp_event *event, mp_encode *e, const char *name,
                    const char *json, size_t len) {
    size_t name_len = strlen(name);
    if (e->excluded && mp_dict_find(e->excluded, name, name_len))
        return MP_OK;
    mp_err err = mp_encode_name(e, name);
    if (err == MP_OK)
        err = mp_buf_add(e->out, json, len);
    if (err != MP_OK)
        return err;
    event->properties++;
    if (event->defaults)
        mp_defaults_find(event->defaults, name, name_len, &event->overridden);
    return MP_OK;
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
    if (!(given & MP_IP) && !mp_project_geolocate(event->client->project))
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

static mp_err compose(mp_event *event, mp_encode *e) {
    mp_buf *out = e->out;
    const mp_buf *event_prefix = &event->client->event_prefix;
    mp_buf_add(out, EVENT, sizeof EVENT - 1);
    mp_err err = mp_encode_text(e, event->name, event->name_len);
    if (err != MP_OK)
        return err;
    if (!mp_buf_reserve(out, event_prefix->len + AUTOMATIC_MAX))
        return out->err;
    if (event->time_ms == 0)
        event->time_ms = mp_clock_wall_ms();
    char *at = out->data + out->len;
    memcpy(at, event_prefix->data, event_prefix->len);
    at = mp_num_int64(at + event_prefix->len, event->time_ms);
    at = put_insert_id(at, event);
    at = put_automatic(at, event);
    out->len = (size_t)(at - out->data);
    return event->defaults
               ? mp_defaults_add(event->defaults, &event->overridden, out)
               : MP_OK;
}

/* The caller's and the client's properties together. */
static mp_err check_count(mp_event *event, mp_encode *e) {
    uint32_t n = event->properties;
    if (event->defaults)
        n += event->defaults->plain - event->overridden.plain;
    return n > MP_KEYS_MAX ? too_many(e) : MP_OK;
}

mp_err mp_event_finish(mp_event *event, mp_encode *e, mp_scratch *scratch,
                       mp_err err, mp_record *record) {
    mp_buf *head = &scratch->head, *body = &scratch->body;
    size_t start = head->len, len = 0;
    if (err == MP_OK && !event->client->project)
        err = MP_CLOSED;
    if (err == MP_OK)
        err = check_count(event, e);
    if (err == MP_OK)
        err = mp_buf_add(body, "}}", 2);
    if (err == MP_OK) {
        e->out = head;
        e->fault.root = "event";
        err = compose(event, e);
        len = head->len - start + body->len;
    }
    err = mp_encode_judge(e, err, len);
    if (err != MP_OK)
        return err;
    *record = (mp_record){
        .head = head->data + start,
        .head_len = head->len - start,
        .body = body->data,
        .body_len = body->len,
        .time_ms = event->time_ms,
        .repaired = e->repaired,
        .kind = event->is_identity ? MP_IDENTITY : MP_PLAIN,
    };
    if (event->defaults)
        record->repaired += event->defaults->repaired;
    return MP_OK;
}

mp_err mp_event_send(mp_event *event, mp_encode *e, mp_scratch *scratch,
                     mp_err err, bool import) {
    mp_record record;
    err = mp_event_finish(event, e, scratch, err, &record);
    if (err == MP_OK)
        err = mp_engine_push(event->client->project,
                             mp_event_lane(event, import), &record, 1);
    mp_scratch_give(scratch);
    return err;
}

mp_lane_id mp_event_lane(const mp_event *event, bool import) {
    if (event->is_identity)
        return event->is_merge ? MP_LANE_IMPORT : MP_LANE_EVENTS;
    const mp_config *config = mp_project_config(event->client->project);
    return import || config->events_via_import ? MP_LANE_IMPORT
                                               : MP_LANE_EVENTS;
}
