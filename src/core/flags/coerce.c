#include "core/flags/coerce.h"

#include "core/flags/numeral.h"
#include "core/flags/utf8.h"

#include <math.h>
#include <string.h>

bool mp_coerce_truth(const mp_value *value) {
    switch ((mp_value_kind)value->kind) {
    case MP_VALUE_BOOLEAN:
        return value->boolean;
    case MP_VALUE_NUMBER:
        return value->as.number != 0 && !isnan(value->as.number);
    case MP_VALUE_TEXT:
    case MP_VALUE_ARRAY:
        return value->len > 0;
    case MP_VALUE_INTEGER:
    case MP_VALUE_OBJECT:
        return true;
    case MP_VALUE_UNDEFINED:
    case MP_VALUE_NULL:
        break;
    }
    return false;
}

/* ---- text ---- */

static mp_value text_of(const char *literal) {
    return mp_value_text(literal, strlen(literal));
}

static bool write_number(const mp_value *value, mp_arena *arena,
                         mp_value *out) {
    char *text = mp_arena_take(arena, MP_NUMERAL_MAX + 1);
    if (!text)
        return false;
    char *end = value->kind == MP_VALUE_INTEGER
                    ? mp_num_int64(text, value->as.integer)
                    : mp_numeral_write(text, value->as.number);
    *end = '\0';
    *out = mp_value_text(text, (size_t)(end - text));
    return true;
}

static bool join(const mp_value *items, size_t count, const char *separator,
                 int levels, mp_arena *arena, mp_value *out);

static bool to_text(const mp_value *value, int levels, mp_arena *arena,
                    mp_value *out) {
    switch ((mp_value_kind)value->kind) {
    case MP_VALUE_UNDEFINED:
        *out = text_of("undefined");
        break;
    case MP_VALUE_NULL:
        *out = text_of("null");
        break;
    case MP_VALUE_BOOLEAN:
        *out = text_of(value->boolean ? "true" : "false");
        break;
    case MP_VALUE_OBJECT:
        *out = text_of("[object Object]");
        break;
    case MP_VALUE_TEXT:
        *out = *value;
        break;
    case MP_VALUE_ARRAY:
        return join(value->as.items, value->len, ",", levels - 1, arena, out);
    case MP_VALUE_NUMBER:
    case MP_VALUE_INTEGER:
        return write_number(value, arena, out);
    }
    return true;
}

/* Joins what are texts already. */
static bool concatenate(const mp_value *texts, size_t count,
                        const char *separator, mp_arena *arena, mp_value *out) {
    size_t between = strlen(separator);
    size_t len = count > 0 ? (count - 1) * between : 0;
    for (size_t i = 0; i < count; i++)
        len += texts[i].len;
    if (len > MP_VALUE_LEN_MAX) {
        arena->err = MP_INVALID;
        return false;
    }
    char *joined = mp_arena_take(arena, len + 1), *at = joined;
    if (!joined)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            memcpy(at, separator, between);
            at += between;
        }
        memcpy(at, texts[i].as.text, texts[i].len);
        at += texts[i].len;
    }
    *at = '\0';
    *out = mp_value_text(joined, len);
    return true;
}

static bool join(const mp_value *items, size_t count, const char *separator,
                 int levels, mp_arena *arena, mp_value *out) {
    if (levels < 0) {
        arena->err = MP_INVALID;
        return false;
    }
    mp_value *texts = mp_arena_array(arena, count, sizeof *texts);
    if (!texts)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (items[i].kind <= MP_VALUE_NULL)
            texts[i] = text_of("");
        else if (!to_text(&items[i], levels, arena, &texts[i]))
            return false;
    }
    return concatenate(texts, count, separator, arena, out);
}

bool mp_coerce_text(const mp_value *value, mp_arena *arena, mp_value *out) {
    return to_text(value, MP_VALUE_LEVELS, arena, out);
}

bool mp_coerce_join(const mp_value *items, size_t count, const char *separator,
                    mp_arena *arena, mp_value *out) {
    return join(items, count, separator, MP_VALUE_LEVELS, arena, out);
}

/* ---- numbers ---- */

static double as_double(const mp_value *number) {
    return number->kind == MP_VALUE_NUMBER ? number->as.number
                                           : (double)number->as.integer;
}

bool mp_coerce_number(const mp_value *value, mp_arena *arena, double *out) {
    mp_value text;
    switch ((mp_value_kind)value->kind) {
    case MP_VALUE_NULL:
        *out = 0;
        break;
    case MP_VALUE_BOOLEAN:
        *out = value->boolean;
        break;
    case MP_VALUE_NUMBER:
    case MP_VALUE_INTEGER:
        *out = as_double(value);
        break;
    case MP_VALUE_TEXT:
        *out = mp_numeral_read(value->as.text, value->len);
        break;
    case MP_VALUE_ARRAY:
        if (!mp_coerce_text(value, arena, &text))
            return false;
        *out = mp_numeral_read(text.as.text, text.len);
        break;
    case MP_VALUE_UNDEFINED:
    case MP_VALUE_OBJECT:
        *out = NAN;
        break;
    }
    return true;
}

/* ---- comparisons ---- */

static bool is_number(const mp_value *value) {
    return value->kind == MP_VALUE_NUMBER || value->kind == MP_VALUE_INTEGER;
}

static bool is_compound(const mp_value *value) {
    return value->kind == MP_VALUE_ARRAY || value->kind == MP_VALUE_OBJECT;
}

static bool same_number(const mp_value *value, const mp_value *other) {
    if (value->kind == MP_VALUE_INTEGER && other->kind == MP_VALUE_INTEGER)
        return value->as.integer == other->as.integer;
    return as_double(value) == as_double(other);
}

bool mp_coerce_same(const mp_value *value, const mp_value *other) {
    if (is_number(value) && is_number(other))
        return same_number(value, other);
    if (value->kind != other->kind)
        return false;
    switch ((mp_value_kind)value->kind) {
    case MP_VALUE_BOOLEAN:
        return value->boolean == other->boolean;
    case MP_VALUE_TEXT:
        return value->len == other->len &&
               memcmp(value->as.text, other->as.text, value->len) == 0;
    case MP_VALUE_ARRAY: /* the same one, not an equal one */
        return value->as.items == other->as.items;
    case MP_VALUE_OBJECT:
        return value->as.members == other->as.members;
    default:
        return true;
    }
}

/* What a comparison makes of an array or object: its text. */
static bool to_primitive(const mp_value *value, mp_arena *arena,
                         mp_value *out) {
    *out = *value;
    return !is_compound(value) || mp_coerce_text(value, arena, out);
}

bool mp_coerce_equal(const mp_value *value, const mp_value *other,
                     mp_arena *arena, bool *out) {
    mp_value a, b;
    double x, y;
    bool absent = value->kind <= MP_VALUE_NULL;
    if (absent || other->kind <= MP_VALUE_NULL) {
        *out = absent && other->kind <= MP_VALUE_NULL;
        return true;
    }
    if (value->kind == other->kind || (is_number(value) && is_number(other))) {
        *out = mp_coerce_same(value, other);
        return true;
    }
    if (is_compound(value) && is_compound(other)) {
        *out = false;
        return true;
    }
    if (!to_primitive(value, arena, &a) || !to_primitive(other, arena, &b))
        return false;
    if (a.kind == b.kind) {
        *out = mp_coerce_same(&a, &b);
        return true;
    }
    if (!mp_coerce_number(&a, arena, &x) || !mp_coerce_number(&b, arena, &y))
        return false;
    *out = x == y;
    return true;
}

bool mp_coerce_less(const mp_value *value, const mp_value *other, bool or_equal,
                    mp_arena *arena, bool *out) {
    mp_value a, b;
    double x, y;
    if (!to_primitive(value, arena, &a) || !to_primitive(other, arena, &b))
        return false;
    if (a.kind == MP_VALUE_TEXT && b.kind == MP_VALUE_TEXT) {
        int order = mp_utf8_compare(a.as.text, a.len, b.as.text, b.len);
        *out = order < 0 || (or_equal && order == 0);
        return true;
    }
    if (a.kind == MP_VALUE_INTEGER && b.kind == MP_VALUE_INTEGER) {
        *out = a.as.integer < b.as.integer ||
               (or_equal && a.as.integer == b.as.integer);
        return true;
    }
    if (!mp_coerce_number(&a, arena, &x) || !mp_coerce_number(&b, arena, &y))
        return false;
    *out = or_equal ? x <= y : x < y;
    return true;
}
