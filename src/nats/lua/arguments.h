/* What Lua gives to a link. Whatever is not right raises at the caller's line,
 * with the name of the argument or option, its value and what would be right.
 */
#ifndef MP_NATS_LUA_ARGUMENTS_H
#define MP_NATS_LUA_ARGUMENTS_H

#include "binding/lua/compat.h"
#include "core/transport/bus_driver.h"

/* Milliseconds of a timeout, which is in seconds; `least` is the shortest. */
int64_t mp_nats_lua_timeout(lua_State *L, int arg, double least);

/* Subject and body, of two arguments of which the subject's is `arg`. */
void mp_nats_lua_message(lua_State *L, int arg, mp_bus_message *message);

/* A table of texts, or nothing. Pushes what keeps the list alive; the texts
 * live as long as the table is not changed. */
void mp_nats_lua_headers(lua_State *L, int arg, mp_bus_message *message);

/* The table of `open`. Pushes what keeps them alive. */
void mp_nats_lua_options(lua_State *L, int arg, mp_bus_options *options);

#endif
