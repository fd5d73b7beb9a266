#include "core/transport/transport_manual.h"

#include <stdlib.h>

static void free_handout(mp_handout *handout) {
    mp_http_head_free(&handout->head);
    free(handout);
}

const mp_handout *mp_transport_manual_submit(mp_transport_manual *transport,
                                             const mp_request *request,
                                             uint64_t number, void *tag) {
    mp_handout *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return NULL;
    if (mp_http_head_make(&fresh->head, request) != MP_OK) {
        free_handout(fresh);
        return NULL;
    }
    fresh->number = number;
    fresh->request = request;
    fresh->tag = tag;
    fresh->lent = true;
    fresh->next = transport->list;
    transport->list = fresh;
    return fresh;
}

/* Points at NULL when there is none. */
static mp_handout **find(mp_transport_manual *transport, uint64_t number) {
    mp_handout **at = &transport->list;
    while (*at && (*at)->number != number)
        at = &(*at)->next;
    return at;
}

void mp_transport_manual_release(mp_transport_manual *transport,
                                 uint64_t number) {
    mp_handout **at = find(transport, number);
    if (*at)
        (*at)->lent = false;
}

static void *take_out(mp_handout **at) {
    mp_handout *handout = *at;
    void *tag = handout->tag;
    *at = handout->next;
    free_handout(handout);
    return tag;
}

void *mp_transport_manual_take(mp_transport_manual *transport,
                               uint64_t number) {
    mp_handout **at = find(transport, number);
    return *at && !(*at)->lent ? take_out(at) : NULL;
}

void *mp_transport_manual_abort(mp_transport_manual *transport) {
    return transport->list ? take_out(&transport->list) : NULL;
}
