#include "binding/encode/encode_scalar.h"

#include "binding/encode/type_hint.h"

#include "core/base/json.h"
#include "core/base/num.h"
#include "core/record/segment.h"

#include <math.h>

/* ---- scalars ---- */

mp_err mp_encode_char(mp_encode *e, char c) {
    if (mp_buf_reserve(e->out, 1))
        e->out->data[e->out->len++] = c;
    return e->out->err;
}

static mp_err repair(mp_encode *e, const char *fault) {
    if (e->reject)
        return mp_fault_set(&e->fault, "%s", fault);
    e->repaired++;
    return MP_OK;
}

mp_err mp_encode_text(mp_encode *e, const char *text, size_t len) {
    if (mp_json_put_plain(e->out, text, len))
        return MP_OK;
    bool repaired = false;
    mp_err err = mp_json_string(e->out, text, len, &repaired);
    if (repaired && err == MP_OK)
        err = repair(e, "the text is not valid UTF-8");
    return err;
}

mp_err mp_encode_name(mp_encode *e, const char *name) {
    mp_buf_puts(e->out, ",\"");
    mp_buf_puts(e->out, name);
    return mp_buf_puts(e->out, "\":");
}

mp_err mp_encode_null(mp_encode *e) {
    return mp_buf_add(e->out, "null", 4);
}

/* The number at `index`. False, and nothing is written, if it is not finite;
 * there is room for MP_NUM_MAX bytes. */
static bool put_number(mp_encode *e, int index) {
    char *at = e->out->data + e->out->len, *end;
    if (mp_lua_isinteger(e->L, index)) {
        end = mp_num_int64(at, lua_tointeger(e->L, index));
    } else {
        double value = lua_tonumber(e->L, index);
        if (!isfinite(value))
            return false;
        end = mp_num_double(at, value);
    }
    e->out->len += (size_t)(end - at);
    return true;
}

mp_err mp_encode_any_number(mp_encode *e) {
    if (!mp_buf_reserve(e->out, MP_NUM_MAX) || put_number(e, -1))
        return e->out->err;
    mp_err err = repair(e, "the number is not finite");
    return err == MP_OK ? mp_encode_null(e) : err;
}

mp_err mp_encode_number(mp_encode *e) {
    mp_digits digits;
    char shown[MP_SHOWN];
    if (!mp_buf_reserve(e->out, MP_NUM_MAX) ||
        (lua_type(e->L, -1) == LUA_TNUMBER && put_number(e, -1)))
        return e->out->err;
    if (mp_type_hint_of(e->L, -1, &digits) == MP_HINT_INTEGER)
        return mp_buf_add(e->out, digits.text, digits.len);
    return mp_fault_set(&e->fault, "%s is no finite number",
                        mp_fault_show(e->L, -1, shown));
}

/* ---- keys ---- */

/* A key that is a number: as its text, unless that is a key as well. */
static mp_err encode_number_key(mp_encode *e, int table, int key) {
    lua_State *L = e->L;
    mp_encode_char(e, '"');
    size_t start = e->out->len;
    if (!mp_buf_reserve(e->out, MP_NUM_MAX))
        return e->out->err;
    if (!put_number(e, key))
        return mp_fault_set(&e->fault, "an infinite key has no JSON form");
    lua_pushlstring(L, e->out->data + start, e->out->len - start);
    lua_rawget(L, table);
    bool twice = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (twice)
        return mp_fault_set(
            &e->fault, "key \"%.*s\" occurs twice, as a number and as a string",
            (int)(e->out->len - start), e->out->data + start);
    return mp_encode_char(e, '"');
}

/* A key whose text, from `start` to the end of the buffer, is not what the
 * caller gave: MP_INVALID if another key of the table gets the same. */
static mp_err check_repaired_key(mp_encode *e, int table, int key,
                                 size_t start) {
    lua_State *L = e->L;
    mp_buf *out = e->out;
    size_t len, end = out->len;
    char shown[MP_SHOWN];
    bool repaired;
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING || lua_rawequal(L, -1, key))
            continue;
        const char *text = lua_tolstring(L, -1, &len);
        mp_err err = mp_json_string(out, text, len, &repaired);
        if (err != MP_OK)
            return err;
        if (out->len - end == end - start &&
            memcmp(out->data + start, out->data + end, end - start) == 0)
            return mp_fault_set(&e->fault,
                                "key %s occurs twice once it is valid UTF-8",
                                mp_fault_quote(text, len, shown));
        out->len = end;
    }
    return MP_OK;
}

static mp_err encode_string_key(mp_encode *e, int table, int key) {
    size_t len, start = e->out->len;
    const char *text = lua_tolstring(e->L, key, &len);
    bool repaired = false;
    mp_err err = mp_json_string(e->out, text, len, &repaired);
    if (!repaired || err != MP_OK)
        return err;
    char shown[MP_SHOWN];
    if (e->reject)
        return mp_fault_set(&e->fault, "key %s is not valid UTF-8",
                            mp_fault_quote(text, len, shown));
    e->repaired++;
    return check_repaired_key(e, table, key, start);
}

mp_err mp_encode_any_key(mp_encode *e, int table, int key) {
    mp_err err = mp_encode_char(e, ',');
    if (err != MP_OK)
        return err;
    switch (lua_type(e->L, key)) {
    case LUA_TSTRING:
        err = encode_string_key(e, table, key);
        break;
    case LUA_TNUMBER:
        err = encode_number_key(e, table, key);
        break;
    default:
        return mp_fault_set(&e->fault, "a %s as key has no JSON form",
                            luaL_typename(e->L, key));
    }
    return err == MP_OK ? mp_encode_char(e, ':') : err;
}

/* ---- records ---- */

mp_err mp_encode_judge(mp_encode *e, mp_err err, size_t len) {
    bool over = err == MP_INVALID && e->fault.reason[0] == '\0';
    if (!over && (err != MP_OK || len <= MP_RECORD_MAX))
        return err;
    mp_fault_start(&e->fault, "");
    return mp_fault_set(&e->fault,
                        "the record is %s%zu bytes of JSON; Mixpanel takes at "
                        "most %d",
                        over ? "over " : "", over ? e->out->limit : len,
                        MP_RECORD_MAX);
}
