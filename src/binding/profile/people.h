/* mp.people. */
#ifndef MP_PEOPLE_METHODS_H
#define MP_PEOPLE_METHODS_H

#include "binding/profile/update.h"

extern const mp_target mp_people_target;
extern const luaL_Reg *const mp_people_methods[]; /* NULL-terminated */

#endif
