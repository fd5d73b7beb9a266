/* What the two files of the project share and nobody else sees. */
#ifndef MP_PROJECT_STATE_H
#define MP_PROJECT_STATE_H

#include "gzip.h"
#include "project.h"
#include "trace.h"
#include "wait.h"

#include <stdatomic.h>

struct mp_project {
    mp_config config;
    atomic_int refs;
    atomic_bool geolocate, reject_invalid; /* copies out of `settings` */

    mp_wait wait; /* its lock guards the rest but for `gzip`; it changes
                   * when records ended */
    mp_settings *settings;
    mp_lane *lanes[MP_LANES];
    mp_stats stats;
    mp_reports *reports;
    uint64_t ticket;  /* of the last record accepted */
    int64_t looks_ms; /* when the carrier asks next without being woken */
    unsigned turn;    /* the lane that is asked first */

    /* Questions to /import: how many were asked, sent and answered, and the
     * last answer. */
    uint64_t asked, sent, heard;
    mp_answer heard_answer;

    mp_gzip *gzip; /* this and the trace are the carrier's */
    mp_trace trace;
    uint64_t flights; /* made so far */
};

#endif
