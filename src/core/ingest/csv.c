#include "core/ingest/csv.h"

#include <stdlib.h>
#include <string.h>

/* ---- where rows and fields end ---- */

/* The end of the field that begins at `at`: the separator or a line end;
 * NULL: it goes on behind `end`. */
static const char *field_end(const mp_csv *csv, const char *at,
                             const char *end) {
    if (at < end && *at == '"') {
        for (at++;; at += 2) {
            at = memchr(at, '"', (size_t)(end - at));
            if (!at || at + 1 >= end)
                return at ? at + 1 : NULL;
            if (at[1] != '"')
                break;
        }
    }
    while (at < end && *at != csv->separator && *at != '\n')
        at++;
    return at;
}

const char *mp_csv_row(const mp_csv *csv, const char *at, const char *end) {
    for (;;) {
        at = field_end(csv, at, end);
        if (!at || at == end)
            return NULL;
        if (*at == '\n')
            return at;
        at++;
    }
}

/* ---- fields ---- */

/* What a field in quotes says; false: it does not end, or text follows. */
static bool unquote(mp_csv_fields *f, mp_span *field) {
    const char *at = field->data + 1, *end = field->data + field->len;
    const char *from = at;
    if (field->len < 2 || end[-1] != '"')
        return false;
    end--;
    const char *quote = memchr(at, '"', (size_t)(end - at));
    if (!quote) {
        *field = (mp_span){from, (size_t)(end - from)};
        return true;
    }
    size_t start = f->text.len;
    for (; quote; quote = memchr(at, '"', (size_t)(end - at))) {
        if (quote + 1 >= end || quote[1] != '"')
            return false;
        mp_buf_add(&f->text, at, (size_t)(quote + 1 - at));
        at = quote + 2;
    }
    mp_buf_add(&f->text, at, (size_t)(end - at));
    /* The room for it all was reserved: nothing has moved. */
    *field = (mp_span){f->text.data + start, f->text.len - start};
    return true;
}

static bool add_field(mp_csv_fields *f, const char *at, size_t len) {
    if (f->count == f->cap) {
        size_t cap = f->cap > 0 ? 2 * f->cap : 64;
        mp_span *fields = realloc(f->fields, cap * sizeof *fields);
        if (!fields)
            return false;
        f->fields = fields;
        f->cap = cap;
    }
    f->fields[f->count++] = (mp_span){at, len};
    return true;
}

static mp_err split(const mp_csv *csv, mp_csv_fields *f, const mp_span *row,
                    mp_fault *fault) {
    const char *at = row->data, *end = row->data + row->len;
    f->count = 0;
    mp_buf_clear(&f->text);
    if (!mp_buf_reserve(&f->text, row->len))
        return MP_MEMORY;
    for (;; at++) {
        const char *stop = field_end(csv, at, end);
        if (!stop)
            return mp_fault_set(fault, "a field in quotes does not end");
        if (!add_field(f, at, (size_t)(stop - at)))
            return MP_MEMORY;
        mp_span *field = &f->fields[f->count - 1];
        if (field->len > 0 && *field->data == '"' && !unquote(f, field))
            return mp_fault_set(fault, "field %zu: text behind its quotes",
                                f->count);
        at = stop;
        if (at == end)
            return MP_OK;
    }
}

/* ---- as JSON ---- */

/* A number as JSON writes it, of at most 15 digits, which a double holds. */
static bool is_number(const mp_span *field) {
    const char *at = field->data, *end = at + field->len, *from;
    if (field->len == 0 || field->len > 17)
        return false;
    at += *at == '-';
    from = at;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    if (at == from || (*from == '0' && at - from > 1) || end - from > 16)
        return false;
    if (at < end) {
        from = ++at;
        if (at[-1] != '.')
            return false;
        while (at < end && *at >= '0' && *at <= '9')
            at++;
        return at > from && at == end;
    }
    return at - from <= 15;
}

/* A string; ill-formed UTF-8 is left to whoever reads the JSON. */
static void put_string(mp_buf *out, const mp_span *field) {
    static const char hex[] = "0123456789abcdef";
    const char *at = field->data, *end = at + field->len;
    mp_buf_puts(out, "\"");
    while (at < end) {
        const char *from = at;
        while (at < end && *at != '"' && *at != '\\' &&
               (unsigned char)*at >= 0x20)
            at++;
        mp_buf_add(out, from, (size_t)(at - from));
        if (at == end)
            break;
        char escape[] = {'\\',         'u', '0', '0', hex[(*at >> 4) & 15],
                         hex[*at & 15]};
        mp_buf_add(out, escape, sizeof escape);
        at++;
    }
    mp_buf_puts(out, "\"");
}

static void put_fields(const mp_csv *csv, const mp_csv_fields *f, bool outside,
                       mp_buf *out) {
    for (size_t i = 0; i < csv->count; i++) {
        const mp_csv_column *column = &csv->columns[i];
        const mp_span *field = &f->fields[i];
        if (!column->name || column->outside != outside || field->len == 0)
            continue;
        mp_buf_puts(out, column->name);
        bool as_it_is = !column->is_text &&
                        (is_number(field) || mp_span_is(field, "true") ||
                         mp_span_is(field, "false"));
        if (as_it_is)
            mp_buf_add(out, field->data, field->len);
        else
            put_string(out, field);
        mp_buf_puts(out, ",");
    }
}

/* Ends an object: the last comma becomes its brace. */
static void close_object(mp_buf *out) {
    if (out->len > 0 && out->data[out->len - 1] == ',')
        out->data[out->len - 1] = '}';
    else
        mp_buf_puts(out, "}");
}

mp_err mp_csv_read(const mp_csv *csv, mp_csv_fields *f, const mp_span *row,
                   mp_buf *out, mp_fault *fault) {
    if (csv->header && mp_span_is(row, csv->header))
        return mp_fault_set(fault, "the row of names once more");
    mp_err err = split(csv, f, row, fault);
    if (err != MP_OK)
        return err;
    if (f->count != csv->count)
        return mp_fault_set(fault, "%zu fields, expected %zu", f->count,
                            csv->count);
    mp_buf_puts(out, "{");
    mp_buf_puts(out, csv->outside);
    put_fields(csv, f, true, out);
    mp_buf_puts(out, csv->inside);
    mp_buf_puts(out, "{");
    mp_buf_puts(out, csv->members);
    put_fields(csv, f, false, out);
    close_object(out);
    return mp_buf_puts(out, "}");
}

void mp_csv_fields_free(mp_csv_fields *fields) {
    free(fields->fields);
    fields->fields = NULL;
    fields->cap = 0;
    mp_buf_free(&fields->text);
}
