/* The HTTP form of a request: where an endpoint is found and how it
 * authenticates (Mixpanel docs, ingestion API; of feature flags, its SDKs for
 * servers). For transports. */
#ifndef MP_HTTP_HEAD_H
#define MP_HTTP_HEAD_H

#include "core/wire/exchange.h"

enum {
    MP_HEADERS = 4
};

/* All but the body, which is the request's. */
typedef struct mp_http_head {
    const char *method;         /* "POST" or "GET"; static */
    mp_buf url;                 /* NUL-terminated */
    mp_buf headers[MP_HEADERS]; /* each "Name: value", NUL-terminated; the
                                 * first empty one ends them */
} mp_http_head;

/* Fills an all-zero head. MP_MEMORY; free it in any case. */
mp_err mp_http_head_make(mp_http_head *head, const mp_request *request);
void mp_http_head_free(mp_http_head *head); /* what it holds */

#endif
