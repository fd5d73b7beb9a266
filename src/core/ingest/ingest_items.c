/* Texts whose records are judged one by one, also where they are no JSON. */
#include "core/ingest/ingest_state.h"

#include <string.h>

/* ---- where items end ---- */

/* The end of a JSON value that begins with { at `at`, by its brackets; NULL: it
 * goes on behind `end`. */
static const char *object_end(const char *at, const char *end) {
    size_t depth = 0;
    for (; at < end; at++) {
        if (*at == '{' || *at == '[') {
            depth++;
        } else if (*at == '}' || *at == ']') {
            if (--depth == 0)
                return at + 1;
        } else if (*at == '"') {
            for (at++; at < end && *at != '"'; at++)
                at += *at == '\\';
            if (at >= end)
                return NULL;
        }
    }
    return NULL;
}

static bool is_between(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' ||
           c == '[' || c == ']';
}

/* What is no object ends where the next one may begin. */
static const char *value_end(const char *at, const char *end) {
    if (*at == '{')
        return object_end(at, end);
    while (at < end && *at != ',' && *at != ']' && *at != '\n')
        at++;
    return at < end ? at : NULL;
}

/* Finds the next item at *at, which may be empty, and goes behind it; false:
 * there is no whole one. */
static bool next_item(const mp_ingest_rules *rules, const char **at,
                      const char *end, mp_span *item) {
    const char *stop;
    if (rules->items == MP_INGEST_VALUES)
        while (*at < end && is_between(**at))
            ++*at;
    if (*at == end)
        return false;
    size_t left = (size_t)(end - *at);
    if (rules->items == MP_INGEST_VALUES)
        stop = value_end(*at, end);
    else if (rules->items == MP_INGEST_ROWS)
        stop = mp_csv_row(rules->csv, *at, end);
    else
        stop = memchr(*at, '\n', left);
    if (!stop && !rules->last)
        return false;
    *item = (mp_span){*at, stop ? (size_t)(stop - *at) : left};
    *at += item->len;
    if (stop && rules->items != MP_INGEST_VALUES)
        ++*at;
    if (item->len > 0 && item->data[item->len - 1] == '\r')
        item->len--;
    return true;
}

static bool is_blank(const mp_span *item) {
    for (size_t i = 0; i < item->len; i++)
        if (item->data[i] != ' ' && item->data[i] != '\t' &&
            item->data[i] != '\r')
            return false;
    return true;
}

/* ---- items ---- */

static mp_err refuse(mp_ingest *in, const mp_span *item, size_t from) {
    mp_copier *c = &in->copier;
    mp_ingest_refusal refusal = {
        .index = in->mark.index,
        .offset = from,
        .len = item->len,
        .expired = in->expired,
        .json = in->rows.len,
        .json_len = in->row.len,
    };
    mp_fault_where(&c->fault, refusal.field);
    memcpy(refusal.reason, c->fault.reason, sizeof refusal.reason);
    in->refused++;
    mp_err err = mp_buf_add(&in->rows, in->row.data, in->row.len);
    if (err != MP_OK)
        return err;
    return mp_buf_add(&in->refusals, &refusal, sizeof refusal);
}

/* Makes the reader's error the fault. */
static mp_err no_json(mp_ingest *in) {
    mp_copier *c = &in->copier;
    mp_fault_start(&c->fault, "");
    return mp_fault_set(&c->fault, "no JSON: %s, at byte %zu", c->reader.error,
                        (size_t)(c->reader.at - in->origin) + 1);
}

/* Appends the record that the text is. */
static mp_err read_json(mp_ingest *in, const char *text, size_t len) {
    mp_copier *c = &in->copier;
    c->reader = (mp_reader){.start = text, .at = text, .end = text + len};
    in->origin = text;
    mp_err err = mp_ingest_record(in);
    if (err == MP_OK) {
        mp_reader_peek(&c->reader);
        if (c->reader.at < c->reader.end)
            mp_reader_fail(&c->reader, "it goes on after the record");
    }
    return c->reader.error && err != MP_MEMORY ? no_json(in) : err;
}

/* Makes the row JSON. */
static mp_err read_row(mp_ingest *in, const mp_span *item) {
    mp_err err = mp_csv_read(in->rules->csv, &in->fields, item, &in->row,
                             &in->copier.fault);
    if (err != MP_OK)
        mp_buf_clear(&in->row);
    return err;
}

static mp_err read_record(mp_ingest *in, const mp_span *item) {
    if (in->rules->items != MP_INGEST_ROWS)
        return read_json(in, item->data, item->len);
    mp_err err = read_row(in, item);
    return err ? err : read_json(in, in->row.data, in->row.len);
}

/* A refusal without a reason, if the item can be read. */
static mp_err split_off(mp_ingest *in, const mp_span *item, size_t from) {
    mp_ingest_begin(in);
    mp_buf_clear(&in->row);
    mp_err err =
        in->rules->items == MP_INGEST_ROWS ? read_row(in, item) : MP_OK;
    return err == MP_MEMORY ? err : refuse(in, item, from);
}

static mp_err read_item(mp_ingest *in, const mp_span *item, size_t from) {
    size_t begin = in->copier.out.len;
    mp_ingest_begin(in);
    mp_buf_clear(&in->row);
    in->mark.offset = (uint32_t)from;
    in->position = in->rules->position + from;
    mp_err err = read_record(in, item);
    if (err == MP_OK)
        return mp_ingest_take(in, begin);
    if (err != MP_INVALID)
        return err;
    in->copier.out.len = begin;
    return refuse(in, item, from);
}

mp_err mp_ingest_read_items(mp_ingest *in, const char *text, size_t len,
                            size_t *consumed) {
    const char *at = text, *end = text + len;
    mp_span item;
    while (next_item(in->rules, &at, end, &item)) {
        mp_err err = MP_OK;
        size_t from = (size_t)(item.data - text);
        if (!is_blank(&item))
            err = in->rules->split ? split_off(in, &item, from)
                                   : read_item(in, &item, from);
        if (err != MP_OK)
            return err;
    }
    *consumed = (size_t)(at - text);
    return MP_OK;
}
