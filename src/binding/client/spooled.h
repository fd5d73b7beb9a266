/* Methods of a client that look into its spool. */
#ifndef MP_SPOOLED_H
#define MP_SPOOLED_H

#include "binding/lua/compat.h"

extern const luaL_Reg mp_spooled_methods[];

#endif
