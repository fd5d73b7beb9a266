/* What the files of the lane share and nobody else sees. */
#ifndef MP_LANE_STATE_H
#define MP_LANE_STATE_H

#include "core/lane/lane.h"
#include "core/os/rng.h"

/* DESIGN
 *
 * A batch is always in exactly one place: `sent` while its request is under
 * way; `ready`, by rising sequence number, while it waits for its turn, so that
 * what comes back takes its old place; `deferred` when it would hold up the
 * others. Records that no batch holds yet are in the queue.
 *
 * Back-off belongs to the lane: after a failure one probe goes out, and only
 * its success opens the lane again. */

enum {
    MP_LANE_NO_MEMORY_MS = 1000
}; /* pause before trying again */

struct mp_lane {
    const mp_endpoint *endpoint;
    bool custom_host;
    bool trusted; /* its endpoint took or judged records before */
    bool filled;  /* a segment ran full and the spares it took were not
                   * replaced yet */
    bool waits;   /* see mp_lane_waits */
    mp_stats *stats;
    mp_rng rng;
    mp_queue queue;
    mp_batch *ready, *deferred, *sent;
    uint32_t in_flight;
    uint32_t failures;   /* in a row */
    uint32_t unreadable; /* in a row */
    int64_t failed_ms;   /* when the last failure came in */
    int64_t resume_ms;   /* nothing is sent before */
    size_t limit_bytes;  /* what a 413 taught; SIZE_MAX: nothing yet */
    int64_t limit_ms;    /* when it is forgotten */
    bool reported_pause; /* since the last success */
    uint64_t unreported_drops;
    int64_t reported_drops_ms; /* INT64_MIN: never */
    mp_reports *reports;       /* NULL: nobody wants to know */
    uint64_t flush_up_to; /* sequence numbers up to this one do not linger */
    mp_segment *garbage;

    /* On disk. What is being read or written counts as the lane's still. */
    bool on_disk;
    bool used;                /* a record came */
    bool wants_disk;          /* see mp_lane_wanted */
    mp_buf *rejected;         /* NULL: nobody keeps them */
    mp_batch_file *file;      /* by rising sequence number */
    mp_batch_file *last_file; /* of that list */
    mp_batch_file *reading;
    mp_segment *writing;
    uint64_t adopted; /* records so far */
};

/* By rising sequence number. */
void mp_lane_insert(mp_batch **list, mp_batch *batch);
void mp_lane_take_out(mp_batch **list, mp_batch *batch);

/* True if a batch on disk comes before all that memory holds; true if one may
 * be read since memory holds nothing that may travel. */
bool mp_lane_disk_first(const mp_lane *lane);
bool mp_lane_disk_next(const mp_lane *lane);

/* True if the last request of the batch went where old events go, and not to
 * the lane's own endpoint. */
bool mp_lane_is_detour(const mp_lane *lane, const mp_batch *batch);

/* How many records fill a batch of this lane. */
uint32_t mp_lane_batch_limit(const mp_lane *lane, const mp_settings *settings);

/* Nothing is sent before `until_ms`; never shortens a backoff. */
void mp_lane_back_off(mp_lane *lane, int64_t until_ms);

/* Every record of the batch, which is queued and in no list, ends here and
 * is counted in *counter. */
void mp_lane_finish(mp_lane *lane, mp_batch *batch, uint64_t *counter);

/* What is worth a report of the records of a batch. */
typedef struct mp_notice {
    mp_report_outcome outcome;
    int status; /* of HTTP; 0: no reply */
    bool uncertain;
    const char *message; /* NULL: none */
} mp_notice;

void mp_lane_report(mp_lane *lane, const mp_batch *batch,
                    const mp_notice *notice);

/* The same, and every record ends: see mp_lane_finish. */
void mp_lane_end(mp_lane *lane, mp_batch *batch, uint64_t *counter,
                 const mp_notice *notice);

/* Tells of records that are not in memory. */
void mp_lane_report_count(mp_lane *lane, mp_report_outcome outcome,
                          uint64_t count, const char *message);

/* Tells why the lane backs off: once, until a request succeeds again. `batch`
 * may be NULL. */
void mp_lane_report_pause(mp_lane *lane, const mp_batch *batch, int status,
                          const char *message);

/* Tells of `count` records that were taken, and whether Mixpanel counted
 * fewer. */
void mp_lane_report_delivered(mp_lane *lane, const mp_batch *batch,
                              uint64_t count, const mp_response *response);

/* Tells of the records that the answer names. */
void mp_lane_report_failed(mp_lane *lane, const mp_batch *batch,
                           const mp_response *response);

/* Tells of `count` records that made room: at once the first time, then once
 * a minute at most, of all that came together. */
void mp_lane_report_dropped(mp_lane *lane, uint64_t count, int64_t now_ms);

#endif
