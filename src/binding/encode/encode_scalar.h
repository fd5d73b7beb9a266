/* What of encode.c the recursion through values and tables, encode_value.c,
 * needs and nobody else. Errors and stack as in encode.h. */
#ifndef MP_ENCODE_SCALAR_H
#define MP_ENCODE_SCALAR_H

#include "binding/encode/encode.h"

mp_err mp_encode_char(mp_encode *e, char c);
mp_err mp_encode_null(mp_encode *e);

/* The number at the top, null when it is not finite. */
mp_err mp_encode_any_number(mp_encode *e);

#endif
