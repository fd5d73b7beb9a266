/* The methods of mp.groups. */
#ifndef MP_GROUPS_METHODS_H
#define MP_GROUPS_METHODS_H

#include "compat.h"

extern const luaL_Reg mp_groups_methods[]; /* for mp_handle_type */

#endif
