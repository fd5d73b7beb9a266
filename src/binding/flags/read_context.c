#include "binding/flags/read_context.h"

#include "binding/encode/type_hint.h"
#include "binding/lua/handle.h"

#include "core/base/json.h"
#include "core/flags/coerce.h"
#include "core/flags/value_json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = 12 /* of the stack for one level */
};

static const char id_name[] = "distinct_id";
static const char properties_name[] = "custom_properties";

/* ---- values ---- */

static void read_value(lua_State *L, mp_context *context);

/* What the rules cannot look at. */
static void refuse(mp_context *context, const char *problem) {
    if (context->err == MP_OK) {
        context->err = MP_INVALID;
        context->problem = problem;
    }
}

/* A 64-bit integer of LuaJIT. */
static void read_digits(const mp_digits *digits, mp_context *context) {
    errno = 0;
    long long integer = strtoll(digits->text, NULL, 10);
    if (errno == 0)
        mp_context_integer(context, integer);
    else
        mp_context_number(context, strtod(digits->text, NULL));
}

static void read_number(lua_State *L, mp_context *context) {
    if (mp_lua_isinteger(L, -1))
        mp_context_integer(context, (int64_t)lua_tointeger(L, -1));
    else
        mp_context_number(context, lua_tonumber(L, -1));
}

/* ---- tables ---- */

/* True if the keys of a table are 1 to *n, of which there is one. */
static bool is_list(lua_State *L, int table, size_t *n) {
    size_t keys = 0;
    *n = mp_lua_rawlen(L, table);
    if (*n == 0)
        return false;
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        if (++keys > *n || lua_type(L, -1) != LUA_TNUMBER) {
            lua_pop(L, 1);
            return false;
        }
    }
    return keys == *n;
}

static void read_list(lua_State *L, int table, size_t n, mp_context *context) {
    mp_context_open(context);
    for (size_t i = 1; i <= n && context->err == MP_OK; i++) {
        lua_rawgeti(L, table, (int)i);
        read_value(L, context);
        lua_pop(L, 1);
    }
    mp_context_close_array(context);
}

/* Names what comes next by the key below the top. */
static bool read_key(lua_State *L, mp_context *context, const mp_flag *flag) {
    char digits[MP_NUM_MAX];
    size_t len;
    if (lua_type(L, -2) == LUA_TSTRING) {
        const char *key = lua_tolstring(L, -2, &len);
        return mp_context_key(context, key, len, flag);
    }
    lua_Number number = lua_tonumber(L, -2);
    if (lua_type(L, -2) != LUA_TNUMBER || number != floor(number) ||
        fabs(number) > 9007199254740992.0) { /* 2^53 */
        refuse(context, "a key is no text");
        return false;
    }
    len = (size_t)(mp_num_int64(digits, (int64_t)number) - digits);
    const char *key = mp_arena_copy(&context->arena, digits, len);
    if (!key)
        refuse(context, "larger than 4 MiB");
    return key && mp_context_key(context, key, len, flag);
}

/* `flag`: as of mp_context_key. */
static void read_object(lua_State *L, int table, mp_context *context,
                        const mp_flag *flag) {
    mp_context_open(context);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        if (read_key(L, context, flag))
            read_value(L, context);
        if (context->err != MP_OK) {
            lua_pop(L, 2);
            return;
        }
        lua_pop(L, 1);
    }
    mp_context_close_object(context);
}

static void read_opened(lua_State *L, mp_type_hint form, mp_context *context) {
    int table = lua_gettop(L);
    size_t n;
    if (form == MP_HINT_ARRAY)
        read_list(L, table, mp_lua_rawlen(L, table), context);
    else if (form != MP_HINT_OBJECT && is_list(L, table, &n))
        read_list(L, table, n, context);
    else
        read_object(L, table, context, NULL);
    lua_settop(L, table - 1);
}

static void read_other(lua_State *L, mp_context *context) {
    mp_digits digits;
    mp_type_hint form = mp_type_hint_of(L, -1, &digits);
    if (form == MP_HINT_NULL) {
        mp_context_null(context);
    } else if (form == MP_HINT_INTEGER) {
        read_digits(&digits, context);
    } else if (form == MP_HINT_NONE && !lua_istable(L, -1)) {
        refuse(context, "a value has no JSON form");
    } else if (mp_type_hint_open(L, -1)) {
        read_opened(L, form, context);
    } else {
        mp_context_open(context);
        mp_context_close_array(context);
    }
}

static void read_value(lua_State *L, mp_context *context) {
    size_t len;
    if (!lua_checkstack(L, SLOTS)) {
        context->err = MP_MEMORY;
        return;
    }
    switch (lua_type(L, -1)) {
    case LUA_TSTRING: {
        const char *text = lua_tolstring(L, -1, &len);
        mp_context_text(context, text, len);
        break;
    }
    case LUA_TNUMBER:
        read_number(L, context);
        break;
    case LUA_TBOOLEAN:
        mp_context_boolean(context, lua_toboolean(L, -1) != 0);
        break;
    default:
        read_other(L, context);
    }
}

/* ---- members of the context ---- */

/* Lua 5.4 knows a constant again by its address, and need not hash it. */
static void push_member(lua_State *L, int index, const char *constant) {
    lua_pushstring(L, constant);
    lua_rawget(L, index);
}

void mp_read_context_check(lua_State *L, int arg) {
    char shown[MP_SHOWN];
    if (!lua_istable(L, arg))
        mp_raise_type(L, arg, "context: table");
    push_member(L, arg, properties_name);
    if (!lua_istable(L, -1) && !mp_type_hint_is_null(L, -1) &&
        !lua_isuserdata(L, -1)) /* a marker */
        mp_raise(L, arg, "context.custom_properties: got %s, expected a table",
                 mp_fault_show(L, -1, shown));
    lua_pop(L, 1);
}

/* The text of the value at the top, which is popped; undefined: it is nil. */
static mp_err read_text(lua_State *L, mp_context *context, mp_value *out) {
    mp_value number;
    mp_err err = MP_OK;
    *out = mp_value_undefined();
    int type = lua_type(L, -1);
    if (type == LUA_TSTRING) {
        size_t len;
        const char *text = lua_tolstring(L, -1, &len);
        *out = mp_value_text(text, len); /* which the context keeps */
    } else if (type == LUA_TNUMBER && !isnan(lua_tonumber(L, -1))) {
        number = mp_lua_isinteger(L, -1)
                     ? mp_value_integer((int64_t)lua_tointeger(L, -1))
                     : mp_value_number(lua_tonumber(L, -1));
        err = mp_coerce_text(&number, &context->arena, out) ? MP_OK : MP_MEMORY;
    } else if (type == LUA_TBOOLEAN) {
        *out = lua_toboolean(L, -1) ? mp_value_text("true", 4)
                                    : mp_value_text("false", 5);
    } else if (type != LUA_TNIL) {
        mp_digits digits;
        mp_type_hint form = mp_type_hint_of(L, -1, &digits);
        const char *copy =
            form == MP_HINT_INTEGER
                ? mp_arena_copy(&context->arena, digits.text, digits.len)
                : NULL;
        if (copy)
            *out = mp_value_text(copy, digits.len);
        else if (form != MP_HINT_NULL)
            err = MP_INVALID;
    }
    lua_pop(L, 1);
    return err;
}

mp_err mp_read_context_id(lua_State *L, int index, mp_context *context,
                          mp_value *id) {
    push_member(L, index, id_name);
    return read_text(L, context, id);
}

mp_err mp_read_context_attribute(lua_State *L, int index, const mp_flag *flag,
                                 mp_context *context, mp_subject *subject) {
    const mp_value *name = &flag->attribute;
    mp_err err = mp_read_context_id(L, index, context, &subject->distinct_id);
    if (err != MP_OK)
        return err;
    if (name->len == sizeof id_name - 1 &&
        memcmp(name->as.text, id_name, name->len) == 0) {
        subject->attribute = subject->distinct_id;
        return MP_OK;
    }
    lua_pushlstring(L, name->as.text, name->len);
    lua_rawget(L, index);
    return read_text(L, context, &subject->attribute);
}

/* `flag`: as of mp_context_key. */
static mp_err read_properties(lua_State *L, int index, const mp_flag *flag,
                              mp_context *context, mp_subject *subject) {
    subject->properties = NULL;
    push_member(L, index, properties_name);
    if (!lua_isnil(L, -1) && !mp_type_hint_is_null(L, -1) &&
        mp_type_hint_open(L, -1)) {
        int table = lua_gettop(L);
        if (flag && mp_flag_reads_nothing(flag)) {
            mp_context_open(context);
            mp_context_close_object(context);
        } else {
            read_object(L, table, context, flag);
        }
        lua_settop(L, table - 1);
        subject->properties = mp_context_value(context);
    }
    lua_pop(L, 1);
    return context->err;
}

mp_err mp_read_context(lua_State *L, int index, const mp_flag *flag,
                       mp_context *context, mp_subject *subject) {
    mp_context_begin(context);
    mp_err err = mp_read_context_attribute(L, index, flag, context, subject);
    if (err == MP_OK)
        err = read_properties(L, index, flag, context, subject);
    return err;
}

mp_err mp_read_context_whole(lua_State *L, int index, mp_context *context,
                             mp_subject *subject) {
    mp_context_begin(context);
    return read_properties(L, index, NULL, context, subject);
}

/* ---- for Mixpanel ---- */

static bool is_id(const mp_member *member) {
    static const char device[] = "device_id";
    return (member->key_len == sizeof id_name - 1 &&
            memcmp(member->key, id_name, member->key_len) == 0) ||
           (member->key_len == sizeof device - 1 &&
            memcmp(member->key, device, member->key_len) == 0);
}

static void write_member(const mp_member *member, mp_context *context,
                         mp_buf *out) {
    bool repaired = false;
    mp_value value = member->value;
    bool number =
        value.kind == MP_VALUE_NUMBER || value.kind == MP_VALUE_INTEGER;
    if (number && is_id(member)) {
        if (value.kind == MP_VALUE_NUMBER && !isfinite(value.as.number))
            refuse(context, "an id is no finite number");
        if (!mp_coerce_text(&member->value, &context->arena, &value))
            mp_buf_fail(out, MP_MEMORY);
    }
    mp_json_string(out, member->key, member->key_len, &repaired);
    mp_buf_puts(out, ":");
    mp_value_write(&value, out);
}

mp_err mp_read_context_given(lua_State *L, int index, mp_context *context) {
    int top = lua_gettop(L);
    mp_context_begin(context);
    context->as_given = true;
    read_object(L, index, context, NULL);
    lua_settop(L, top);
    return context->err;
}

mp_err mp_read_context_json(lua_State *L, int index, mp_context *context,
                            mp_buf *out) {
    mp_err err = mp_read_context_given(L, index, context);
    if (err != MP_OK)
        return err;
    const mp_value *value = mp_context_value(context);
    mp_buf_clear(out);
    mp_buf_puts(out, "{");
    for (uint32_t i = 0; i < value->len; i++) {
        if (i > 0)
            mp_buf_puts(out, ",");
        write_member(&value->as.members[i], context, out);
    }
    mp_buf_puts(out, "}");
    if (context->err != MP_OK)
        return context->err;
    if (out->err == MP_INVALID)
        context->problem = "it has more than 8 KiB of JSON";
    return out->err;
}
