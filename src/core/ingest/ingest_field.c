#include "core/ingest/ingest_state.h"

#include "core/base/num.h"
#include "core/base/number.h"
#include "core/ingest/date_text.h"
#include "core/record/event_time.h"
#include "core/record/refused_id.h"

mp_err mp_ingest_put(mp_ingest *in, const char *text) {
    return mp_buf_puts(&in->copier.out, text);
}

static void put_name(mp_ingest *in, const char *name) {
    mp_ingest_put(in, ",\"");
    mp_ingest_put(in, name);
    mp_ingest_put(in, "\":");
}

mp_err mp_ingest_put_text(mp_ingest *in, const char *name, const char *text) {
    mp_buf *out = &in->copier.out;
    mp_buf_add(out, ",\"", 2);
    mp_buf_add(out, name, strlen(name));
    mp_buf_add(out, "\":\"", 3);
    mp_buf_add(out, text, strlen(text));
    return mp_buf_add(out, "\"", 1);
}

mp_err mp_ingest_put_number(mp_ingest *in, const char *name, int64_t number) {
    char digits[MP_NUM_MAX];
    put_name(in, name);
    size_t len = (size_t)(mp_num_int64(digits, number) - digits);
    return mp_buf_add(&in->copier.out, digits, len);
}

mp_err mp_ingest_null(mp_ingest *in, bool *null) {
    mp_span text;
    *null = mp_reader_peek(&in->copier.reader) == 'n';
    if (!*null)
        return MP_OK;
    return mp_reader_literal(&in->copier.reader, &text) ? MP_OK : MP_INVALID;
}

mp_err mp_ingest_property(mp_ingest *in, uint32_t object, mp_span *name,
                          bool *excluded) {
    mp_copier *c = &in->copier;
    size_t start = c->out.len;
    *excluded = false;
    mp_err err = mp_copier_any_name(c, name);
    if (err != MP_OK)
        return err;
    *excluded = in->rules->excluded &&
                mp_dict_find(in->rules->excluded, name->data, name->len);
    if (!*excluded)
        return mp_copier_add_name(c, object, name);
    c->out.len = start;
    return mp_copier_skip(c);
}

/* ---- token ---- */

static bool find_token(mp_ingest *in, const mp_span *text) {
    const mp_ingest_rules *rules = in->rules;
    for (size_t i = 0; i < rules->token_count; i++) {
        if (mp_span_is(text, rules->tokens[i].given)) {
            in->mark.token = (uint32_t)i;
            return true;
        }
    }
    return false;
}

mp_err mp_ingest_read_token(mp_ingest *in, bool *given) {
    mp_span text;
    bool clean;
    mp_fault *fault = &in->copier.fault;
    *given = false;
    if (mp_reader_peek(&in->copier.reader) != '"')
        return mp_fault_set(fault, "expected a string");
    if (!mp_reader_string(&in->copier.reader, &text, &clean))
        return MP_INVALID;
    if (text.len == 0)
        return MP_OK;
    *given = clean && find_token(in, &text);
    if (!*given)
        return mp_fault_set(fault, "the token of another project");
    mp_ingest_put(in, "\"");
    mp_ingest_put(in, mp_ingest_token_sent(in));
    return mp_ingest_put(in, "\"");
}

mp_err mp_ingest_check_token(mp_ingest *in, bool given) {
    if (given || in->rules->token_optional)
        return MP_OK;
    return mp_fault_set(&in->copier.fault, "the token is missing or empty");
}

const char *mp_ingest_token_sent(const mp_ingest *in) {
    return in->rules->tokens[in->mark.token].sent;
}

/* ---- ids ---- */

/* An integer becomes its text, in quotes. */
static mp_err copy_number_id(mp_ingest *in, mp_span *id) {
    mp_copier *c = &in->copier;
    if (!mp_reader_number(&c->reader, id))
        return MP_INVALID;
    if (!mp_number_is_integer(id->data, id->len))
        return mp_fault_set(&c->fault, "expected a string or an integer");
    mp_buf_puts(&c->out, "\"");
    mp_buf_add(&c->out, id->data, id->len);
    return mp_buf_puts(&c->out, "\"");
}

static mp_err check_id(mp_ingest *in, const mp_span *id) {
    char shown[MP_SHOWN];
    mp_fault *fault = &in->copier.fault;
    if (id->len > MP_ID_MAX)
        return mp_fault_set(fault, "%zu bytes: Mixpanel cuts an id at %d",
                            id->len, MP_ID_MAX);
    if (id->len > 0 && mp_refused_id(id->data, id->len))
        return mp_fault_set(fault, "Mixpanel refuses %s as an id",
                            mp_fault_quote(id->data, id->len, shown));
    return MP_OK;
}

mp_err mp_ingest_id(mp_ingest *in, mp_span *id) {
    mp_copier *c = &in->copier;
    mp_err err;
    bool null;
    switch (mp_reader_peek(&c->reader)) {
    case '"':
        err = mp_copier_string(c, id);
        break;
    case '{':
    case '[':
    case 't':
    case 'f':
        return mp_fault_set(&c->fault, "expected a string or an integer");
    case 'n':
        *id = (mp_span){NULL, 0};
        return mp_ingest_null(in, &null);
    default:
        err = copy_number_id(in, id);
    }
    return err == MP_OK ? check_id(in, id) : err;
}

/* ---- address ---- */

mp_err mp_ingest_address(mp_ingest *in, bool *given) {
    mp_copier *c = &in->copier;
    size_t start = c->out.len;
    if (in->rules->address)
        return mp_copier_skip(c);
    mp_err err = mp_copier_value(c, 0);
    if (err != MP_OK)
        return err;
    const mp_span value = {c->out.data + start, c->out.len - start};
    *given = !mp_span_is(&value, "null");
    if (!*given && !in->rules->complete)
        c->out.len = start;
    return MP_OK;
}

/* ---- the time of an event ---- */

/* As it is written, unless Mixpanel wants milliseconds or they would be
 * taken for what they are not, see line.c. */
static mp_err put_time(mp_ingest *in, const mp_span *text, double value,
                       int64_t time_ms) {
    char digits[MP_NUM_MAX];
    bool is_clear = value < MP_EVENT_TIME_MIN_MS ||
                    value >= MP_EVENT_TIME_FIRST_MS || in->rules->complete;
    if (is_clear && in->rules->lane != MP_LANE_IMPORT)
        return mp_buf_add(&in->copier.out, text->data, text->len);
    size_t len = (size_t)(mp_num_int64(digits, time_ms) - digits);
    return mp_buf_add(&in->copier.out, digits, len);
}

/* A date, or a number in quotes. */
static mp_err read_date(mp_ingest *in, int64_t *time_ms) {
    mp_copier *c = &in->copier;
    mp_span text;
    bool clean;
    char digits[MP_NUM_MAX];
    if (!mp_reader_string(&c->reader, &text, &clean))
        return MP_INVALID;
    if (!mp_date_read(text.data, text.len, time_ms) ||
        mp_event_time_read((double)*time_ms, time_ms))
        return mp_fault_set(&c->fault,
                            "expected a date such as 2026-01-02T03:04:05Z, or "
                            "seconds or milliseconds since the epoch");
    size_t len = (size_t)(mp_num_int64(digits, *time_ms) - digits);
    return mp_buf_add(&c->out, digits, len);
}

mp_err mp_ingest_time(mp_ingest *in, int64_t *time_ms) {
    mp_copier *c = &in->copier;
    mp_span text;
    bool null;
    mp_err err = mp_ingest_null(in, &null);
    if (err != MP_OK || null)
        return err;
    char kind = mp_reader_peek(&c->reader);
    if (kind == '"' && in->rules->time_text)
        return read_date(in, time_ms);
    if (kind != '-' && (kind < '0' || kind > '9'))
        return mp_fault_set(&c->fault, "expected seconds or milliseconds "
                                       "since the epoch");
    if (!mp_reader_number(&c->reader, &text))
        return MP_INVALID;
    double value = mp_number_value(text.data, text.len);
    bool is_ms = in->rules->complete && value >= MP_EVENT_TIME_MIN_MS;
    const char *wrong = is_ms ? mp_event_time_read_ms(value, time_ms)
                              : mp_event_time_read(value, time_ms);
    if (wrong)
        return mp_fault_set(&c->fault,
                            "the time %s: expected seconds or milliseconds "
                            "since the epoch",
                            wrong);
    return put_time(in, &text, value, *time_ms);
}

/* ---- $insert_id ---- */

static bool is_insert_id(const mp_span *text) {
    for (size_t i = 0; i < text->len; i++) {
        char c = text->data[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') &&
            !(c >= 'A' && c <= 'Z') && c != '-')
            return false;
    }
    return text->len > 0 && text->len <= MP_INSERT_ID_MAX;
}

/* What Mixpanel would not take is no reason to lose an event: it gets another
 * one. */
mp_err mp_ingest_insert_id(mp_ingest *in, bool *given) {
    mp_copier *c = &in->copier;
    size_t start = c->out.len;
    mp_span text = {NULL, 0};
    mp_err err;
    char kind = mp_reader_peek(&c->reader);
    if (kind == '"')
        err = mp_copier_string(c, &text);
    else if (kind == '-' || (kind >= '0' && kind <= '9'))
        err = copy_number_id(in, &text);
    else
        err = mp_copier_skip(c);
    *given = err == MP_OK && is_insert_id(&text);
    if (err != MP_OK || *given)
        return err;
    c->out.len = start;
    bool missing = kind == 'n' || (kind == '"' && text.len == 0);
    if (!missing && c->reject)
        return mp_fault_set(&c->fault,
                            "expected 1 to %d letters, digits and hyphens",
                            MP_INSERT_ID_MAX);
    c->repaired += !missing;
    return MP_OK;
}
