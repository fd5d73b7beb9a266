/* From a batch, or from what is to be fetched, to the request. Sends
 * nothing. */
#ifndef MP_REQUEST_H
#define MP_REQUEST_H

#include "core/base/gzip.h"
#include "core/record/batch.h"
#include "core/wire/exchange.h"

/* Fills an all-zero request to the batch's endpoint. `gzip` may be NULL: the
 * body goes as it is, which some endpoints demand anyway; but not over a bus.
 * MP_MEMORY; free it in any case. */
mp_err mp_request_make(mp_request *request, const mp_batch *batch,
                       const mp_config *config, mp_settings *settings,
                       mp_gzip *gzip);

/* Fills an all-zero request with a check to /import: a record that cannot
 * be accepted, so that the reply speaks of host and credentials alone. Over a
 * bus it is a probe of where events go. */
mp_err mp_request_check(mp_request *request, const mp_config *config,
                        mp_settings *settings);

/* Fills an all-zero request with a fetch, which lives as long as it does. */
void mp_request_fetch(mp_request *request, const mp_fetch *fetch,
                      const mp_config *config, mp_settings *settings);

void mp_request_free(mp_request *request); /* what it holds */

#endif
