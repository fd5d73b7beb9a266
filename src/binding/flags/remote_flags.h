/* mp.remote_flags: flags that Mixpanel decides. */
#ifndef MP_REMOTE_FLAGS_H
#define MP_REMOTE_FLAGS_H

#include "binding/lua/handle.h"

extern const luaL_Reg mp_remote_flags_methods[];

#endif
