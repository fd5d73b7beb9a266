/* What values mean that JSON has and Lua lacks: null, and tables that say
 * whether they are arrays or objects. Honours mixpanel's own markers, the
 * sentinels of lua-cjson and dkjson where those are loaded, and LuaJIT's
 * 64-bit integers. Writes no JSON. */
#ifndef MP_TYPE_HINT_H
#define MP_TYPE_HINT_H

#include "binding/lua/compat.h"

#include "core/base/num.h"

typedef enum mp_type_hint {
    MP_HINT_NONE, /* a table that says nothing, or a value without JSON form */
    MP_HINT_NULL,
    MP_HINT_ARRAY,
    MP_HINT_OBJECT,
    MP_HINT_INTEGER
} mp_type_hint;

/* A 64-bit integer of LuaJIT as decimal text, NUL-terminated. */
typedef struct mp_digits {
    char text[MP_NUM_MAX];
    size_t len;
} mp_digits;

/* Makes the type of the markers known to the state. */
void mp_type_hint_set_up(lua_State *L);

/* mixpanel.array(t) and mixpanel.object(t): a marker that refers to `t`. */
int mp_type_hint_array(lua_State *L);
int mp_type_hint_object(lua_State *L);

/* The form of a value that is no nil, boolean, number or string; fills
 * `digits` for MP_HINT_INTEGER. An array need not be a table: see
 * mp_type_hint_open. Needs 6 stack slots. Raises only when out of memory; a
 * 64-bit integer's own __tostring runs protected. */
mp_type_hint mp_type_hint_of(lua_State *L, int index, mp_digits *digits);

/* Pushes the table that holds the elements of an array or object: the value
 * itself or what a marker refers to. Pushes nothing and returns false for
 * lua-cjson's empty_array, which has none. */
bool mp_type_hint_open(lua_State *L, int index);

/* True for nil and whatever else stands for null. Same needs as
 * mp_type_hint_of. */
bool mp_type_hint_is_null(lua_State *L, int index);

#endif
