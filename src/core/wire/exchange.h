/* A request and its reply as plain data, for whichever transport carries
 * them. */
#ifndef MP_EXCHANGE_H
#define MP_EXCHANGE_H

#include "core/base/buf.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MP_HEADERS = 4
};

/* A POST. Everything it points to lives until its reply was taken. */
typedef struct mp_request {
    mp_buf url;                 /* NUL-terminated */
    mp_buf headers[MP_HEADERS]; /* each "Name: value", NUL-terminated; the
                                 * first empty one ends them */
    mp_buf body;
    size_t raw_bytes; /* of the body before compression */
    bool no_resend;   /* may apply twice if it is sent twice: a transport that
                       * repeats requests by itself must not repeat this one */
} mp_request;

typedef struct mp_reply {
    int status;             /* 0: no HTTP reply, see `failure` */
    bool sent;              /* without a reply: the request may have been
                             * received whole and acted on */
    int64_t retry_after_ms; /* of the Retry-After header; 0: none */
    const char *body;       /* may be NULL when len is 0; not terminated */
    size_t len;
    char failure[MP_MESSAGE]; /* why there is no reply, for people */
} mp_reply;

#endif
