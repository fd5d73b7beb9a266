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
#include <stddef.h>
#include <stdint.h>

enum {
    MP_ETAG =
        512, /* bytes of an entity tag, NUL included; no longer one is used */
    MP_MESSAGE_ID = 96
};

/* What is asked for where no records go: a GET, in the words of HTTP. */
typedef struct mp_fetch {
    const char *path;
    const char *context; /* JSON that goes along; NULL: none */
    const char *etag;    /* of what is there already; NULL: nothing is */
    size_t most;         /* bytes of a reply; what comes behind is cut off */
    int64_t timeout_ms;  /* if that is less than the request_timeout; 0: no
                          * other */
} mp_fetch;

/* Records on their way, or a fetch: see request.h. All that it points to lives
 * until its reply was taken. */
typedef struct mp_request {
    const mp_endpoint *endpoint; /* NULL: it is a fetch */
    const mp_fetch *fetch;       /* NULL: it carries records */
    const mp_config *config;     /* whose it is */
    mp_settings *settings;       /* a reference */
    mp_buf body;                 /* a JSON array; of a fetch empty */
    size_t raw_bytes;            /* of the body before compression */
    bool gzip;                   /* the body is compressed */
    bool no_resend; /* may apply twice if it is sent twice: a transport that
                     * repeats requests by itself must not repeat this one */
    /* Of what goes over a bus: */
    bool probe; /* a check: see bus_driver.h */
    uint32_t records;
    char message_id[MP_MESSAGE_ID]; /* see core/project/project_bus.c */
} mp_request;

/* A transport that is not HTTP gives the status that HTTP would have. */
typedef struct mp_reply {
    int status;             /* 0: no reply, see `failure` */
    bool by_bus;            /* a driver of a bus gave the status, which means
                             * what bus_driver.h says, and `failure` why */
    bool sent;              /* without a reply: the request may have been
                             * received whole and acted on */
    bool begun;             /* without a reply: some of the request left */
    bool misconfigured;     /* without a reply: nothing left, nor will before
                             * people mend what `failure` names */
    int64_t retry_after_ms; /* of the Retry-After header; 0: none */
    const char *body;       /* may be NULL when len is 0; not terminated */
    size_t len;
    const char *etag;         /* of a fetch: its entity tag; NULL: none */
    char failure[MP_MESSAGE]; /* why there is no reply, for people */
} mp_reply;

#endif
