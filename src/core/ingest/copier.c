#include "core/ingest/copier.h"

#include "core/base/json.h"
#include "core/base/number.h"
#include "core/base/unescape.h"

#include <string.h>

/* Members and elements are written with a comma in front of each; the first
 * comma of an object or list then becomes its bracket. */

/* How many objects and lists, and of these objects, lie around a value below
 * its property. */
typedef struct depth {
    int all, objects;
} depth;

static mp_err copy_value(mp_copier *c, depth at);

void mp_copier_start(mp_copier *c, const char *root) {
    c->repaired = c->truncated = 0;
    mp_fault_start(&c->fault, root);
    mp_names_clear(&c->names);
}

void mp_copier_free(mp_copier *c) {
    mp_buf_free(&c->out);
    mp_buf_free(&c->text);
    mp_names_free(&c->names);
}

mp_err mp_copier_skip(mp_copier *c) {
    return mp_reader_skip(&c->reader) ? MP_OK : MP_INVALID;
}

/* ---- scalars ---- */

static mp_err repair(mp_copier *c, const char *reason) {
    if (c->reject)
        return mp_fault_set(&c->fault, "%s", reason);
    c->repaired++;
    return MP_OK;
}

/* Makes the scratch what the string of `out` says that begins at `start`. */
static mp_err read_back(mp_copier *c, size_t start) {
    bool repaired = false;
    size_t len = c->out.len - start - 2;
    mp_buf_clear(&c->text);
    return mp_unescape(&c->text, c->out.data + start + 1, len, &repaired);
}

/* Appends a string that holds escapes or is ill-formed; what it says then
 * stands in the scratch. */
static mp_err rewrite(mp_copier *c, const mp_span *raw) {
    bool repaired = false;
    size_t start = c->out.len;
    mp_buf_clear(&c->text);
    mp_err err = mp_unescape(&c->text, raw->data, raw->len, &repaired);
    if (err != MP_OK)
        return err;
    err = mp_json_string(&c->out, c->text.data, c->text.len, &repaired);
    if (!repaired)
        return err;
    err = repair(c, "the text is not valid UTF-8");
    if (err != MP_OK)
        return err;
    return read_back(c, start);
}

static mp_err put_string(mp_copier *c, const mp_span *raw, bool clean) {
    return clean ? mp_buf_add(&c->out, raw->data - 1, raw->len + 2)
                 : rewrite(c, raw);
}

mp_err mp_copier_string(mp_copier *c, mp_span *text) {
    bool clean;
    if (!mp_reader_string(&c->reader, text, &clean))
        return MP_INVALID;
    mp_err err = put_string(c, text, clean);
    if (!clean)
        *text = (mp_span){c->text.data, c->text.len};
    c->truncated += text->len > MP_TEXT_MAX;
    return err;
}

/* JSON sets no limit to numbers, but who reads one as a double finds no value
 * for those beyond. */
mp_err mp_copier_number(mp_copier *c) {
    mp_span text;
    if (!mp_reader_number(&c->reader, &text))
        return MP_INVALID;
    if (mp_number_is_finite(text.data, text.len))
        return mp_buf_add(&c->out, text.data, text.len);
    mp_buf_add(&c->out, "null", 4);
    return repair(c, "the number is larger than any double");
}

static mp_err copy_literal(mp_copier *c) {
    mp_span text;
    if (!mp_reader_literal(&c->reader, &text))
        return MP_INVALID;
    return mp_buf_add(&c->out, text.data, text.len);
}

/* ---- names ---- */

/* Appends ,"name": for a name that says what it means. */
static mp_err put_clean_name(mp_buf *out, const mp_span *raw) {
    if (!mp_buf_reserve(out, raw->len + 4))
        return out->err;
    char *at = out->data + out->len;
    at[0] = ',';
    memcpy(at + 1, raw->data - 1, raw->len + 2);
    at[raw->len + 3] = ':';
    out->len += raw->len + 4;
    return MP_OK;
}

mp_err mp_copier_any_name(mp_copier *c, mp_span *name) {
    mp_span raw;
    bool clean;
    mp_err err;
    size_t start = c->out.len;
    if (!mp_reader_name(&c->reader, &raw, &clean))
        return MP_INVALID;
    if (clean) {
        err = put_clean_name(&c->out, &raw);
    } else {
        mp_buf_add(&c->out, ",", 1);
        err = rewrite(c, &raw);
        mp_buf_add(&c->out, ":", 1);
    }
    if (c->out.err)
        return c->out.err;
    *name = (mp_span){c->out.data + start + 2, c->out.len - start - 4};
    c->truncated += name->len > MP_TEXT_MAX;
    return err;
}

mp_err mp_copier_add_name(mp_copier *c, uint32_t object, const mp_span *name) {
    size_t offset = (size_t)(name->data - c->out.data);
    mp_err err = mp_names_add(&c->names, object, &c->out, offset, name->len);
    if (err != MP_INVALID)
        return err;
    mp_fault_name(&c->fault, name->data, name->len);
    return mp_fault_set(&c->fault, "the name occurs twice in the object");
}

mp_err mp_copier_name(mp_copier *c, uint32_t object, mp_span *name) {
    mp_err err = mp_copier_any_name(c, name);
    if (err != MP_OK)
        return err;
    return mp_copier_add_name(c, object, name);
}

/* ---- objects and lists ---- */

mp_err mp_copier_close(mp_copier *c, size_t start, const char *brackets) {
    if (c->reader.error)
        return MP_INVALID;
    if (c->out.err)
        return c->out.err;
    if (c->out.len == start)
        return mp_buf_add(&c->out, brackets, 2);
    c->out.data[start] = brackets[0];
    return mp_buf_add(&c->out, brackets + 1, 1);
}

static mp_err copy_member(mp_copier *c, uint32_t object, depth at) {
    mp_span name;
    mp_err err = mp_copier_name(c, object, &name);
    if (err != MP_OK)
        return err;
    size_t offset = (size_t)(name.data - c->out.data);
    err = copy_value(c, at);
    if (err == MP_INVALID)
        mp_fault_name(&c->fault, c->out.data + offset, name.len);
    return err;
}

static mp_err copy_object(mp_copier *c, depth at) {
    bool first;
    size_t start = c->out.len;
    int keys = 0;
    if (++at.objects > MP_OBJECTS_MAX)
        return mp_fault_set(&c->fault,
                            "objects lie deeper than %d levels in a property",
                            MP_OBJECTS_MAX);
    uint32_t object = mp_names_object(&c->names);
    mp_reader_open(&c->reader, &first);
    while (mp_reader_more(&c->reader, '}', &first)) {
        if (++keys > MP_KEYS_MAX)
            return mp_fault_set(&c->fault, "the object has more than %d keys",
                                MP_KEYS_MAX);
        mp_err err = copy_member(c, object, at);
        if (err != MP_OK)
            return err;
    }
    return mp_copier_close(c, start, "{}");
}

static mp_err copy_list(mp_copier *c, depth at) {
    bool first;
    size_t start = c->out.len, n = 0;
    mp_reader_open(&c->reader, &first);
    while (mp_reader_more(&c->reader, ']', &first)) {
        if (++n > c->list_max)
            return mp_fault_set(
                &c->fault, "the list has more than %zu elements", c->list_max);
        mp_buf_add(&c->out, ",", 1);
        mp_err err = copy_value(c, at);
        if (err == MP_INVALID)
            mp_fault_index(&c->fault, n);
        if (err != MP_OK)
            return err;
    }
    return mp_copier_close(c, start, "[]");
}

static mp_err copy_table(mp_copier *c, bool is_object, depth at) {
    if (++at.all > MP_TABLES_MAX)
        return mp_fault_set(&c->fault,
                            "objects and lists lie deeper than %d levels",
                            MP_TABLES_MAX);
    return is_object ? copy_object(c, at) : copy_list(c, at);
}

/* ---- values ---- */

static mp_err copy_value(mp_copier *c, depth at) {
    mp_span text;
    char kind = mp_reader_peek(&c->reader);
    switch (kind) {
    case '{':
    case '[':
        return copy_table(c, kind == '{', at);
    case '"':
        return mp_copier_string(c, &text);
    case 't':
    case 'f':
    case 'n':
        return copy_literal(c);
    default:
        return mp_copier_number(c);
    }
}

mp_err mp_copier_value(mp_copier *c, int objects) {
    return copy_value(c, (depth){objects, objects});
}
