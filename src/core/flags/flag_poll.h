/* When the definitions of a project are asked for: at once, then at an
 * interval, later after failures. Without thread, network or clock; the caller
 * locks. Times are of mp_clock_mono_ms. */
#ifndef MP_FLAG_POLL_H
#define MP_FLAG_POLL_H

#include "core/os/rng.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mp_flag_poll {
    bool wanted;  /* the definitions are to be kept up to date */
    bool refresh; /* they are asked for at once, whoever else does */
    bool under_way;
    int64_t interval_ms;
    int64_t due_ms;
    uint32_t failures; /* in a row */
    mp_rng rng;        /* of the jitter */
} mp_flag_poll;

/* When to ask; INT64_MAX: not before something changes. */
int64_t mp_flag_poll_due(const mp_flag_poll *poll);

/* Asks anew an interval later, give or take a tenth, so that processes that
 * were started together do not stay together. */
void mp_flag_poll_rest(mp_flag_poll *poll, int64_t now_ms);

/* An answer came. */
void mp_flag_poll_succeed(mp_flag_poll *poll, int64_t now_ms);

/* None came, or one of no use: waits 1 s, then twice as long each time, up to
 * a minute or the interval if that is longer; but not less than the server
 * asked for (0: nothing), of which an hour is believed. */
void mp_flag_poll_fail(mp_flag_poll *poll, int64_t retry_after_ms,
                       int64_t now_ms);

#endif
