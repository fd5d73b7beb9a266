#include "core/record/line.h"

#include "core/base/hash.h"
#include "core/base/number.h"
#include "core/base/reader.h"
#include "core/base/unescape.h"
#include "core/os/random.h"
#include "core/record/event_name.h"
#include "core/record/event_time.h"
#include "core/record/operation.h"

#include <stdatomic.h>
#include <string.h>

uint64_t mp_line_ordering_seed(void) {
    static _Atomic uint64_t seed; /* 0: not drawn yet */
    uint64_t drawn = atomic_load_explicit(&seed, memory_order_relaxed);
    if (drawn == 0) {
        uint64_t fresh = mp_random_bits() | 1;
        if (atomic_compare_exchange_strong(&seed, &drawn, fresh))
            drawn = fresh;
    }
    return drawn;
}

uint64_t mp_line_ordering_key(uint64_t hash, const char *id, size_t len) {
    return mp_hash(hash, id, len);
}

/* The value of a member as it is written. */
typedef struct field {
    mp_span text; /* of a string, what stands between the quotes */
    char kind;    /* its first byte; 0: there is no such member */
    bool clean;   /* of a string: it says what it means */
} field;

/* What is read of a line. Where a name stands twice, the last counts. */
typedef struct line {
    mp_reader reader;
    mp_buf meaning; /* of the last string that is not clean */
    field event, properties, time, project;
    field distinct_id, group_key, group_id;
    mp_kind kind;
} line;

/* ---- reading ---- */

/* False: out of memory. */
static bool understand(line *l, mp_span *text, bool clean) {
    bool repaired = false;
    if (clean)
        return true;
    mp_buf_clear(&l->meaning);
    if (mp_unescape(&l->meaning, text->data, text->len, &repaired) != MP_OK)
        return false;
    *text = (mp_span){l->meaning.data, l->meaning.len};
    return true;
}

static bool read_field(line *l, field *out) {
    out->kind = mp_reader_peek(&l->reader);
    out->text = (mp_span){l->reader.at, 0};
    if (out->kind == '"')
        return mp_reader_string(&l->reader, &out->text, &out->clean);
    if (!mp_reader_skip(&l->reader))
        return false;
    out->text.len = (size_t)(l->reader.at - out->text.data);
    return true;
}

/* Reads an object; `visit` reads the value of each member. */
static bool read_object(line *l, bool (*visit)(line *l, const mp_span *name)) {
    mp_span name;
    bool first, clean;
    if (mp_reader_peek(&l->reader) != '{')
        return false;
    mp_reader_open(&l->reader, &first);
    while (mp_reader_more(&l->reader, '}', &first))
        if (!mp_reader_name(&l->reader, &name, &clean) ||
            !understand(l, &name, clean) || !visit(l, &name))
            return false;
    return !l->reader.error;
}

static bool visit_property(line *l, const mp_span *name) {
    if (mp_span_is(name, "time"))
        return read_field(l, &l->time);
    if (mp_span_is(name, "token"))
        return read_field(l, &l->project);
    return mp_reader_skip(&l->reader);
}

static bool visit_event(line *l, const mp_span *name) {
    if (mp_span_is(name, "event"))
        return read_field(l, &l->event);
    if (!mp_span_is(name, "properties"))
        return mp_reader_skip(&l->reader);
    l->time = l->project = (field){.kind = '\0'};
    l->properties.kind = mp_reader_peek(&l->reader);
    return l->properties.kind == '{' ? read_object(l, visit_property)
                                     : mp_reader_skip(&l->reader);
}

static bool visit_profile(line *l, const mp_span *name) {
    if (mp_span_is(name, "$token"))
        return read_field(l, &l->project);
    if (mp_span_is(name, "$distinct_id"))
        return read_field(l, &l->distinct_id);
    if (mp_span_is(name, "$group_key"))
        return read_field(l, &l->group_key);
    if (mp_span_is(name, "$group_id"))
        return read_field(l, &l->group_id);
    const mp_operation *o = mp_operation_find(name->data, name->len);
    if (o && o->kind != MP_PLAIN)
        l->kind = o->kind;
    return mp_reader_skip(&l->reader);
}

/* ---- what it says ---- */

static int64_t time_of(const field *time) {
    if (time->kind != '-' && (time->kind < '0' || time->kind > '9'))
        return 0;
    double value = mp_number_value(time->text.data, time->text.len);
    if (value < MP_EVENT_TIME_MIN_MS) /* as SDKs send it: in seconds */
        value *= 1000;
    return value > 0 && value < 1e18 ? (int64_t)value : 0;
}

static bool describe_event(line *l, mp_record *out) {
    mp_span name = l->event.text;
    if (l->event.kind != '"' || l->properties.kind != '{' ||
        !understand(l, &name, l->event.clean))
        return false;
    if (mp_event_name_is_identity(name.data, name.len))
        out->kind = MP_IDENTITY;
    out->time_ms = time_of(&l->time);
    return true;
}

static bool hash_text(line *l, const field *id, uint64_t *hash) {
    mp_span text = id->text;
    if (id->kind != '"' || !understand(l, &text, id->clean))
        return false;
    *hash = mp_line_ordering_key(*hash, text.data, text.len);
    return true;
}

static bool describe_profile(line *l, mp_record *out) {
    out->kind = l->kind;
    out->ordering_key = mp_line_ordering_seed();
    return hash_text(l, &l->distinct_id, &out->ordering_key) ||
           (hash_text(l, &l->group_key, &out->ordering_key) &&
            hash_text(l, &l->group_id, &out->ordering_key));
}

/* What names none belongs to whoever sends it. */
static bool is_foreign(line *l, const char *token) {
    mp_span text = l->project.text;
    if (l->project.kind == '\0')
        return false;
    return l->project.kind != '"' || !understand(l, &text, l->project.clean) ||
           !mp_span_is(&text, token);
}

/* ---- all of it ---- */

static bool read(line *l, const mp_endpoint *endpoint, mp_record *out) {
    mp_reader *r = &l->reader;
    if (!read_object(l, endpoint->profiles ? visit_profile : visit_event))
        return false;
    if (mp_reader_peek(r) != '\0' || r->at != r->end || r->ill_formed)
        return false;
    return endpoint->profiles ? describe_profile(l, out)
                              : describe_event(l, out);
}

mp_err mp_line_read(const char *json, size_t len, const mp_endpoint *endpoint,
                    const char *token, mp_record *out, bool *foreign) {
    line l = {.reader = {.start = json, .at = json, .end = json + len}};
    *out = (mp_record){.head = json, .head_len = len};
    mp_err err = read(&l, endpoint, out) ? MP_OK : MP_INVALID;
    bool others = err == MP_OK && token && is_foreign(&l, token);
    if (l.meaning.err != MP_OK) /* whatever was found: not all was understood */
        err = l.meaning.err;
    else if (token)
        *foreign = others;
    mp_buf_free(&l.meaning);
    return err;
}
