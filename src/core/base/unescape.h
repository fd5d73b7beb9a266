/* What the text of a JSON string means, as bytes. */
#ifndef MP_UNESCAPE_H
#define MP_UNESCAPE_H

#include "core/base/buf.h"

#include <stdbool.h>

/* Appends what stands between the quotes of a string that mp_reader_string
 * read. Two surrogates, escaped or as three bytes each, become the one
 * character they stand for: the browser SDK's base64 writes characters beyond
 * U+FFFF so. A surrogate alone becomes U+FFFD and sets *repaired (never clears
 * it); other ill-formed UTF-8 stays as it is. MP_MEMORY. */
mp_err mp_unescape(mp_buf *out, const char *raw, size_t len, bool *repaired);

#endif
