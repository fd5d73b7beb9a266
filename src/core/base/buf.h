/* Growable bytes with a hard limit and a sticky error: what could not be
 * written is noted in the buffer, every write behind it does nothing, and the
 * caller asks once, at the end. The struct is open: writers on the hot path
 * reserve once and then store through `data + len`. Not thread-safe. */
#ifndef MP_BUF_H
#define MP_BUF_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* All zero: empty, without a limit. A buffer that failed has no room, so
 * nobody needs to ask for `err` before reserving; what it holds is of no use
 * until it is cleared. */
typedef struct mp_buf {
    char *data;
    size_t len, cap;
    size_t limit; /* bytes it may never exceed; 0: none */
    mp_err err;   /* the first failure since the buffer was cleared:
                   * MP_INVALID at the limit, MP_MEMORY, or the writer's own;
                   * MP_OK: none */
} mp_buf;

/* Notes a failure, unless there was one before. Returns the buffer's error. */
static inline mp_err mp_buf_fail(mp_buf *buf, mp_err err) {
    if (buf->err == MP_OK) {
        buf->err = err;
        buf->cap = buf->len;
    }
    return buf->err;
}

/* Makes room for `more` bytes, at least one, behind `len`; `data` may move.
 * False when the buffer failed, before or because of this. */
bool mp_buf_grow(mp_buf *buf, size_t more);

static inline bool mp_buf_reserve(mp_buf *buf, size_t more) {
    return buf->cap - buf->len >= more || mp_buf_grow(buf, more);
}

/* Appends the bytes. Returns the buffer's error, as do all that write. */
static inline mp_err mp_buf_add(mp_buf *buf, const void *bytes, size_t n) {
    if (n > 0 && mp_buf_reserve(buf, n)) {
        memcpy(buf->data + buf->len, bytes, n);
        buf->len += n;
    }
    return buf->err;
}

/* Appends a NUL-terminated text, without its NUL. */
mp_err mp_buf_puts(mp_buf *buf, const char *text);

/* Drops what lies behind the first `len` bytes, and the error, which came
 * while that was written. */
void mp_buf_rewind(mp_buf *buf, size_t len);

/* Frees the bytes and leaves an empty buffer with the same limit. */
void mp_buf_free(mp_buf *buf);

/* Empties the buffer for its next use: no bytes, no error, the same limit.
 * A failure took away what it knew of its size, which may be large. */
static inline void mp_buf_clear(mp_buf *buf) {
    if (buf->err)
        mp_buf_free(buf);
    buf->len = 0;
}

#endif
