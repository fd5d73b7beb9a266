/* JSON text as Lua values. */
#ifndef MP_DECODE_H
#define MP_DECODE_H

#include "binding/lua/compat.h"

#include "core/base/err.h"

/* Pushes the value of a text that mp_encode_value wrote: null as
 * mixpanel.null; an integer that Lua cannot hold exactly as a string of its
 * digits. Raises when Lua is out of memory, or the text is no JSON. */
void mp_decode_push(lua_State *L, const char *text, size_t len);

/* MP_INVALID for JSON that mp_decode_push cannot read: it has a zero byte in
 * the key of an object. MP_MEMORY. */
mp_err mp_decode_check(const char *text, size_t len);

#endif
