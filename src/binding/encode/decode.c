#include "binding/encode/decode.h"

#include "core/base/num.h"
#include "core/record/parse.h"

#define TYPE "mixpanel.json"

/* ---- the parsed text, which no error of Lua's may leak ---- */

typedef struct box {
    json_t *parsed;
} box;

static int collect(lua_State *L) {
    box *b = luaL_checkudata(L, 1, TYPE);
    json_decref(b->parsed);
    b->parsed = NULL;
    return 0;
}

static box *push_box(lua_State *L) {
    box *b = lua_newuserdata(L, sizeof *b);
    b->parsed = NULL;
    mp_lua_setcollect(L, TYPE, collect);
    return b;
}

/* ---- values ---- */

static void push_integer(lua_State *L, json_int_t value) {
#if LUA_VERSION_NUM >= 503
    lua_pushinteger(L, value);
#else
    static const json_int_t exact = INT64_C(1) << 53;
    char text[MP_NUM_MAX];
    if (value >= -exact && value <= exact)
        lua_pushnumber(L, (lua_Number)value);
    else
        lua_pushlstring(L, text, (size_t)(mp_num_int64(text, value) - text));
#endif
}

static void push(lua_State *L, json_t *value);

static void push_array(lua_State *L, const json_t *array) {
    size_t n = json_array_size(array);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push(L, json_array_get(array, i));
        lua_rawseti(L, -2, (int)i + 1);
    }
}

static void push_object(lua_State *L, json_t *object) {
    const char *key;
    json_t *value;
    lua_createtable(L, 0, (int)json_object_size(object));
    json_object_foreach(object, key, value) {
        lua_pushstring(L, key);
        push(L, value);
        lua_rawset(L, -3);
    }
}

static void push(lua_State *L, json_t *value) {
    luaL_checkstack(L, 4, NULL);
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        push_object(L, value);
        break;
    case JSON_ARRAY:
        push_array(L, value);
        break;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        push_integer(L, json_integer_value(value));
        break;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, json_is_true(value));
        break;
    case JSON_NULL:
        lua_pushlightuserdata(L, NULL);
        break;
    }
}

mp_err mp_decode_check(const char *text, size_t len) {
    static const size_t flags =
        JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL;
    json_error_t why;
    json_t *parsed = mp_parse(text, len, flags, &why);
    json_decref(parsed);
    return parsed ? MP_OK : mp_parse_failure(&why);
}

void mp_decode_push(lua_State *L, const char *text, size_t len) {
    static const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_error_t why;
    box *b = push_box(L);
    b->parsed = mp_parse(text, len, flags, &why);
    if (!b->parsed && json_error_code(&why) == json_error_numeric_overflow) {
        if (text[0] >= '0' && text[0] <= '9') {
            lua_pushlstring(L, text, len);
            lua_replace(L, -2);
            return;
        }
        b->parsed = mp_parse(text, len, flags | JSON_DECODE_INT_AS_REAL, &why);
    }
    if (!b->parsed)
        luaL_error(L, "a property cannot be read back: %s", why.text);
    push(L, b->parsed);
    json_decref(b->parsed);
    b->parsed = NULL;
    lua_replace(L, -2);
}
