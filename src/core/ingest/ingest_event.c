#include "core/ingest/ingest_state.h"

#include "core/base/hash.h"
#include "core/os/rng.h"
#include "core/record/event_name.h"
#include "core/record/reserved.h"

#include <stdio.h>
#include <string.h>

/* An event in the making. */
typedef struct event {
    bool named;
    bool complete; /* its properties were read */
    bool has_token, has_insert_id;
    bool has_ip, has_time;
    bool identified; /* an id, even an empty one, is among the properties */
    uint32_t properties, object;
} event;

/* ---- properties ---- */

/* The value of a property whose name begins at `start`; what is dropped takes
 * its name along. */
static mp_err copy_reserved(mp_ingest *in, event *e, mp_reserved name,
                            size_t start) {
    mp_copier *c = &in->copier;
    size_t value = c->out.len;
    mp_span id;
    mp_err err;
    switch (name) {
    case MP_TOKEN:
        err = mp_ingest_read_token(in, &e->has_token);
        break;
    case MP_TIME:
        err = mp_ingest_time(in, &in->record.time_ms);
        break;
    case MP_INSERT_ID_KEY:
        err = mp_ingest_insert_id(in, &e->has_insert_id);
        break;
    case MP_DISTINCT_ID:
    case MP_OTHER_ID:
        err = mp_ingest_id(in, &id);
        e->identified |= c->out.len > value;
        break;
    case MP_IP:
        err = mp_ingest_address(in, &e->has_ip);
        break;
    default:
        err = mp_copier_value(c, 0);
    }
    if (err == MP_OK && c->out.len == value)
        c->out.len = start;
    return err;
}

static mp_err copy_value(mp_ingest *in, event *e, const mp_span *name,
                         size_t start) {
    mp_copier *c = &in->copier;
    mp_reserved reserved = mp_reserved_find(name->data, name->len);
    if (reserved)
        return copy_reserved(in, e, reserved, start);
    e->identified |= mp_span_is(name, "$distinct_ids"); /* of $merge */
    return mp_copier_value(c, 0);
}

static mp_err copy_property(mp_ingest *in, event *e) {
    mp_copier *c = &in->copier;
    size_t start = c->out.len;
    mp_span name;
    bool excluded;
    mp_err err = mp_ingest_property(in, e->object, &name, &excluded);
    if (err != MP_OK || excluded)
        return err;
    e->properties += !mp_reserved_find(name.data, name.len);
    if (e->properties > MP_KEYS_MAX)
        return mp_fault_set(&c->fault, "more than %d properties", MP_KEYS_MAX);
    err = copy_value(in, e, &name, start);
    if (err == MP_INVALID)
        mp_fault_name(&c->fault, c->out.data + start + 2, name.len);
    return err;
}

/* ---- what the event does not give itself ---- */

/* Records of equal bytes are resends, and get the same id. Without a time they
 * may as well be two events, and get ids that never repeat. */
static mp_err put_insert_id(mp_ingest *in, const mp_span *raw) {
    const mp_ingest_rules *rules = in->rules;
    char id[MP_INSERT_ID + 1];
    if (rules->keep_equal || in->record.time_ms != 0) {
        uint64_t seed = 0;
        if (rules->keep_equal)
            seed = in->position + (uint64_t)(raw->data - in->origin) + 1;
        snprintf(
            id, sizeof id, "%016llx%016llx",
            (unsigned long long)mp_hash(2 * seed, raw->data, raw->len),
            (unsigned long long)mp_hash(2 * seed + 1, raw->data, raw->len));
    } else {
        mp_insert_id(id);
        id[MP_INSERT_ID] = '\0';
    }
    return mp_ingest_put_text(in, "$insert_id", id);
}

static mp_err put_address(mp_ingest *in, const event *e) {
    if (in->rules->address)
        return mp_ingest_put_text(in, "ip", in->rules->address);
    return e->has_ip || !in->rules->no_address ? MP_OK
                                               : mp_ingest_put(in, ",\"ip\":0");
}

/* Ends the properties that begin at `start` and were read from `raw`. */
static mp_err complete(mp_ingest *in, event *e, size_t start,
                       const mp_span *raw) {
    mp_err err = mp_ingest_check_token(in, e->has_token);
    if (err != MP_OK) {
        mp_fault_name(&in->copier.fault, "token", 5);
        return err;
    }
    if (!e->has_token)
        mp_ingest_put_text(in, "token", mp_ingest_token_sent(in));
    if (!e->has_insert_id)
        put_insert_id(in, raw);
    e->has_time = in->record.time_ms != 0;
    if (!e->has_time) {
        in->record.time_ms = in->rules->now_ms;
        mp_ingest_put_number(in, "time", in->rules->now_ms);
    }
    put_address(in, e);
    if (!e->identified)
        mp_ingest_put_text(in, "distinct_id", "");
    err = mp_ingest_put(in, "}");
    if (err == MP_OK)
        in->copier.out.data[start] = '{';
    e->complete = true;
    return err;
}

static mp_err copy_properties(mp_ingest *in, event *e) {
    mp_copier *c = &in->copier;
    bool first;
    if (mp_reader_peek(&c->reader) != '{')
        return mp_fault_set(&c->fault, "expected an object");
    size_t start = c->out.len;
    mp_span raw = {c->reader.at, 0};
    e->object = mp_names_object(&c->names);
    mp_reader_open(&c->reader, &first);
    while (mp_reader_more(&c->reader, '}', &first)) {
        mp_err err = copy_property(in, e);
        if (err != MP_OK)
            return err;
    }
    if (c->reader.error)
        return MP_INVALID;
    raw.len = (size_t)(c->reader.at - raw.data);
    return complete(in, e, start, &raw);
}

/* ---- members of the event ---- */

static mp_err copy_event_name(mp_ingest *in, event *e) {
    mp_copier *c = &in->copier;
    mp_span name;
    if (mp_reader_peek(&c->reader) != '"')
        return mp_fault_set(&c->fault, "expected a string");
    mp_err err = mp_copier_string(c, &name);
    if (err != MP_OK)
        return err;
    if (mp_event_name_is_blank(name.data, name.len))
        return mp_fault_set(&c->fault, "the name of the event is blank");
    bool is_merge = mp_event_name_is_merge(name.data, name.len);
    if (is_merge && !in->rules->may_merge)
        return mp_fault_set(&c->fault, "$merge is not taken here");
    if (mp_event_name_is_identity(name.data, name.len)) {
        in->record.kind = MP_IDENTITY;
        if (in->rules->lane != MP_LANE_COLLECTED)
            in->mark.lane = is_merge ? MP_LANE_IMPORT : MP_LANE_EVENTS;
    }
    e->named = true;
    return MP_OK;
}

/* Members that are none of the two are kept: the mobile SDKs' $mp_metadata. */
static mp_err copy_member(mp_ingest *in, event *e, uint32_t object) {
    mp_copier *c = &in->copier;
    mp_span name;
    size_t start = c->out.len;
    mp_err err = mp_copier_name(c, object, &name);
    if (err != MP_OK)
        return err;
    if (mp_span_is(&name, "event"))
        err = copy_event_name(in, e);
    else if (mp_span_is(&name, "properties"))
        err = copy_properties(in, e);
    else
        err = mp_copier_value(c, 0);
    if (err == MP_INVALID)
        mp_fault_name(&c->fault, c->out.data + start + 2, name.len);
    return err;
}

static mp_err finish(mp_ingest *in, event *e, size_t start) {
    mp_copier *c = &in->copier;
    mp_err err = MP_OK;
    if (!e->named)
        return mp_fault_set(&c->fault, "the event has no name");
    if (!e->complete) {
        mp_span none = {c->reader.at, 0};
        mp_ingest_put(in, ",\"properties\":");
        err = complete(in, e, c->out.len, &none);
    }
    if (err == MP_OK)
        err = mp_ingest_put(in, "}");
    if (err != MP_OK)
        return err;
    if (in->rules->time_required && !e->has_time &&
        in->record.kind != MP_IDENTITY) {
        mp_fault_set(&c->fault, "import wants to know when the event happened");
        mp_fault_name(&c->fault, "time", 4);
        mp_fault_name(&c->fault, "properties", 10);
        return MP_INVALID;
    }
    c->out.data[start] = '{';
    in->record.truncated = c->truncated;
    in->expired = in->record.time_ms < in->rules->oldest_ms;
    return in->expired ? mp_fault_set(&c->fault, "the event is too old")
                       : MP_OK;
}

mp_err mp_ingest_event(mp_ingest *in) {
    mp_copier *c = &in->copier;
    event e = {0};
    bool first;
    size_t start = c->out.len;
    uint32_t object = mp_names_object(&c->names);
    mp_reader_open(&c->reader, &first);
    while (mp_reader_more(&c->reader, '}', &first)) {
        mp_err err = copy_member(in, &e, object);
        if (err != MP_OK)
            return err;
    }
    return c->reader.error ? MP_INVALID : finish(in, &e, start);
}
