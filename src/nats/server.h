/* Where a server is, out of its URL. */
#ifndef MP_NATS_SERVER_H
#define MP_NATS_SERVER_H

#include "core/transport/bus_driver.h"

#include <stdbool.h>

enum {
    MP_NATS_HOST = 256, /* the longest name has 253 bytes */
    MP_NATS_URL = MP_NATS_HOST + 32,
    MP_NATS_SHOWN = 64 /* bytes of a value that a text shows, with the NUL */
};

typedef struct mp_nats_server {
    char host[MP_NATS_HOST]; /* an IPv6 address without its brackets */
    char url[MP_NATS_URL];   /* for libnats; it may be shown */
    bool secure;             /* TLS is a must */
    bool numeric;            /* the host is an address, and no name */
} mp_nats_server;

/* NULL: it was read. Else what is wrong with it: it is no URL of nats:// or
 * tls://, or has more than host and port. */
const char *mp_nats_server_read(mp_nats_server *server, const char *url);

/* Writes that fault of the URL of this number, in the option `servers` of a
 * table: "bus.", or "" where it has no name. A user is not shown. */
void mp_nats_server_explain(char text[MP_BUS_TEXT], const char *table,
                            size_t number, const char *url, const char *fault);

/* Writes a value for people: on one line, cut short. */
const char *mp_nats_show(const char *value, char shown[MP_NATS_SHOWN]);

#endif
