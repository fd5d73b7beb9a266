/* JSON literals: strings with their quotes, valid UTF-8 whatever came in. */
#ifndef MP_JSON_H
#define MP_JSON_H

#include "buf.h"

#include <stdbool.h>

/* Copies bytes that stand for themselves in a JSON string: ASCII without
 * controls, quote or backslash. False, with anything in to[0..n - 1], if one
 * does not. */
bool mp_json_plain(char *to, const char *from, size_t n);

/* Appends `s` as a quoted JSON string. Escapes only what JSON demands
 * (quote, backslash, control characters; never '/'), so a record holds no
 * raw newline. Each maximal ill-formed UTF-8 sequence becomes U+FFFD and
 * sets *repaired (never clears it). MP_INVALID at the buffer's limit,
 * MP_MEMORY. */
static inline mp_err mp_json_string(mp_buf *out, const char *s, size_t len,
                                    bool *repaired);

/* ---- how most strings need no more than copying ---- */

mp_err mp_json_any_string(mp_buf *out, const char *s, size_t len,
                          bool *repaired);

static inline mp_err mp_json_string(mp_buf *out, const char *s, size_t len,
                                    bool *repaired) {
    char *to = out->data + out->len;
    if (out->cap - out->len < len + 2 || !mp_json_plain(to + 1, s, len))
        return mp_json_any_string(out, s, len, repaired);
    to[0] = '"';
    to[len + 1] = '"';
    out->len += len + 2;
    return MP_OK;
}

/* The end of the value that begins at `at`, in JSON that is known to be well
 * formed and has no white space. */
const char *mp_json_skip(const char *at, const char *end);

#endif
