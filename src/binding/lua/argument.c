#include "binding/lua/argument.h"

#include "binding/lua/handle.h"

#include <math.h>

int64_t mp_argument_timeout(lua_State *L, int arg) {
    static const double longest = 1e9;
    char shown[MP_SHOWN];
    lua_Number seconds = lua_tonumber(L, arg);
    if (lua_type(L, arg) != LUA_TNUMBER)
        mp_raise_type(L, arg, "timeout: number");
    if (!(seconds >= 0 && seconds <= longest))
        mp_raise(L, arg, "timeout: got %s, expected seconds from 0 to 1e9",
                 mp_fault_show(L, arg, shown));
    return llround(seconds * 1000);
}

int mp_argument_properties(lua_State *L, int arg) {
    char shown[MP_SHOWN];
    if (lua_istable(L, arg))
        return arg;
    if (lua_type(L, arg) == LUA_TSTRING)
        mp_raise(L, arg,
                 "properties: table expected, got string %s: properties are "
                 "{ name = value }",
                 mp_fault_show(L, arg, shown));
    if (!lua_isnoneornil(L, arg))
        mp_raise_type(L, arg, "properties: table");
    return 0;
}
