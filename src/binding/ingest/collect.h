/* The methods of a client that take records as JSON. */
#ifndef MP_COLLECT_H
#define MP_COLLECT_H

#include "binding/lua/compat.h"

/* collect; ingest: for mp_handle_type. Each returns a table that says what was
 * taken, or nil, message, code; each raises for arguments of a wrong type. */
extern const luaL_Reg mp_collect_methods[];
extern const luaL_Reg mp_ingest_methods[];

#endif
