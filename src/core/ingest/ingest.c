#include "core/ingest/ingest_state.h"

#include <stdlib.h>

enum {
    KEPT = 1024 * 1024 /* bytes of a buffer between two texts */
};

/* ---- life ---- */

mp_ingest *mp_ingest_new(uint64_t seed) {
    mp_ingest *in = calloc(1, sizeof *in);
    if (in)
        in->copier.names.seed = seed;
    return in;
}

void mp_ingest_free(mp_ingest *in) {
    if (!in)
        return;
    mp_copier_free(&in->copier);
    mp_buf_free(&in->row);
    mp_buf_free(&in->rows);
    mp_csv_fields_free(&in->fields);
    mp_buf_free(&in->group_key);
    mp_buf_free(&in->group_id);
    mp_buf_free(&in->records);
    mp_buf_free(&in->marks);
    mp_buf_free(&in->refusals);
    free(in);
}

static void empty(mp_buf *buf) {
    if (buf->cap > KEPT)
        mp_buf_free(buf);
    mp_buf_clear(buf);
}

static void start(mp_ingest *in, const mp_ingest_rules *rules, const char *text,
                  size_t len) {
    mp_copier *c = &in->copier;
    empty(&c->out);
    empty(&c->text);
    empty(&in->records);
    empty(&in->marks);
    empty(&in->refusals);
    empty(&in->row);
    empty(&in->rows);
    in->rules = rules;
    in->taken = in->refused = in->left_out = 0;
    in->too_many = false;
    c->reject = rules->reject;
    mp_reader_start(&c->reader, text, len);
    in->origin = text;
    in->position = rules->position;
}

/* ---- records ---- */

static mp_err check_doubt(mp_ingest *in) {
    if (in->record.kind != MP_NON_IDEMPOTENT ||
        in->position >= in->rules->doubt_end)
        return MP_OK;
    mp_fault_start(&in->copier.fault, "");
    return mp_fault_set(&in->copier.fault,
                        "may have been applied before the interruption");
}

mp_err mp_ingest_record(mp_ingest *in) {
    mp_copier *c = &in->copier;
    size_t begin = c->out.len;
    if (mp_reader_peek(&c->reader) != '{')
        return mp_fault_set(&c->fault, "expected an object");
    bool profiles = mp_endpoints[in->rules->lane].profiles;
    c->list_max = profiles ? SIZE_MAX : MP_LIST_MAX;
    mp_err err = profiles ? mp_ingest_profile(in) : mp_ingest_event(in);
    size_t len = c->out.len - begin;
    if (err != MP_OK)
        return err;
    if (len <= MP_RECORD_MAX)
        return check_doubt(in);
    mp_fault_start(&c->fault, "");
    return mp_fault_set(&c->fault,
                        "the record is %zu bytes of JSON; Mixpanel takes at "
                        "most %d",
                        len, MP_RECORD_MAX);
}

mp_err mp_ingest_take(mp_ingest *in, size_t begin) {
    mp_copier *c = &in->copier;
    if (in->nothing) {
        c->out.len = begin;
        in->left_out++;
        return MP_OK;
    }
    in->record.head_len = c->out.len - begin;
    in->record.repaired = c->repaired;
    in->taken++;
    mp_buf_add(&in->records, &in->record, sizeof in->record);
    mp_buf_add(&in->marks, &in->mark, sizeof in->mark);
    return in->records.err ? in->records.err : in->marks.err;
}

/* Reads the record once more, to its end. */
static mp_err refuse(mp_ingest *in, const char *from) {
    mp_copier *c = &in->copier;
    c->reader.at = from;
    if (!mp_reader_skip(&c->reader))
        return MP_INVALID;
    mp_ingest_refusal refusal = {
        .index = in->mark.index,
        .offset = (size_t)(from - c->reader.start),
        .len = (size_t)(c->reader.at - from),
        .expired = in->expired,
    };
    mp_fault_where(&c->fault, refusal.field);
    memcpy(refusal.reason, c->fault.reason, sizeof refusal.reason);
    in->refused++;
    return mp_buf_add(&in->refusals, &refusal, sizeof refusal);
}

void mp_ingest_begin(mp_ingest *in) {
    uint32_t index = in->taken + in->refused + in->left_out;
    in->record = (mp_record){0};
    in->mark = (mp_ingest_mark){.index = index, .lane = in->rules->lane};
    in->nothing = in->expired = false;
    mp_copier_start(&in->copier, "");
}

static mp_err read_item(mp_ingest *in) {
    mp_copier *c = &in->copier;
    uint32_t index = in->taken + in->refused + in->left_out;
    if (index >= in->rules->records_max) {
        in->too_many = true;
        mp_reader_fail(&c->reader, "more records than are taken at once");
        return MP_INVALID;
    }
    mp_reader_peek(&c->reader);
    const char *from = c->reader.at;
    size_t begin = c->out.len;
    mp_ingest_begin(in);
    mp_err err = mp_ingest_record(in);
    if (err == MP_OK)
        return mp_ingest_take(in, begin);
    if (err != MP_INVALID || c->reader.error)
        return err;
    c->out.len = begin;
    return refuse(in, from);
}

/* ---- the text ---- */

static mp_err read_list(mp_ingest *in) {
    mp_reader *reader = &in->copier.reader;
    bool first;
    mp_reader_open(reader, &first);
    while (mp_reader_more(reader, ']', &first)) {
        mp_err err = read_item(in);
        if (err != MP_OK)
            return err;
    }
    return reader->error ? MP_INVALID : MP_OK;
}

static mp_err read_value(mp_ingest *in) {
    mp_reader *reader = &in->copier.reader;
    char kind = mp_reader_peek(reader);
    if (kind == '[')
        return read_list(in);
    if (kind == '{')
        return read_item(in);
    mp_reader_fail(reader, "expected an object or a list of objects");
    return MP_INVALID;
}

static bool at_end(mp_reader *reader) {
    mp_reader_peek(reader);
    return reader->at == reader->end;
}

static mp_err read_text(mp_ingest *in) {
    mp_reader *reader = &in->copier.reader;
    mp_err err = read_value(in);
    while (err == MP_OK && !at_end(reader)) {
        if (in->rules->lines) {
            err = read_value(in);
        } else {
            mp_reader_fail(reader, "the text goes on after its end");
            err = MP_INVALID;
        }
    }
    return err;
}

/* The records have their place only now. */
static void set_result(mp_ingest *in, mp_ingest_result *result) {
    mp_record *records = (mp_record *)(void *)in->records.data;
    const char *at = in->copier.out.data;
    for (uint32_t i = 0; i < in->taken; i++) {
        records[i].head = at;
        at += records[i].head_len;
    }
    *result = (mp_ingest_result){
        .records = records,
        .marks = (const mp_ingest_mark *)(const void *)in->marks.data,
        .taken = in->taken,
        .refusals = (const mp_ingest_refusal *)(const void *)in->refusals.data,
        .refused = in->refused,
        .left_out = in->left_out,
        .rows = in->rows.data,
    };
}

mp_err mp_ingest_read(mp_ingest *in, const mp_ingest_rules *rules,
                      const char *text, size_t len, mp_ingest_result *result) {
    const mp_reader *reader = &in->copier.reader;
    size_t consumed = 0;
    start(in, rules, text, len);
    mp_err err = rules->items == MP_INGEST_TEXT
                     ? read_text(in)
                     : mp_ingest_read_items(in, text, len, &consumed);
    if (err == MP_OK) {
        set_result(in, result);
        result->consumed = consumed;
    } else
        *result = (mp_ingest_result){
            .error = reader->error,
            .error_at = (size_t)(reader->at - reader->start),
            .too_many = in->too_many,
        };
    return err;
}
