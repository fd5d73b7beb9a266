/* Numbers as JSON text: exact, shortest, independent of the locale. */
#ifndef MP_NUM_H
#define MP_NUM_H

#include <stdint.h>

enum {
    MP_NUM_MAX = 32
}; /* no number takes more bytes than this */

/* Each writes at `out`, which has MP_NUM_MAX bytes of room, adds no NUL and
 * returns the end of what it wrote. */

char *mp_num_int64(char *out, int64_t value);
char *mp_num_uint64(char *out, uint64_t value);

/* A finite double. Integral values below 2^53 print as integers (-0 as 0);
 * every other value as the shortest digits that read back to the same
 * double, with an exponent ("1e21", "1.5e-7") only where JavaScript would
 * use one: below 1e-6 and from 1e21 on. */
char *mp_num_double(char *out, double value);

#endif
