/* The URL of option 'proxy'. It may hold a password, so nothing here writes
 * any part of it into a message. Thread: any. */
#ifndef MP_PROXY_H
#define MP_PROXY_H

#include "core/base/err.h"

/* A URL taken apart. All texts are owned. */
typedef struct mp_proxy {
    char *url;      /* without credentials */
    char *user;     /* decoded; NULL: none */
    char *password; /* decoded; NULL: none */
} mp_proxy;

/* SCHEME://[USER[:PASSWORD]@]HOST[:PORT] and nothing else. MP_INVALID with a
 * message, also when this build has no libcurl and hence no use for it;
 * MP_MEMORY. */
mp_err mp_proxy_check(const char *url, char message[MP_MESSAGE]);

/* The same, into an empty proxy, which is the caller's to free whatever the
 * result. */
mp_err mp_proxy_read(mp_proxy *proxy, const char *url,
                     char message[MP_MESSAGE]);
void mp_proxy_free(mp_proxy *proxy);

#endif
