/* Why a transfer of libcurl's brought no reply, in words. */
#ifndef MP_FAILURE_H
#define MP_FAILURE_H

#include "core/base/err.h"

#include <curl/curl.h>
#include <stdbool.h>

/* `error`: what libcurl wrote into the transfer's buffer, maybe nothing.
 * `by_proxy`: it went by way of option 'proxy'. `no_socket`: the errno value
 * with which its last socket was refused, or 0. */
void mp_failure_describe(CURL *easy, CURLcode result, const char *error,
                         bool by_proxy, int no_socket,
                         char message[MP_MESSAGE]);

/* True if nothing was sent, nor will be until people mend something: the proxy
 * wants other credentials, or a certificate does not verify. */
bool mp_failure_needs_people(CURL *easy, CURLcode result);

#endif
