/* The recursion between values and tables: what the two files of the encoder
 * share and nobody else needs. Errors and stack as in encode.h. */
#ifndef MP_ENCODE_TABLE_H
#define MP_ENCODE_TABLE_H

#include "encode.h"

/* How many tables, and of these objects, lie around a value below its
 * property. */
typedef struct mp_depth {
    int tables, objects;
} mp_depth;

mp_err mp_encode_char(mp_encode *e, char c);
mp_err mp_encode_null(mp_encode *e);

/* The value at the top. */
mp_err mp_encode_at(mp_encode *e, mp_depth at);

/* The table, or what is marked as one, at the top. */
mp_err mp_encode_table(mp_encode *e, mp_depth at);

#endif
