/* The transport of a project whose host carries the requests: each goes out
 * under a number, and its reply comes back under it. Locks: the caller
 * serialises every use, by the project's `sending`. */
#ifndef MP_TRANSPORT_MANUAL_H
#define MP_TRANSPORT_MANUAL_H

#include "core/wire/http_head.h"

/* A request in the hands of the host, who reads it. */
typedef struct mp_handout mp_handout;
struct mp_handout {
    mp_handout *next;
    uint64_t number; /* from 1, below 2^53: Lua has doubles */
    const mp_request *request;
    mp_http_head head;
    void *tag;
    bool lent; /* still being read: no reply to it is taken */
};

/* All zero: nothing is out. */
typedef struct mp_transport_manual {
    mp_handout *list;
} mp_transport_manual;

/* Hands a request out, lent; it lives until its tag was taken. NULL: out of
 * memory. */
const mp_handout *mp_transport_manual_submit(mp_transport_manual *transport,
                                             const mp_request *request,
                                             uint64_t number, void *tag);

/* It was read. */
void mp_transport_manual_release(mp_transport_manual *transport,
                                 uint64_t number);

/* A reply to it came: its tag. NULL: none of this number waits for a reply. */
void *mp_transport_manual_take(mp_transport_manual *transport, uint64_t number);

/* Breaks off one that is out, and returns its tag. NULL: none is. */
void *mp_transport_manual_abort(mp_transport_manual *transport);

#endif
