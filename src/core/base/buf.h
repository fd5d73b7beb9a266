/* Growable bytes with a hard limit. The struct is open: writers on the hot
 * path reserve once and then store through `data + len`. Not thread-safe. */
#ifndef MP_BUF_H
#define MP_BUF_H

#include "core/base/err.h"

#include <stddef.h>
#include <string.h>

typedef struct mp_buf {
    char *data;
    size_t len, cap;
    size_t limit; /* bytes it may never exceed; 0: none */
} mp_buf;

/* Makes room for `more` bytes behind `len`; `data` may move.
 * MP_INVALID when that would pass the limit, MP_MEMORY when out of memory;
 * the contents stay as they were in both cases. */
mp_err mp_buf_grow(mp_buf *buf, size_t more);

static inline mp_err mp_buf_reserve(mp_buf *buf, size_t more) {
    return buf->cap - buf->len >= more ? MP_OK : mp_buf_grow(buf, more);
}

static inline mp_err mp_buf_add(mp_buf *buf, const void *bytes, size_t n) {
    mp_err err = mp_buf_reserve(buf, n);
    if (err == MP_OK && n > 0) {
        memcpy(buf->data + buf->len, bytes, n);
        buf->len += n;
    }
    return err;
}

/* Appends a NUL-terminated text, without its NUL. */
mp_err mp_buf_puts(mp_buf *buf, const char *text);

/* Frees the bytes and leaves an empty buffer with the same limit. */
void mp_buf_free(mp_buf *buf);

#endif
