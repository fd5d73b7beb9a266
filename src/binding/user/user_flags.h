/* What the files of a user's flags share. */
#ifndef MP_USER_FLAGS_H
#define MP_USER_FLAGS_H

#include "binding/user/user_handle.h"

/* The user whose flags are at argument 1, where it stands from now on; raises
 * if it has none. */
mp_user_handle *mp_user_flags_enter(lua_State *L);

/* Pushes nil, message, code, and returns 3: why Mixpanel was not asked. */
int mp_user_flags_fail(lua_State *L, const mp_user_handle *self, mp_err err);

/* The method update_context. */
int mp_user_flags_update_context(lua_State *L);

#endif
