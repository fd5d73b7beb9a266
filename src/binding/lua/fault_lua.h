/* What a fault has to do with Lua: values and keys shown to people, and the
 * message. */
#ifndef MP_FAULT_LUA_H
#define MP_FAULT_LUA_H

#include "binding/lua/compat.h"

#include "core/base/fault.h"

/* Puts a table's key in front of the path: `.name`, `["a b"]` or `[3]`. */
void mp_fault_key(mp_fault *fault, lua_State *L, int index);

/* Pushes "root.path: reason", with "item." in front unless `item` is ""; a
 * fault of the record as a whole has the root "". May raise when out of
 * memory. */
void mp_fault_push(lua_State *L, const mp_fault *fault, const char *item);

/* Writes the value at `index` for people: a text in quotes and cut short, a
 * number, true or false, else "a table" and the like. Runs no Lua code. */
const char *mp_fault_show(lua_State *L, int index, char out[MP_SHOWN]);

#endif
