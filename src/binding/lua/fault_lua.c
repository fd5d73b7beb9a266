#include "binding/lua/fault_lua.h"

#include "core/base/num.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *show_number(lua_State *L, int index, char out[MP_SHOWN]) {
    double value = lua_tonumber(L, index);
    char *end = out;
    if (mp_lua_isinteger(L, index))
        end = mp_num_int64(out, lua_tointeger(L, index));
    else if (isfinite(value))
        end = mp_num_double(out, value);
    else
        return isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
    *end = '\0';
    return out;
}

const char *mp_fault_show(lua_State *L, int index, char out[MP_SHOWN]) {
    switch (lua_type(L, index)) {
    case LUA_TSTRING: {
        size_t len;
        const char *text = lua_tolstring(L, index, &len);
        return mp_fault_quote(text, len, out);
    }
    case LUA_TNUMBER:
        return show_number(L, index, out);
    case LUA_TBOOLEAN:
        return lua_toboolean(L, index) ? "true" : "false";
    case LUA_TNIL:
    case LUA_TNONE:
        return "nil";
    case LUA_TLIGHTUSERDATA:
        return lua_touserdata(L, index) ? "a userdata" : "null";
    default:
        snprintf(out, MP_SHOWN, "a %s", luaL_typename(L, index));
        return out;
    }
}

void mp_fault_key(mp_fault *fault, lua_State *L, int index) {
    if (lua_type(L, index) == LUA_TSTRING) {
        size_t len;
        const char *name = lua_tolstring(L, index, &len);
        mp_fault_name(fault, name, len);
        return;
    }
    char shown[MP_SHOWN], part[MP_SHOWN + 2];
    int n = snprintf(part, sizeof part, "[%s]", mp_fault_show(L, index, shown));
    mp_fault_prepend(fault, part, (size_t)n);
}

void mp_fault_push(lua_State *L, const mp_fault *fault, const char *item) {
    char where[MP_WHERE];
    mp_fault_where(fault, where);
    bool nested = *item && *where;
    bool anywhere = *item || *where;
    lua_pushfstring(L, "%s%s%s%s%s", item, nested ? "." : "", where,
                    anywhere ? ": " : "", fault->reason);
}
