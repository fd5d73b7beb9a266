/* What the files of the project share and nobody else sees. */
#ifndef MP_PROJECT_STATE_H
#define MP_PROJECT_STATE_H

#include "gzip.h"
#include "project.h"
#include "saves.h"
#include "trace.h"
#include "wait.h"

#include <stdatomic.h>

/* A request under way. The request comes first: its address is the
 * flight's. */
typedef struct mp_flight {
    mp_request request;
    struct mp_flight *next; /* of those handed out */
    uint64_t number;
    bool lent; /* handed out, and still being read */
    mp_lane_id lane;
    mp_batch *batch;   /* NULL: a question */
    uint64_t question; /* the number up to which questions are answered */
} mp_flight;

struct mp_project {
    mp_config config;
    atomic_int refs;
    atomic_bool geolocate, reject_invalid; /* copies out of `settings` */

    mp_wait wait; /* its lock guards the rest, but for what belongs to the
                   * carrier; it changes when records ended */
    mp_settings *settings;
    mp_lane *lanes[MP_LANES];
    mp_stats stats;
    mp_reports *reports;
    mp_saves saves;
    uint64_t ticket;  /* of the last record accepted */
    int64_t looks_ms; /* when the carrier asks next without being woken */
    unsigned turn;    /* the lane that is asked first */

    /* Questions to /import: how many were asked, sent and answered, and the
     * last answer. */
    uint64_t asked, sent, heard;
    mp_answer heard_answer;

    /* What belongs to the carrier: the worker or, with the manual transport,
     * whoever holds `carrying`, which is taken before the lock above. */
    mp_gzip *gzip;
    mp_trace trace;
    uint64_t flights; /* made so far */
    pthread_mutex_t carrying;
    mp_flight *handed_out; /* of the manual transport, without a reply */
};

/* The lock of `wait`. */
void mp_project_lock(mp_project *project);
void mp_project_unlock(mp_project *project);

void mp_flight_free(mp_flight *flight);

#endif
