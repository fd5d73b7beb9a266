/* The methods of a client whose requests the host carries: transport =
 * "manual". */
#ifndef MP_MANUAL_H
#define MP_MANUAL_H

#include "binding/lua/compat.h"

/* next_request, answer: for mp_handle_add. */
extern const luaL_Reg mp_manual_methods[];

#endif
