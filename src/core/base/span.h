#ifndef MP_SPAN_H
#define MP_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Bytes of a text as they are written. */
typedef struct mp_span {
    const char *data;
    size_t len;
} mp_span;

static inline bool mp_span_is(const mp_span *span, const char *text) {
    size_t len = strlen(text);
    return len == span->len && memcmp(span->data, text, len) == 0;
}

#endif
