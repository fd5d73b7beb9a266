/* What the API said of the records of a request, read from status and body
 * (jansson). Knows the shapes of Mixpanel's replies and expects none: any
 * body may be HTML, cut short or empty. Of what came by a bus the status says
 * all. */
#ifndef MP_RESPONSE_H
#define MP_RESPONSE_H

#include "core/record/endpoint.h"
#include "core/wire/exchange.h"
#include "core/wire/retry.h"

/* A record that the reply names. */
typedef struct mp_failed {
    uint32_t index; /* in the request, from 0 */
    char field[64]; /* "properties.time"; "" when unnamed */
    char message[192];
} mp_failed;

typedef struct mp_response {
    mp_result result;
    bool foreign;     /* a reply that Mixpanel did not write */
    bool begun;       /* no reply, though some of the request left */
    int status;       /* 0: no reply */
    uint32_t missing; /* delivered, but so many fewer than were sent */
    mp_failed
        *failed; /* of MP_RESULT_PARTLY: by rising index, no index twice */
    uint32_t failed_count;
    char text[MP_MESSAGE]; /* why, in the API's words where it has any */
} mp_response;

/* Reads the endpoint's reply to a request of `count` records. MP_MEMORY leaves
 * a response that is safe to act on. */
mp_err mp_response_read(mp_response *response, const mp_reply *reply,
                        const mp_endpoint *endpoint, uint32_t count);

void mp_response_free(
    mp_response *response); /* what it holds, not the struct */

#endif
