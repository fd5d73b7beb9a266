/* From a batch to the POST that carries it: URL, headers, body. Knows where
 * each endpoint lives and how it authenticates; sends nothing. */
#ifndef MP_REQUEST_H
#define MP_REQUEST_H

#include "core/base/gzip.h"
#include "core/config/config.h"
#include "core/lane/lane.h"
#include "core/wire/exchange.h"

/* Fills an all-zero request. `gzip` may be NULL: the body goes as it is,
 * which /engage and /groups demand anyway. MP_MEMORY; free it in any case. */
mp_err mp_request_make(mp_request *request, const mp_batch *batch,
                       mp_lane_id lane, const mp_config *config,
                       const mp_settings *settings, mp_gzip *gzip);

/* Fills an all-zero request with a check to /import: a record that cannot
 * be accepted, so that the reply speaks of host and credentials alone. */
mp_err mp_request_check(mp_request *request, const mp_config *config);

void mp_request_free(mp_request *request); /* what it holds */

/* True if the reply to this batch may name single records: /import. */
bool mp_request_names_records(mp_lane_id lane, const mp_batch *batch);

#endif
