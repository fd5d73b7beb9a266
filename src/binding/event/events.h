/* The methods of a client that send events. */
#ifndef MP_EVENTS_H
#define MP_EVENTS_H

#include "binding/lua/compat.h"

/* track, track_batch, import, import_batch, identify, alias, merge: for
 * mp_handle_type. Each returns true (a batch also the number of events), or
 * nil, message, code (a batch also the position of the item); each raises for
 * arguments of a wrong type. */
extern const luaL_Reg mp_events_methods[];

#endif
