/* Base64 as Mixpanel's SDKs write it in forms (RFC 4648, section 4). */
#ifndef MP_BASE64_H
#define MP_BASE64_H

#include "core/base/buf.h"

/* Appends what the text stands for. It must be padded, as Mixpanel asks, so
 * that a text that was cut is found out three times of four. Line ends are
 * skipped; a space stands for the + that it was before somebody decoded the
 * form once too often. MP_INVALID: it is no such text; MP_MEMORY. */
mp_err mp_base64_decode(mp_buf *out, const char *text, size_t len);

#endif
