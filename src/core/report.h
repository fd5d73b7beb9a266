/* The accounting of records: counters that always balance.
 *
 * accepted = delivered + rejected + dropped + queued + in_flight */
#ifndef MP_REPORT_H
#define MP_REPORT_H

#include "err.h"

#include <stdint.h>

typedef struct mp_stats {
    uint64_t accepted;
    uint64_t delivered;
    uint64_t rejected;        /* refused by the API, each for good */
    uint64_t dropped_expired; /* too old for every endpoint of the host */
    uint64_t queued;          /* in segments, not in a request */
    uint64_t in_flight;       /* in a request without a reply */
    uint64_t refused_full;    /* calls refused with queue_full */
    uint64_t retried;         /* records sent once more */
    uint64_t ambiguous;       /* batches that may have been applied already */
    uint64_t repaired;        /* values replaced, tokens left out */
    uint64_t requests;
    uint64_t bytes_raw;          /* of request bodies before gzip */
    uint64_t bytes_sent;         /* of request bodies as sent */
    uint64_t queue_bytes;        /* in open, sealed and in-flight segments */
    int64_t oldest_ms;           /* age of the oldest record without outcome */
    char last_error[MP_MESSAGE]; /* "" when none */
} mp_stats;

#endif
