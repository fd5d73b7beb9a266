/* One transfer of libcurl's: a request on its way, and the reply to it.
 *
 * Thread: the one that sends, inside libcurl. */
#ifndef MP_TRANSFER_H
#define MP_TRANSFER_H

#include "core/wire/exchange.h"

#include <curl/curl.h>

enum {
    MP_SOCKETS = 64 /* of all transfers, and of connections that are kept */
};

/* The sockets that libcurl has open, so that a forked child can close them. */
typedef struct mp_sockets {
    int fds[MP_SOCKETS]; /* -1: none */
    bool drops;          /* what libcurl closes now drops what was not sent */
} mp_sockets;

void mp_sockets_init(mp_sockets *sockets);
void mp_sockets_close(mp_sockets *sockets);

/* All zero: there is no handle yet. */
typedef struct mp_transfer {
    CURL *easy;
    mp_sockets *sockets;
    struct curl_slist *headers;
    const mp_request *request; /* what the handle points into; NULL: idle */
    mp_buf body;               /* of the reply */
    char etag[MP_ETAG];        /* of the reply; "": none */
    char error[CURL_ERROR_SIZE];
    int no_socket; /* why the last socket was refused; 0: it was not */
} mp_transfer;

/* Makes the handle ready for a request, which stays the caller's until
 * mp_transfer_end. CURLOPT_PRIVATE is the transfer. False: out of memory, and
 * mp_transfer_end must follow, too. */
bool mp_transfer_begin(mp_transfer *t, const mp_request *request,
                       mp_sockets *sockets);

/* What came, once libcurl is done with it. The reply's body is the transfer's
 * until the next mp_transfer_begin. */
void mp_transfer_read(const mp_transfer *t, CURLcode result, mp_reply *reply);

/* Gives back all but the handle and the bytes of the reply. The handle must be
 * in no multi handle any more. */
void mp_transfer_end(mp_transfer *t);

void mp_transfer_free(mp_transfer *t);

#endif
