/* mp.groups. */
#ifndef MP_GROUPS_METHODS_H
#define MP_GROUPS_METHODS_H

#include "binding/profile/update.h"

extern const mp_target mp_groups_target;
extern const luaL_Reg *const mp_groups_methods[]; /* NULL-terminated */

#endif
