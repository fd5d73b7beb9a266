/* mp.people. */
#ifndef MP_PEOPLE_METHODS_H
#define MP_PEOPLE_METHODS_H

#include "binding/profile/update.h"

extern const mp_target mp_people_target;
/* Beside those of the operations. */
extern const luaL_Reg mp_people_methods[];

#endif
