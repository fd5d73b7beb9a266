/* The methods of a client that tell what became of records: counters, and
 * reports of single records. They answer on a closed client too. */
#ifndef MP_OUTCOMES_H
#define MP_OUTCOMES_H

#include "binding/lua/compat.h"

/* stats, poll: for mp_handle_add. */
extern const luaL_Reg mp_outcomes_methods[];

#endif
