/* Ids of people and groups: which values name one, and as what text. */
#ifndef MP_ID_H
#define MP_ID_H

#include "binding/encode/type_hint.h"
#include "binding/lua/compat.h"
#include "binding/lua/fault_lua.h"

/* Points into the Lua string or into itself, so it is not to be moved. */
typedef struct mp_id {
    const char *text; /* NUL-terminated; NULL: the value stands for null */
    size_t len;
    mp_digits digits;
} mp_id;

/* Reads the id at `index`: a string as it is, an integer as its decimal
 * text. "" is let through. MP_INVALID with a reason for anything else, for a
 * number that may have lost digits, and for what Mixpanel refuses as an id.
 * Needs what mp_type_hint_of needs. */
mp_err mp_id_read(lua_State *L, int index, mp_id *id, mp_fault *fault);

/* Raises a bad argument unless argument `arg`, called `name`, is a string, an
 * integral number or a 64-bit integer of LuaJIT. */
void mp_id_check(lua_State *L, int arg, const char *name);

/* Reads an argument that passed mp_id_check and must not be empty. */
mp_err mp_id_argument(lua_State *L, int arg, mp_id *id, mp_fault *fault);

#endif
