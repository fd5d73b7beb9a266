/* The functions of encode.c for encode_value.c (values and tables) and
 * encode_key.c (keys of tables) alone. Errors and stack as in encode.h. */
#ifndef MP_ENCODE_SCALAR_H
#define MP_ENCODE_SCALAR_H

#include "binding/encode/encode.h"

#include "core/base/num.h"

#include <math.h>

void mp_encode_char(mp_encode *e, char c);
void mp_encode_null(mp_encode *e);

/* The number at the top, null when it is not finite. */
void mp_encode_any_number(mp_encode *e);

/* Appends the number at `index`; false, and nothing is written, if it is not
 * finite. The buffer has MP_NUM_MAX bytes of room. */
static inline bool mp_encode_put_number(mp_encode *e, int index) {
    char *at = e->out->data + e->out->len, *end;
    if (mp_lua_isinteger(e->L, index)) {
        end = mp_num_int64(at, lua_tointeger(e->L, index));
    } else {
        double value = lua_tonumber(e->L, index);
        if (!isfinite(value))
            return false;
        end = mp_num_double(at, value);
    }
    e->out->len += (size_t)(end - at);
    return true;
}

#endif
