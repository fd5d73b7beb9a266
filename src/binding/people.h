/* The methods of mp.people. */
#ifndef MP_PEOPLE_METHODS_H
#define MP_PEOPLE_METHODS_H

#include "compat.h"

extern const luaL_Reg mp_people_methods[]; /* for mp_handle_type */

#endif
