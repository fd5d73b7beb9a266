/* A message that came, with its headers read. */
#ifndef MP_NATS_CONTENT_H
#define MP_NATS_CONTENT_H

#include "core/transport/bus_driver.h"

#include <nats/nats.h>

typedef struct mp_nats_content {
    natsMsg *msg; /* NULL: there is none */
    mp_bus_header
        *headers; /* texts of the message; of a name, its last value */
    size_t headers_count;
    bool damaged; /* they cannot be read, and there are none */
} mp_nats_content;

/* Takes the message. False: memory ran out, and it is destroyed.
 *
 * libnats 3.4 takes an empty value for the start of the next header, or for
 * damage; whoever may publish could send one. */
bool mp_nats_content_read(mp_nats_content *content, natsMsg *msg);

void mp_nats_content_free(mp_nats_content *content);

/* NULL: it has none of this name. */
const char *mp_nats_content_header(const mp_nats_content *content,
                                   const char *name);

#endif
