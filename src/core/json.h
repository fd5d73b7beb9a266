/* JSON literals: strings with their quotes, valid UTF-8 whatever came in. */
#ifndef MP_JSON_H
#define MP_JSON_H

#include "buf.h"

#include <stdbool.h>

/* Appends `s` as a quoted JSON string. Escapes only what JSON demands
 * (quote, backslash, control characters; never '/'), so a record holds no
 * raw newline. Each maximal ill-formed UTF-8 sequence becomes U+FFFD and
 * sets *repaired (never clears it). MP_INVALID at the buffer's limit,
 * MP_MEMORY. */
mp_err mp_json_string(mp_buf *out, const char *s, size_t len, bool *repaired);

#endif
