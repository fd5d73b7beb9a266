#include "core/ingest/ingest_state.h"

#include "core/record/line.h"
#include "core/record/operation.h"

/* An update in the making. */
typedef struct update {
    bool people;
    bool has_token, has_ip, has_time;
    bool has_distinct_id, has_key, has_id;
    size_t key_len;      /* of the group's key and id, decoded, in in->ids */
    uint32_t operations; /* of which something is left */
    uint32_t emptied;    /* by what is excluded */
} update;

/* ---- operations ---- */

static mp_err copy_number(mp_copier *c) {
    char kind = mp_reader_peek(&c->reader);
    if (kind != '-' && (kind < '0' || kind > '9'))
        return mp_fault_set(&c->fault, "expected a number");
    return mp_copier_number(c);
}

/* A list, or a scalar as a list of one. */
static mp_err copy_as_list(mp_copier *c) {
    size_t start = c->out.len;
    char kind = mp_reader_peek(&c->reader);
    if (kind == '{')
        return mp_fault_set(&c->fault, "expected a list");
    bool wrap = kind != '[';
    if (wrap)
        mp_buf_puts(&c->out, "[");
    mp_err err = mp_copier_value(c, 0);
    if (err != MP_OK)
        return err;
    if (wrap)
        mp_buf_puts(&c->out, "]");
    return c->out.len - start > 2
               ? c->out.err
               : mp_fault_set(&c->fault, "an empty list changes nothing");
}

static mp_err copy_payload_value(mp_copier *c, mp_payload payload) {
    if (payload == MP_NUMBERS)
        return copy_number(c);
    return payload == MP_LISTS ? copy_as_list(c) : mp_copier_value(c, 0);
}

static mp_err copy_property(mp_ingest *in, mp_payload payload,
                            uint32_t object) {
    mp_copier *c = &in->copier;
    size_t start = c->out.len;
    mp_span name;
    bool excluded;
    mp_err err = mp_ingest_property(in, object, &name, &excluded);
    if (err != MP_OK || excluded)
        return err;
    err = copy_payload_value(c, payload);
    if (err == MP_INVALID)
        mp_fault_name(&c->fault, c->out.data + start + 2, name.len);
    return err;
}

/* An object of properties. *nothing: all that it had is excluded. */
static mp_err copy_properties(mp_ingest *in, mp_payload payload,
                              bool *nothing) {
    mp_copier *c = &in->copier;
    bool first;
    uint32_t n = 0, object = mp_names_object(&c->names);
    size_t start = c->out.len;
    if (mp_reader_peek(&c->reader) != '{')
        return mp_fault_set(&c->fault, "expected an object");
    mp_reader_open(&c->reader, &first);
    while (mp_reader_more(&c->reader, '}', &first)) {
        if (++n > MP_PROFILE_MAX)
            return mp_fault_set(&c->fault, "more than %d properties",
                                MP_PROFILE_MAX);
        mp_err err = copy_property(in, payload, object);
        if (err != MP_OK)
            return err;
    }
    if (n == 0 && payload == MP_LISTS)
        return mp_fault_set(&c->fault, "an empty object changes nothing");
    *nothing = n > 0 && c->out.len == start;
    return mp_copier_close(c, start, "{}");
}

/* A list of names, or one name. */
static mp_err copy_names(mp_copier *c) {
    bool first;
    size_t start = c->out.len, n = 0;
    mp_span text;
    char kind = mp_reader_peek(&c->reader);
    if (kind == '"')
        return copy_as_list(c);
    if (kind != '[')
        return mp_fault_set(&c->fault, "expected a list of names");
    mp_reader_open(&c->reader, &first);
    while (mp_reader_more(&c->reader, ']', &first)) {
        if (mp_reader_peek(&c->reader) != '"' || ++n > MP_PROFILE_MAX)
            return mp_fault_set(&c->fault,
                                "expected a list of at most %d "
                                "names",
                                MP_PROFILE_MAX);
        mp_buf_puts(&c->out, ",");
        mp_err err = mp_copier_string(c, &text);
        if (err != MP_OK)
            return err;
    }
    if (n == 0 && !c->reader.error)
        return mp_fault_set(&c->fault, "an empty list removes nothing");
    return mp_copier_close(c, start, "[]");
}

/* An operation whose name begins at `start`. */
static mp_err copy_operation(mp_ingest *in, update *u,
                             const mp_operation *operation, size_t start) {
    mp_copier *c = &in->copier;
    bool nothing = false;
    mp_err err;
    switch (operation->payload) {
    case MP_NAMES:
        err = copy_names(c);
        break;
    case MP_NOTHING:
        err = mp_copier_value(c, 0); /* Mixpanel ignores it */
        break;
    default:
        err = copy_properties(in, operation->payload, &nothing);
    }
    if (err != MP_OK)
        return err;
    if (nothing) {
        c->out.len = start;
        u->emptied++;
        return MP_OK;
    }
    u->operations++;
    if (operation->kind != MP_PLAIN)
        in->record.kind = operation->kind;
    return MP_OK;
}

/* ---- other members ---- */

/* An id, kept decoded as well: equal ids are equal however they are
 * escaped. */
static mp_err copy_id(mp_ingest *in, bool *given, mp_span *id) {
    mp_err err = mp_ingest_id(in, id);
    if (err != MP_OK)
        return err;
    *given = id->len > 0;
    return *given ? MP_OK
                  : mp_fault_set(&in->copier.fault, "an empty id names nobody");
}

static mp_err copy_distinct_id(mp_ingest *in, update *u) {
    mp_span id;
    mp_err err = copy_id(in, &u->has_distinct_id, &id);
    if (err != MP_OK)
        return err;
    in->record.ordering_key =
        mp_line_ordering_key(mp_line_ordering_seed(), id.data, id.len);
    return MP_OK;
}

/* The group's key and id make the ordering key, in whatever order they come. */
static mp_err copy_group_id(mp_ingest *in, bool *given, mp_buf *kept) {
    mp_span id;
    mp_err err = copy_id(in, given, &id);
    mp_buf_clear(kept);
    return err == MP_OK ? mp_buf_add(kept, id.data, id.len) : err;
}

/* The value of a member that is no operation; nothing is appended for what is
 * dropped or comes later. Unknown ones are kept, as $device_id. */
static mp_err copy_other(mp_ingest *in, update *u, const mp_span *name) {
    mp_copier *c = &in->copier;
    if (mp_span_is(name, "$token"))
        return mp_ingest_read_token(in, &u->has_token);
    if (u->people && mp_span_is(name, "$distinct_id"))
        return copy_distinct_id(in, u);
    if (!u->people && mp_span_is(name, "$group_key"))
        return copy_group_id(in, &u->has_key, &in->group_key);
    if (!u->people && mp_span_is(name, "$group_id"))
        return copy_group_id(in, &u->has_id, &in->group_id);
    if (mp_span_is(name, "$ip"))
        return mp_ingest_address(in, &u->has_ip);
    u->has_time |=
        mp_span_is(name, "$time") || mp_span_is(name, "$ignore_time");
    return mp_copier_value(c, 0);
}

static mp_err copy_member(mp_ingest *in, update *u, uint32_t object) {
    mp_copier *c = &in->copier;
    mp_span name;
    size_t start = c->out.len;
    mp_err err = mp_copier_name(c, object, &name);
    if (err != MP_OK)
        return err;
    size_t value = c->out.len;
    const mp_operation *operation = mp_operation_find(name.data, name.len);
    if (operation && !u->people && !operation->groups)
        operation = NULL;
    err = operation ? copy_operation(in, u, operation, start)
                    : copy_other(in, u, &name);
    if (err == MP_OK && c->out.len == value)
        c->out.len = start;
    if (err == MP_INVALID)
        mp_fault_name(&c->fault, c->out.data + start + 2, name.len);
    return err;
}

/* ---- end ---- */

static mp_err check_ids(mp_ingest *in, const update *u) {
    mp_fault *fault = &in->copier.fault;
    if (u->people)
        return u->has_distinct_id
                   ? MP_OK
                   : mp_fault_set(fault, "$distinct_id is missing");
    if (!u->has_key || !u->has_id)
        return mp_fault_set(fault, "%s is missing",
                            u->has_key ? "$group_id" : "$group_key");
    uint64_t hash = mp_line_ordering_key(mp_line_ordering_seed(),
                                         in->group_key.data, in->group_key.len);
    in->record.ordering_key =
        mp_line_ordering_key(hash, in->group_id.data, in->group_id.len);
    return MP_OK;
}

static mp_err check(mp_ingest *in, const update *u) {
    mp_err err = mp_ingest_check_token(in, u->has_token);
    if (err != MP_OK) {
        mp_fault_name(&in->copier.fault, "$token", 6);
        return err;
    }
    err = check_ids(in, u);
    if (err != MP_OK || u->operations + u->emptied > 0)
        return err;
    return mp_fault_set(&in->copier.fault, "no operation, as $set");
}

static void put_address(mp_ingest *in, const update *u) {
    const char *address = in->rules->address;
    if (u->people && !u->has_ip && (address || in->rules->no_address))
        mp_ingest_put_text(in, "$ip", address ? address : "0");
}

static mp_err finish(mp_ingest *in, const update *u, size_t start) {
    mp_err err = check(in, u);
    if (err != MP_OK)
        return err;
    if (!u->has_token)
        mp_ingest_put_text(in, "$token", mp_ingest_token_sent(in));
    put_address(in, u);
    if (u->people && !u->has_time && in->rules->profile_time)
        mp_ingest_put_number(in, "$time", in->rules->now_ms);
    err = mp_ingest_put(in, "}");
    if (err != MP_OK)
        return err;
    in->copier.out.data[start] = '{';
    in->nothing = u->operations == 0;
    return MP_OK;
}

mp_err mp_ingest_profile(mp_ingest *in) {
    mp_copier *c = &in->copier;
    update u = {.people = in->rules->lane == MP_LANE_PEOPLE};
    bool first;
    size_t start = c->out.len;
    uint32_t object = mp_names_object(&c->names);
    mp_reader_open(&c->reader, &first);
    while (mp_reader_more(&c->reader, '}', &first)) {
        mp_err err = copy_member(in, &u, object);
        if (err != MP_OK)
            return err;
    }
    return c->reader.error ? MP_INVALID : finish(in, &u, start);
}
