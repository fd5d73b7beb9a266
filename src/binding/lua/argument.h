/* Arguments that several methods have in common. */
#ifndef MP_ARGUMENT_H
#define MP_ARGUMENT_H

#include "binding/lua/compat.h"

/* Milliseconds of a timeout at an argument, which is in seconds; raises. */
int64_t mp_argument_timeout(lua_State *L, int arg);

/* The argument if it is a table of properties, 0 if it is not given; raises, of
 * a string with what was meant. */
int mp_argument_properties(lua_State *L, int arg);

#endif
