#include "core/flags/value_json.h"

#include "core/base/json.h"
#include "core/base/num.h"
#include "core/flags/lower.h"

#include <math.h>
#include <stdlib.h>

/* ---- reading ---- */

const char *mp_value_lower(const char *text, size_t len, mp_arena *arena,
                           uint32_t *lower_len) {
    char *lower = mp_arena_take(arena, mp_lower_room(len) + 1);
    if (!lower)
        return NULL;
    size_t n = mp_lower(text, len, lower);
    lower[n] = '\0';
    mp_arena_trim(arena, lower + n + 1);
    *lower_len = (uint32_t)n;
    return lower;
}

json_t *mp_value_parse(const char *text, size_t len, json_error_t *why) {
    json_t *root = mp_parse_any_key(text, len, 0, why);
    if (root || json_error_code(why) != json_error_numeric_overflow)
        return root;
    return mp_parse_any_key(text, len, JSON_DECODE_INT_AS_REAL, why);
}

static mp_err read_text(const json_t *json, mp_value_case text_case,
                        mp_arena *arena, mp_value *out) {
    const char *text = json_string_value(json);
    uint32_t len = (uint32_t)json_string_length(json);
    text = text_case == MP_VALUE_LOWER_TEXT
               ? mp_value_lower(text, len, arena, &len)
               : mp_arena_copy(arena, text, len);
    *out = mp_value_text(text, len);
    return text ? MP_OK : mp_arena_failure(arena);
}

static mp_err read_array(const json_t *json, mp_value_case text_case,
                         int levels, mp_arena *arena, mp_value *out) {
    size_t count = json_array_size(json);
    mp_value *items = mp_arena_array(arena, count, sizeof *items);
    if (!items)
        return mp_arena_failure(arena);
    for (size_t i = 0; i < count; i++) {
        mp_err err = mp_value_from_json(json_array_get(json, i), text_case,
                                        levels, arena, &items[i]);
        if (err != MP_OK)
            return err;
    }
    *out = (mp_value){
        .kind = MP_VALUE_ARRAY, .len = (uint32_t)count, .as.items = items};
    return MP_OK;
}

static int compare_members(const void *a, const void *b) {
    const mp_member *x = a, *y = b;
    return mp_value_order(x->key, x->key_len, y->key, y->key_len);
}

static mp_err read_object(json_t *json, mp_value_case text_case, int levels,
                          mp_arena *arena, mp_value *out) {
    size_t count = json_object_size(json), i = 0;
    mp_member *members = mp_arena_array(arena, count, sizeof *members);
    const char *key;
    json_t *value;
    if (!members)
        return mp_arena_failure(arena);
    json_object_foreach(json, key, value) {
        mp_member *member = &members[i++];
        member->key_len = (uint32_t)strlen(key);
        member->key = mp_arena_copy(arena, key, member->key_len);
        mp_err err = !member->key ? mp_arena_failure(arena)
                                  : mp_value_from_json(value, text_case, levels,
                                                       arena, &member->value);
        if (err != MP_OK)
            return err;
    }
    qsort(members, count, sizeof *members, compare_members);
    *out = (mp_value){
        .kind = MP_VALUE_OBJECT, .len = (uint32_t)count, .as.members = members};
    return MP_OK;
}

mp_err mp_value_from_json(json_t *json, mp_value_case text_case, int levels,
                          mp_arena *arena, mp_value *out) {
    if (levels < 0)
        return MP_INVALID;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return read_object(json, text_case, levels - 1, arena, out);
    case JSON_ARRAY:
        return read_array(json, text_case, levels - 1, arena, out);
    case JSON_STRING:
        return read_text(json, text_case, arena, out);
    case JSON_INTEGER:
        *out = mp_value_integer(json_integer_value(json));
        break;
    case JSON_REAL:
        *out = mp_value_number(json_real_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = mp_value_boolean(json_is_true(json));
        break;
    case JSON_NULL:
        *out = mp_value_null();
        break;
    }
    return MP_OK;
}

/* ---- writing ---- */

static void put_text(mp_buf *out, const char *text, size_t len) {
    bool repaired = false;
    mp_json_string(out, text, len, &repaired);
}

static void put_number(mp_buf *out, const mp_value *value) {
    char number[MP_NUM_MAX];
    char *end = value->kind == MP_VALUE_INTEGER
                    ? mp_num_int64(number, value->as.integer)
                    : mp_num_double(number, value->as.number);
    mp_buf_add(out, number, (size_t)(end - number));
}

static void put_items(mp_buf *out, const mp_value *array) {
    mp_buf_puts(out, "[");
    for (uint32_t i = 0; i < array->len; i++) {
        if (i > 0)
            mp_buf_puts(out, ",");
        mp_value_write(&array->as.items[i], out);
    }
    mp_buf_puts(out, "]");
}

static void put_members(mp_buf *out, const mp_value *object) {
    mp_buf_puts(out, "{");
    for (uint32_t i = 0; i < object->len; i++) {
        const mp_member *member = &object->as.members[i];
        if (i > 0)
            mp_buf_puts(out, ",");
        put_text(out, member->key, member->key_len);
        mp_buf_puts(out, ":");
        mp_value_write(&member->value, out);
    }
    mp_buf_puts(out, "}");
}

mp_err mp_value_write(const mp_value *value, mp_buf *out) {
    switch ((mp_value_kind)value->kind) {
    case MP_VALUE_BOOLEAN:
        return mp_buf_puts(out, value->boolean ? "true" : "false");
    case MP_VALUE_NUMBER:
        if (!isfinite(value->as.number))
            break;
        put_number(out, value);
        return out->err;
    case MP_VALUE_INTEGER:
        put_number(out, value);
        return out->err;
    case MP_VALUE_TEXT:
        put_text(out, value->as.text, value->len);
        return out->err;
    case MP_VALUE_ARRAY:
        put_items(out, value);
        return out->err;
    case MP_VALUE_OBJECT:
        put_members(out, value);
        return out->err;
    case MP_VALUE_UNDEFINED:
    case MP_VALUE_NULL:
        break;
    }
    return mp_buf_puts(out, "null");
}
