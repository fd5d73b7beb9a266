/* Forms as browsers and SDKs post them, or put them behind a ? in a URL:
 * name=value&name=value, percent-encoded. */
#ifndef MP_FORM_DATA_H
#define MP_FORM_DATA_H

#include "core/base/buf.h"
#include "core/base/reader.h"

/* The first value of a name, as it is written; false: there is none. */
bool mp_form_data_find(const char *form, size_t len, const char *name,
                       mp_span *value);

/* Appends what the value stands for; + is a space. A % that begins no byte
 * stands for itself. MP_MEMORY. */
mp_err mp_form_data_decode(mp_buf *out, const char *value, size_t len);

#endif
