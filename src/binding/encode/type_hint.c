#include "binding/encode/type_hint.h"

#include <string.h>

#define MARKER "mixpanel.marker"

/* ---- markers ---- */

void mp_type_hint_set_up(lua_State *L) {
    luaL_newmetatable(L, MARKER);
    mp_lua_closemetatable(L);
    lua_pop(L, 1);
}

static int mark(lua_State *L, mp_type_hint form) {
    luaL_checktype(L, 1, LUA_TTABLE);
    mp_type_hint *marker = mp_lua_newuserdata(L, sizeof *marker);
    *marker = form;
    luaL_getmetatable(L, MARKER);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, 1);
    mp_lua_setuser(L, -2);
    return 1;
}

int mp_type_hint_array(lua_State *L) {
    return mark(L, MP_HINT_ARRAY);
}

int mp_type_hint_object(lua_State *L) {
    return mark(L, MP_HINT_OBJECT);
}

bool mp_type_hint_open(lua_State *L, int index) {
    int type = lua_type(L, index);
    if (type == LUA_TTABLE)
        lua_pushvalue(L, index);
    else if (type == LUA_TUSERDATA)
        mp_lua_getuser(L, index);
    return type == LUA_TTABLE || type == LUA_TUSERDATA;
}

/* ---- sentinels of other libraries ---- */

/* Replaces the table at the top by its field, nil if there is no table. */
static void enter(lua_State *L, const char *field) {
    if (lua_istable(L, -1)) {
        lua_pushstring(L, field);
        lua_rawget(L, -2);
    } else {
        lua_pushnil(L);
    }
    lua_replace(L, -2);
}

/* True if the value at `index` is the field of a module that is loaded. */
static bool is_field(lua_State *L, int index, const char *module,
                     const char *field) {
    lua_pushvalue(L, LUA_REGISTRYINDEX);
    enter(L, "_LOADED");
    enter(L, module);
    enter(L, field);
    bool same = !lua_isnil(L, -1) && lua_rawequal(L, index, -1);
    lua_pop(L, 1);
    return same;
}

/* lua-cjson's modules have sentinels of their own each. */
static bool is_cjson(lua_State *L, int index, const char *field) {
    return is_field(L, index, "cjson", field) ||
           is_field(L, index, "cjson.safe", field);
}

static bool is_empty(lua_State *L, int index) {
    lua_pushnil(L);
    if (!lua_next(L, index))
        return true;
    lua_pop(L, 2);
    return false;
}

/* What dkjson's decoder notes, or the caller for its encoder. */
static mp_type_hint hint_of_jsontype(lua_State *L, int metatable) {
    mp_type_hint form = MP_HINT_NONE;
    lua_pushliteral(L, "__jsontype");
    lua_rawget(L, metatable);
    if (lua_type(L, -1) == LUA_TSTRING) {
        const char *type = lua_tostring(L, -1);
        if (strcmp(type, "array") == 0)
            form = MP_HINT_ARRAY;
        else if (strcmp(type, "object") == 0)
            form = MP_HINT_OBJECT;
    }
    lua_pop(L, 1);
    return form;
}

static mp_type_hint hint_of_table(lua_State *L, int index) {
    if (!lua_getmetatable(L, index))
        return MP_HINT_NONE;
    int metatable = lua_gettop(L);
    mp_type_hint form = hint_of_jsontype(L, metatable);
    if (form == MP_HINT_NONE &&
        (is_cjson(L, metatable, "array_mt") ||
         (is_cjson(L, metatable, "empty_array_mt") && is_empty(L, index))))
        form = MP_HINT_ARRAY;
    if (form == MP_HINT_NONE && is_field(L, index, "dkjson", "null"))
        form = MP_HINT_NULL;
    lua_pop(L, 1);
    return form;
}

static mp_type_hint hint_of_pointer(lua_State *L, int index) {
    if (!lua_touserdata(L, index))
        return MP_HINT_NULL;
    return is_cjson(L, index, "empty_array") ? MP_HINT_ARRAY : MP_HINT_NONE;
}

/* ---- LuaJIT ---- */

/* "-12LL" and "12ULL" are how LuaJIT writes 64-bit integers. */
static mp_type_hint hint_of_text(const char *text, size_t len,
                                 mp_digits *digits) {
    static const char null[] = ": NULL";
    size_t sign = *text == '-';
    size_t n = sign + strspn(text + sign, "0123456789");
    if (n > sign && n < sizeof digits->text &&
        (strcmp(text + n, "LL") == 0 || strcmp(text + n, "ULL") == 0)) {
        memcpy(digits->text, text, n);
        digits->text[n] = '\0';
        digits->len = n;
        return MP_HINT_INTEGER;
    }
    if (strncmp(text, "cdata<", 6) == 0 && len > sizeof null &&
        strcmp(text + len - (sizeof null - 1), null) == 0)
        return MP_HINT_NULL;
    return MP_HINT_NONE;
}

static mp_type_hint hint_of_cdata(lua_State *L, int index, mp_digits *digits) {
    mp_type_hint form = MP_HINT_NONE;
    if (!luaL_getmetafield(L, index, "__tostring"))
        return MP_HINT_NONE;
    lua_pushvalue(L, index);
    if (lua_pcall(L, 1, 1, 0) == 0 && lua_type(L, -1) == LUA_TSTRING) {
        size_t len;
        const char *text = lua_tolstring(L, -1, &len);
        form = hint_of_text(text, len, digits);
    }
    lua_pop(L, 1);
    return form;
}

mp_type_hint mp_type_hint_of(lua_State *L, int index, mp_digits *digits) {
    index = mp_lua_absindex(L, index);
    switch (lua_type(L, index)) {
    case LUA_TTABLE:
        return hint_of_table(L, index);
    case LUA_TLIGHTUSERDATA:
        return hint_of_pointer(L, index);
    case LUA_TUSERDATA: {
        const mp_type_hint *marker = mp_lua_testudata(L, index, MARKER);
        return marker ? *marker : MP_HINT_NONE;
    }
    case MP_LUA_TCDATA:
        return hint_of_cdata(L, index, digits);
    default:
        return MP_HINT_NONE;
    }
}

bool mp_type_hint_is_null(lua_State *L, int index) {
    mp_digits digits;
    return lua_isnil(L, index) ||
           mp_type_hint_of(L, index, &digits) == MP_HINT_NULL;
}
