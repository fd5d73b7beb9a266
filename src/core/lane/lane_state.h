/* What the files of the lane share and nobody else sees. */
#ifndef MP_LANE_STATE_H
#define MP_LANE_STATE_H

#include "core/lane/fate.h"
#include "core/lane/key_index.h"
#include "core/lane/lane.h"
#include "core/lane/route.h"
#include "core/os/rng.h"

/* DESIGN
 *
 * A batch is always in exactly one place: `sent` while its request is under
 * way; `ready`, by rising sequence number, while it waits for its turn, so that
 * what comes back takes its old place; `deferred` when it would hold up the
 * others. Records that no batch holds yet are in the queue.
 *
 * Back-off belongs to the route: after a failure one probe goes out, and only
 * its success opens the route again. What must wait for one route stays in
 * `ready`, and what takes the other passes it by. */

enum {
    MP_LANE_NO_MEMORY_MS = 1000
}; /* pause before trying again */

struct mp_lane {
    const mp_endpoint *endpoint;
    mp_host_kind host;
    uint32_t batch_limit;  /* the endpoint's; a bus takes whole segments */
    mp_route own, detour;  /* detour: of older events; without endpoint if they
                            * go nowhere else */
    uint32_t most_records; /* in a request, whatever else limits it */
    size_t most_bytes;     /* the same, unless it is a single record */
    bool filled;           /* a segment ran full and the spares it took were not
                            * replaced yet */
    bool waits;            /* see mp_lane_waits */
    mp_stats *stats;
    mp_rng rng;
    mp_queue queue;
    mp_batch *ready, *deferred, *sent;
    bool moves; /* some in `deferred` may hold more than their own records */
    /* On a lane with order, see lane_send.c: */
    mp_key_index keys;  /* of `ready` and `deferred` */
    uint64_t releases;  /* from 1: how often one may have ceased to wait */
    uint64_t look_from; /* where in `ready` to look first */
    bool looks_on;      /* not all was looked at */
    bool fresh_next;    /* it is the turn of what is in the queue */
    uint32_t in_flight; /* of both routes */
    int64_t resume_ms;  /* nothing is sent before: memory or the disk failed */
    int64_t blocked_ms; /* all that waits, waits for routes until then, as the
                         * last mp_lane_next found; INT64_MIN: not so */
    uint64_t unreported_drops;
    int64_t reported_drops_ms; /* INT64_MIN: never */
    mp_reports *reports;       /* NULL: nobody wants to know */
    uint64_t flush_up_to; /* sequence numbers up to this one do not linger */
    mp_segment *garbage;

    /* On disk. What is being read or written counts as the lane's still. */
    bool on_disk;
    bool used;        /* a record came */
    bool wants_disk;  /* see mp_lane_wanted */
    mp_buf *rejected; /* NULL: nobody keeps them */
    mp_tree files;    /* by sequence number */
    mp_tree later;    /* those that could not be read: by when to try again */
    mp_tree by_age;   /* all of both, but for: */
    mp_tree adopted_by_age; /* those in adopted runs */
    mp_batch_file *reading; /* a list, as mp_place's `sealed` */
    mp_segment *writing;
    uint64_t adopted; /* records so far */
};

/* The first batch on disk, by sequence number; NULL: there is none. */
mp_batch_file *mp_lane_first_file(const mp_lane *lane);

/* Has what could not be read take its place again where that is due. *next_ms:
 * when to come next; INT64_MAX: nothing waits for that. */
void mp_lane_bring_back(mp_lane *lane, int64_t now_ms, int64_t *next_ms);

/* By rising sequence number: into `ready` or `deferred`, and out of there. */
void mp_lane_insert(mp_lane *lane, mp_batch **list, mp_batch *batch);
void mp_lane_take_out(mp_lane *lane, mp_batch **list, mp_batch *batch);

/* The same for any list. */
void mp_lane_link(mp_batch **list, mp_batch *batch);
void mp_lane_unlink(mp_batch **list, mp_batch *batch);

/* True if a batch on disk comes before all that memory holds; true if one may
 * be read since memory holds nothing that may travel. */
bool mp_lane_disk_first(const mp_lane *lane);
bool mp_lane_disk_next(const mp_lane *lane);

/* The lane owns it no longer: it is in none of the trees. */
void mp_lane_take_file(mp_lane *lane, mp_batch_file *file);
/* The opposite. */
void mp_lane_keep_file(mp_lane *lane, mp_batch_file *file);

/* How many records the files of a list have. */
uint32_t mp_lane_count_files(const mp_batch_file *list);

/* True for what was read from several files and is whole. It is sent and ends
 * as a whole, or each of its files by itself: what is the matter with one must
 * not be the others', nor keep their files. */
bool mp_lane_is_gathered(const mp_batch *batch);

/* Puts such a batch, which is queued and in no list, back on the disk; each of
 * its files travels by itself then. */
void mp_lane_scatter(mp_lane *lane, mp_batch *batch);

/* True if some on disk, which nobody read yet, may come before that record. */
bool mp_lane_is_disk_before(const mp_lane *lane, uint64_t seq);

/* The route that the last request of the batch took. */
mp_route *mp_lane_route(mp_lane *lane, const mp_batch *batch);

/* Has a batch that may stay for days hold no more than its own records, unless
 * memory is short or its file is still needed for others. */
void mp_lane_move(mp_lane *lane, mp_batch *batch);

/* How many records fill a batch of this lane. */
uint32_t mp_lane_batch_limit(const mp_lane *lane, const mp_settings *settings);

/* What one request on this route may have; a single record always may. */
uint32_t mp_lane_most_records(const mp_lane *lane, const mp_settings *settings);
size_t mp_lane_most_bytes(const mp_lane *lane, const mp_route *route,
                          int64_t now_ms);

/* Nothing is sent on any route before `until_ms`; never shortens that. */
void mp_lane_back_off(mp_lane *lane, int64_t until_ms);

/* True if the event is too old for the lane's own endpoint. */
bool mp_lane_is_old(const mp_lane *lane, const mp_entry *entry, int64_t now_ms);

/* The route that a record would take now. */
mp_route *mp_lane_route_for(mp_lane *lane, const mp_entry *entry,
                            int64_t now_ms);

/* Ends what is too old of the batches in the list: by max_age, and events of a
 * lane that sends older ones nowhere else. Out of memory the lane backs off. */
void mp_lane_drop_aged(mp_lane *lane, const mp_settings *settings,
                       mp_batch **list, int64_t now_ms);

/* ---- records that wait behind others ---- */

/* A record that was refused alone waits until `resume_ms`, and a report names
 * it once. */
void mp_lane_defer_alone(mp_lane *lane, mp_route *route, mp_batch *batch,
                         const mp_response *response, int64_t now_ms,
                         int64_t resume_ms);

/* The batch waits, with what came with it and takes the same route: the next
 * probe must be of others. */
void mp_lane_defer_all(mp_lane *lane, const mp_route *route, mp_batch *batch,
                       int64_t now_ms, int64_t resume_ms);

/* Of a record that would be deferred: true if it was for max_stuck, while
 * others were taken. */
bool mp_lane_gives_up(const mp_route *route, const mp_settings *settings,
                      mp_batch *batch, int64_t now_ms);

/* ---- searches for records at fault ---- */

/* True if its bisection spent its requests: the batch is not sent, but waits
 * for the next to conclude it. */
bool mp_lane_is_exhausted(const mp_batch *batch);
void mp_lane_conclude_bisections(mp_lane *lane, const mp_settings *settings,
                                 int64_t now_ms);

/* ---- the end of records ---- */

/* Every record of the batch ends here: it is counted and reported. `status`
 * and `text`: see mp_fate_report. The batch is queued and in no list, and is
 * freed. */
void mp_lane_end(mp_lane *lane, mp_batch *batch, mp_fate fate, int status,
                 const char *text);

/* The same for records that were delivered: all but those that the response
 * names, which are rejected. */
void mp_lane_end_delivered(mp_lane *lane, mp_batch *batch,
                           const mp_response *response);

/* The same for `n` records that are not in memory. */
void mp_lane_end_unread(mp_lane *lane, mp_fate fate, uint32_t n);

/* Frees a queued batch whose records were counted and reported. */
void mp_lane_forget(mp_lane *lane, mp_batch *batch);

/* Counts `n` records that made room, and reports them: at once the first time,
 * then once a minute at most, all that came together. `n` may be 0. */
void mp_lane_count_overflow(mp_lane *lane, uint64_t n, int64_t now_ms);

/* ---- reports of records that go on ---- */

/* `batch` may be NULL: the lane as a whole. */
void mp_lane_report(mp_lane *lane, const mp_batch *batch,
                    mp_report_outcome outcome, int status, const char *text);

/* Counts and reports that the records may have been applied already. */
void mp_lane_report_ambiguous(mp_lane *lane, const mp_batch *batch, int status,
                              const char *text);

/* Reports why a route backs off: once, until a request succeeds on it. */
void mp_lane_report_pause(mp_lane *lane, mp_route *route, const mp_batch *batch,
                          int status, const char *text);

#endif
