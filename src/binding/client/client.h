/* Clients: their making, their settings and their end. */
#ifndef MP_CLIENT_METHODS_H
#define MP_CLIENT_METHODS_H

#include "binding/lua/compat.h"

extern const luaL_Reg mp_client_methods[];
extern const luaL_Reg mp_client_metamethods[];

/* mixpanel.new(token[, options]): a client; raises for a bad argument, and
 * when out of memory. */
int mp_client_new(lua_State *L);

/* The __index of a client that nobody used yet: gives it one of its own, so
 * that those that nobody uses cost no tables. Upvalue 1: the methods. */
int mp_client_first_index(lua_State *L);

#endif
