/* The methods of a client that wait: for outcomes of records, or for the
 * answer whether host and credentials are accepted. */
#ifndef MP_DELIVERY_H
#define MP_DELIVERY_H

#include "binding/lua/compat.h"

/* flush, close, mark, done, check: for mp_handle_add. */
extern const luaL_Reg mp_delivery_methods[];

/* A client's __close: as close() at the end of a scope, whatever ended it. */
int mp_delivery_close_scope(lua_State *L);

#endif
