/* The differences between Lua 5.1 (and LuaJIT), 5.2, 5.3 and 5.4 that the
 * binding meets. Knows nothing of Mixpanel.
 *
 * A library built for 5.1 serves PUC Lua 5.1 and LuaJIT alike, so there it
 * may use only what PUC 5.1 exports: everything newer is written here under
 * a name of its own. */
#ifndef MP_COMPAT_H
#define MP_COMPAT_H

#include <lauxlib.h>
#include <lua.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if LUA_VERSION_NUM < 501 || LUA_VERSION_NUM > 504
#error "this code knows Lua 5.1 to 5.4"
#endif

/* LuaJIT's type of FFI values; no PUC Lua has a type of this number. */
enum {
    MP_LUA_TCDATA = 10
};

static inline int mp_lua_absindex(lua_State *L, int index) {
    return index > 0 || index <= LUA_REGISTRYINDEX ? index
                                                   : lua_gettop(L) + index + 1;
}

static inline size_t mp_lua_rawlen(lua_State *L, int index) {
#if LUA_VERSION_NUM >= 502
    return (size_t)lua_rawlen(L, index);
#else
    return lua_objlen(L, index);
#endif
}

/* A full userdata that can refer to one table; raises when out of memory. */
static inline void *mp_lua_newuserdata(lua_State *L, size_t size) {
#if LUA_VERSION_NUM >= 504
    return lua_newuserdatauv(L, size, 1);
#else
    return lua_newuserdata(L, size);
#endif
}

/* Pops a table and makes the userdata at `index` refer to it. */
static inline void mp_lua_setuser(lua_State *L, int index) {
#if LUA_VERSION_NUM >= 504
    lua_setiuservalue(L, index, 1);
#elif LUA_VERSION_NUM >= 502
    lua_setuservalue(L, index);
#else
    lua_setfenv(L, index);
#endif
}

/* Pushes the table that the userdata at `index` refers to. */
static inline void mp_lua_getuser(lua_State *L, int index) {
#if LUA_VERSION_NUM >= 504
    lua_getiuservalue(L, index, 1);
#elif LUA_VERSION_NUM >= 502
    lua_getuservalue(L, index);
#else
    lua_getfenv(L, index);
#endif
}

/* The userdata at `index` if its metatable is the one registered as `type`,
 * else NULL. */
static inline void *mp_lua_testudata(lua_State *L, int index,
                                     const char *type) {
    void *data = lua_touserdata(L, index);
    if (!data || !lua_getmetatable(L, index))
        return NULL;
    luaL_getmetatable(L, type);
    bool same = lua_rawequal(L, -1, -2) != 0;
    lua_pop(L, 2);
    return same ? data : NULL;
}

/* Closes the metatable at the top to Lua: getmetatable gives false. */
static inline void mp_lua_closemetatable(lua_State *L) {
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
}

/* Gives the userdata at the top, which must be ready for it, the metatable of
 * a type that has a finaliser and is closed to Lua. An error while the
 * metatable was made, such as out of memory, may have left one without a
 * finaliser, so each call looks for it. */
static inline void mp_lua_setcollect(lua_State *L, const char *type,
                                     lua_CFunction collect) {
    luaL_newmetatable(L, type);
    lua_getfield(L, -1, "__gc");
    bool ready = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (!ready) {
        mp_lua_closemetatable(L);
        lua_pushcfunction(L, collect);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
}

/* True for a number of the integer subtype, which Lua has from 5.3 on. */
static inline bool mp_lua_isinteger(lua_State *L, int index) {
#if LUA_VERSION_NUM >= 503
    return lua_isinteger(L, index) != 0;
#else
    (void)L;
    (void)index;
    return false;
#endif
}

#endif
