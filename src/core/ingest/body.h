/* What the body of a request to Mixpanel holds: JSON in one of the forms that
 * SDKs post it in (JSON itself, a form with JSON or base64 in `data`, either of
 * them gzipped whole). Which form it is the bytes tell, since the content type
 * does not: browsers send beacons as text/plain. Knows nothing of records. */
#ifndef MP_BODY_H
#define MP_BODY_H

#include "core/base/buf.h"
#include "core/base/reader.h"

/* All zero: empty. */
typedef struct mp_body {
    const char *json;   /* in the bytes that were given, or in a buffer below */
    size_t len;         /* of the JSON */
    mp_span form;       /* when it is one, with its other parameters */
    const char *reason; /* why there is no JSON; a static text */
    mp_buf inflated, value, decoded;
} mp_body;

/* Reads a body. `gzip`: it is compressed. MP_TOO_LARGE: it has more than `most`
 * bytes, inflated; MP_INVALID. Both with a reason; MP_MEMORY. The bytes outlive
 * the use of what was read. */
mp_err mp_body_read(mp_body *body, const char *bytes, size_t len, bool gzip,
                    size_t most);

/* Inflates what is JSON and nothing else. The same errors. */
mp_err mp_body_inflate(mp_body *body, const char *bytes, size_t len,
                       size_t most);
void mp_body_free(mp_body *body);

/* A parameter of the form: its first byte, '\0' when there is none. Enough to
 * tell 0 from 1. */
char mp_body_flag(const mp_body *body, const char *name);

#endif
