/* mp.groups. */
#ifndef MP_GROUPS_METHODS_H
#define MP_GROUPS_METHODS_H

#include "binding/profile/update.h"

extern const mp_target mp_groups_target;
/* Beside those of the operations. */
extern const luaL_Reg mp_groups_methods[];

#endif
