#include "core/base/buf.h"

#include <stdint.h>
#include <stdlib.h>

enum {
    FIRST_CAP = 256
};

static bool fail(mp_buf *buf, mp_err err) {
    mp_buf_fail(buf, err);
    return false;
}

bool mp_buf_grow(mp_buf *buf, size_t more) {
    if (buf->err)
        return false;
    if (more > SIZE_MAX - buf->len)
        return fail(buf, MP_MEMORY);
    size_t need = buf->len + more;
    if (buf->limit > 0 && need > buf->limit)
        return fail(buf, MP_INVALID);
    size_t cap = buf->cap ? buf->cap : FIRST_CAP;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (buf->limit > 0 && cap > buf->limit)
        cap = buf->limit;
    char *data = realloc(buf->data, cap);
    if (!data)
        return fail(buf, MP_MEMORY);
    buf->data = data;
    buf->cap = cap;
    return true;
}

mp_err mp_buf_puts(mp_buf *buf, const char *text) {
    return mp_buf_add(buf, text, strlen(text));
}

void mp_buf_rewind(mp_buf *buf, size_t len) {
    buf->len = len;
    buf->err = MP_OK;
}

void mp_buf_free(mp_buf *buf) {
    free(buf->data);
    *buf = (mp_buf){.limit = buf->limit};
}
