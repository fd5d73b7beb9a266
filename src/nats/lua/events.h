/* What came on a link, as Lua sees it. */
#ifndef MP_NATS_LUA_EVENTS_H
#define MP_NATS_LUA_EVENTS_H

#include "binding/lua/compat.h"
#include "nats/bus.h"

/* Pushes the list of those that follow by `later`. Raises when out of memory;
 * changes none of them. */
void mp_nats_lua_events(lua_State *L, const mp_nats_letter *first);

#endif
