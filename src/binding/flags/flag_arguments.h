/* What the methods of local and of remote flags have in common. */
#ifndef MP_FLAG_ARGUMENTS_H
#define MP_FLAG_ARGUMENTS_H

#include "binding/lua/compat.h"

enum {
    MP_FLAGS_KEY = 2 /* argument of the methods that take one */
};

/* Each raises a bad argument: */
void mp_flags_check_key(lua_State *L);
void mp_flags_check_fallback(lua_State *L); /* at argument 3 */

/* Whether the argument that says so lets an exposure be reported. */
bool mp_flags_check_report(lua_State *L, int arg);

/* The method track_exposure_event(key, variant, context). */
int mp_flags_track_exposure(lua_State *L);

#endif
