/* The HTTP form of a request: where an endpoint is found and how it
 * authenticates (Mixpanel docs, ingestion API). For transports. */
#ifndef MP_POST_H
#define MP_POST_H

#include "core/wire/exchange.h"

enum {
    MP_HEADERS = 4
};

/* A POST but for its body, which is the request's. */
typedef struct mp_post {
    mp_buf url;                 /* NUL-terminated */
    mp_buf headers[MP_HEADERS]; /* each "Name: value", NUL-terminated; the
                                 * first empty one ends them */
} mp_post;

/* Fills an all-zero post. MP_MEMORY; free it in any case. */
mp_err mp_post_make(mp_post *post, const mp_request *request);
void mp_post_free(mp_post *post); /* what it holds */

#endif
