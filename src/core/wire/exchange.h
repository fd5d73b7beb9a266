/* What goes to an endpoint and what comes back, as plain data, whatever
 * carries it. */
#ifndef MP_EXCHANGE_H
#define MP_EXCHANGE_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/config/config.h"
#include "core/config/settings.h"
#include "core/record/endpoint.h"

#include <stdbool.h>
#include <stdint.h>

/* Records on their way: see request.h. All that it points to lives until its
 * reply was taken. */
typedef struct mp_request {
    const mp_endpoint *endpoint;
    const mp_config *config; /* whose records they are */
    mp_settings *settings;   /* a reference */
    mp_buf body;             /* a JSON array */
    size_t raw_bytes;        /* of the body before compression */
    bool gzip;               /* the body is compressed */
    bool no_resend; /* may apply twice if it is sent twice: a transport that
                     * repeats requests by itself must not repeat this one */
} mp_request;

/* A transport that is not HTTP gives the status that HTTP would have. */
typedef struct mp_reply {
    int status;             /* 0: no reply, see `failure` */
    bool sent;              /* without a reply: the request may have been
                             * received whole and acted on */
    int64_t retry_after_ms; /* of the Retry-After header; 0: none */
    const char *body;       /* may be NULL when len is 0; not terminated */
    size_t len;
    char failure[MP_MESSAGE]; /* why there is no reply, for people */
} mp_reply;

#endif
