/* The form that records have on a message bus, but for their body: where they
 * go, and what is said of them. Nothing in it names a host, an address, or who
 * may connect. */
#ifndef MP_BUS_HEAD_H
#define MP_BUS_HEAD_H

#include "core/transport/bus_driver.h"
#include "core/wire/exchange.h"

enum {
    MP_BUS_HEADERS = 4,
    MP_BUS_PROJECT = 32,
    MP_BUS_SUBJECT = 64
};

typedef struct mp_bus_head {
    char subject[MP_BUS_SUBJECT];
    char count[16];
    mp_bus_header headers[MP_BUS_HEADERS]; /* they point into the head and the
                                            * request */
    size_t headers_count;
} mp_bus_head;

/* "mp.0123456789abcdef", of which the subjects of a project begin. A token may
 * hold dots and stars, which mean something in a subject; and who reads names
 * of subjects need not learn it. */
void mp_bus_project_subject(char out[MP_BUS_PROJECT], const char *token);

/* Of a request that carries records, or of a check. */
void mp_bus_head_make(mp_bus_head *head, const mp_request *request);

#endif
