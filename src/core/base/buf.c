#include "core/base/buf.h"

#include <stdint.h>
#include <stdlib.h>

enum {
    FIRST_CAP = 256
};

mp_err mp_buf_grow(mp_buf *buf, size_t more) {
    if (more > SIZE_MAX - buf->len)
        return MP_MEMORY;
    size_t need = buf->len + more;
    if (buf->limit > 0 && need > buf->limit)
        return MP_INVALID;
    size_t cap = buf->cap ? buf->cap : FIRST_CAP;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (buf->limit > 0 && cap > buf->limit)
        cap = buf->limit;
    char *data = realloc(buf->data, cap);
    if (!data)
        return MP_MEMORY;
    buf->data = data;
    buf->cap = cap;
    return MP_OK;
}

mp_err mp_buf_puts(mp_buf *buf, const char *text) {
    return mp_buf_add(buf, text, strlen(text));
}

void mp_buf_free(mp_buf *buf) {
    free(buf->data);
    buf->data = NULL;
    buf->len = buf->cap = 0;
}
