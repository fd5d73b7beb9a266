/* One-shot gzip of whole bodies, with libdeflate. */
#ifndef MP_GZIP_H
#define MP_GZIP_H

#include "core/base/buf.h"

enum {
    MP_GZIP_MIN = 1,
    MP_GZIP_MAX = 12
};

typedef struct mp_gzip mp_gzip;

/* A compressor of level 1 to 12, the caller's until mp_gzip_give_back; NULL
 * when out of memory. Thread: any. Ensures: one of each level is kept for the
 * next who wants it, never more. Its memory, most of a megabyte, and that for
 * input and output as far as they were used, is not taken anew for each body:
 * where page faults are dear, as in a virtual machine, that cost as much as to
 * compress. */
mp_gzip *mp_gzip_borrow(int level);
void mp_gzip_give_back(mp_gzip *gzip); /* NULL is allowed */

/* Room for the caller to make input in, empty; the compressor's. */
mp_buf *mp_gzip_input(mp_gzip *gzip);

/* Appends the gzip form of `in` to `out`, and returns its error. */
mp_err mp_gzip_add(mp_gzip *gzip, mp_buf *out, const char *in, size_t len);

/* Appends what a gzip file holds. Fails the buffer and returns its error:
 * MP_INVALID when this is no such file or is damaged; MP_TOO_LARGE when it
 * holds more than `most` bytes, of which no more are made; MP_MEMORY. */
mp_err mp_gunzip_add(mp_buf *out, const char *in, size_t len, size_t most);

#endif
