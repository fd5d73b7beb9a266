/* Where a server is, out of its URL. */
#ifndef MP_NATS_SERVER_H
#define MP_NATS_SERVER_H

#include <stdbool.h>

enum {
    MP_NATS_HOST = 256, /* the longest name has 253 bytes */
    MP_NATS_URL = MP_NATS_HOST + 32
};

typedef struct mp_nats_server {
    char host[MP_NATS_HOST]; /* an IPv6 address without its brackets */
    char url[MP_NATS_URL];   /* for libnats; it may be shown */
    bool secure;             /* TLS is a must */
} mp_nats_server;

/* False: it is no URL of nats:// or tls://, or has more than host and port. */
bool mp_nats_server_read(mp_nats_server *server, const char *url);

#endif
