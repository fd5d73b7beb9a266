/* mp.local_flags: flags that are decided in this process. */
#ifndef MP_LOCAL_FLAGS_H
#define MP_LOCAL_FLAGS_H

#include "binding/lua/handle.h"

extern const luaL_Reg mp_local_flags_methods[];

#endif
