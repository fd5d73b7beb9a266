/* What the files of this folder share; no other folder includes it. */
#ifndef MP_PROJECT_STATE_H
#define MP_PROJECT_STATE_H

#include "core/base/ring.h"
#include "core/base/table.h"
#include "core/base/tree.h"
#include "core/flags/flags.h"
#include "core/os/wait.h"
#include "core/project/budget.h"
#include "core/project/hosts.h"
#include "core/project/project.h"
#include "core/project/saves.h"
#include "core/spool/spool.h"
#include "core/transport/trace.h"
#include "core/transport/transport_manual.h"

#include <stdatomic.h>

/* The sequence number before the first of a project with a spool: lower ones
 * are for adopted records that go before it. */
#define MP_PROJECT_BASE (UINT64_C(1) << 40)

/* A report that was made: see project_disk.c. */
typedef struct mp_reported {
    uint64_t hash; /* of its message */
    int64_t ms;
} mp_reported;

/* Records evicted in one way, and not reported yet. */
typedef struct mp_evictions {
    uint64_t unreported;
    int64_t reported_ms; /* when some were; 0: never */
} mp_evictions;

enum {
    MP_REPORTED = 16,
    MP_PROJECT_REJECTED = 1024 * 1024 /* bytes of lines kept for a file */
};

/* Bytes of a segment that a call must write to its file. */
typedef struct mp_write {
    mp_segment *segment; /* a reference */
    size_t from, to;
} mp_write;

/* A request under way. The request comes first: its address is the
 * flight's. */
typedef struct mp_flight {
    mp_request request;
    uint64_t number; /* counts the project's flights from 1 */
    bool first;      /* see mp_project_before_request */
    mp_role role;    /* who made it, and takes its reply */
    mp_lane_id lane;
    mp_batch *batch; /* NULL: a check, or a fetch */
    uint64_t check;  /* the number up to which check are answered */
} mp_flight;

/* Its place among those that have something for a thread to do. Locks: of the
 * turns, see turns.c. */
typedef struct mp_turn {
    mp_project *project; /* whose it is, once it is in any of these */
    mp_ring marked, waiting, busy;
    mp_node due;
    bool is_due;
    bool stays; /* among the busy, as others are counted from its place */
    bool over;  /* it was closed */
} mp_turn;

/* Its place among all there are. Locks: of the list, see projects.c. */
typedef struct mp_listed {
    mp_link key;
    mp_ring on_disk;
    bool in;
    uint64_t number; /* rises with each */
} mp_listed;

struct mp_project {
    mp_config config;
    atomic_int refs;
    atomic_uint forks; /* when it was made or renewed: see project_fork.c */
    int holders;       /* clients. Locks: of the list */
    mp_listed listed;
    mp_turn turns[MP_THREADS];
    _Atomic(mp_host *) host; /* NULL: not known yet */
    mp_ring at_forks;        /* among those that every fork holds */
    bool held; /* by a fork, which this process may be the child of */
    /* copies out of `settings` */
    atomic_bool geolocate, profile_time, reject_invalid, traced;
    atomic_size_t max_queue_bytes;
    atomic_llong permitted_ms; /* see mp_project_permit */
    _Atomic(mp_flags *) flags; /* NULL: no client ever wanted them */

    mp_wait wait; /* its lock guards the rest, but for what belongs to the
                   * role; it changes when records ended */
    mp_settings *settings; /* in force */
    mp_overrides *clients; /* what each of them says of these */
    uint64_t said;         /* so many times so far */
    mp_lane *lanes[MP_LANES];
    int lanes_n; /* MP_LANES from the first record on, or with a spool; else 0
                  */
    mp_stats stats;
    mp_reports *reports;
    mp_saves saves;
    uint64_t base; /* the sequence number before the first; 0 without a spool */
    uint64_t seq;  /* of the last record accepted */
    int64_t looks_ms;   /* when its thread asks next without being woken */
    int64_t spare_ms;   /* no spare before */
    mp_budget budget;   /* what may be sent */
    unsigned next_lane; /* the lane that is asked first */

    /* Questions to /import: how many were asked, sent and answered, and the
     * last answer. */
    uint64_t checks_wanted, sent, checks_done;
    mp_response *check_response; /* NULL: out of memory for it */

    mp_spool *spool;       /* NULL: records are in memory only */
    atomic_bool writes;    /* some segments are written, not mapped */
    bool adopts;           /* the first of those open with this directory */
    bool adopting;         /* what goes before newer records is still coming */
    mp_buf rejected;       /* lines for a file */
    bool rejecting;        /* some are on their way into it */
    bool start_reported;   /* that a thread does not run */
    mp_reported *reported; /* MP_REPORTED of them; NULL without a spool */
    mp_evictions evicted, left_over;

    /* What belongs to the thread for the disk or, with the manual transport, to
     * the one that holds `sending`, which is taken before the lock above. The
     * sender uses none of it. */
    mp_trace trace;
    int64_t adopt_ms, sync_ms, store_ms; /* not before */
    int64_t adopt_pause_ms;              /* after the last look */
    int64_t bound_ms, bound_pause_ms;    /* see project_total.c */
    int64_t bound_spent_ms;              /* on the look under way */
    uint64_t bound_evicted;              /* records, in the look under way */
    uint64_t flights;                    /* made so far */
    uint64_t run;                        /* see project_bus.c; 0: no bus */
    mp_lock sending;
    mp_transport_manual manual; /* the tags are flights */
};

/* ---- project_fork.c
 *
 * A child has no use for most of its parent's projects, so it makes one anew,
 * with fresh locks and counters, when it first touches it. ---- */

/* Forks that lie between this process and the first of its parents. */
extern atomic_uint mp_project_forks;

/* Forgets what the parent of this process will deliver. Thread: any; those that
 * do so at the same time wait for each other. */
void mp_project_renew(mp_project *project);

/* Has every fork hold the project, though it has nothing to do: its spool, its
 * flags or the host's requests of it must be at rest. Locks: the caller is
 * between mp_project_begin_change and its end. */
void mp_project_hold_at_forks(mp_project *project);
void mp_project_forget_at_forks(
    mp_project *project); /* takes the lock itself */

/* Takes and gives back the lock as mp_project_lock does, for what must be at
 * rest in a forked child even if no fork holds the project: what its clients
 * say, its settings and flags. */
void mp_project_begin_change(mp_project *project);
void mp_project_end_change(mp_project *project);

/* Once for all projects, around the next two. In between none is renewed, and
 * those that every fork holds are held. */
void mp_project_begin_fork(void);
void mp_project_end_fork_in_parent(void);
void mp_project_end_fork_in_child(void);

/* Takes every lock of a project that is not its parent's, and gives them back
 * in the parent. Not done for one that has nothing to do, so that a fork costs
 * nothing for it: in the child its lock tells whether a thread was at it. */
void mp_project_hold(mp_project *project);
void mp_project_let_go(mp_project *project);

static inline bool mp_project_is_of_parent(const mp_project *project) {
    return atomic_load_explicit(&project->forks, memory_order_acquire) !=
           atomic_load_explicit(&mp_project_forks, memory_order_relaxed);
}

/* Before anything else in this process is done with a project, but for what
 * takes its lock by the function below. */
static inline void mp_project_touch(mp_project *project) {
    if (mp_project_is_of_parent(project))
        mp_project_renew(project);
}

/* The lock of `wait`. */
static inline void mp_project_lock(mp_project *project) {
    mp_project_touch(project);
    mp_lock_take(&project->wait.lock);
}

static inline void mp_project_unlock(mp_project *project) {
    mp_lock_give(&project->wait.lock);
}

/* With the lock held: notes what failed last, for mp:stats(). */
void mp_project_note_error(mp_project *project, const char *message);

/* With the lock held, while there are none: makes the lanes, and room for what
 * they report. MP_MEMORY. */
mp_err mp_project_make_lanes(mp_project *project);

void mp_flight_free(mp_flight *flight);

/* Writes to the debug trace, if there is one. A flight of the sender, which
 * touches no file, is left out: it was made while there was none. */
void mp_project_trace_request(mp_project *project, mp_flight *under_way);
void mp_project_trace_reply(mp_project *project, const mp_flight *under_way,
                            const mp_reply *reply);

/* Forgets fetches that the host has not answered; what carries records keeps
 * the project alive. */
void mp_project_abandon_flights(mp_project *project);

/* ---- project_gate.c ---- */

/* With the lock held: when a batch may be sent again, `now_ms` or later;
 * INT64_MAX: not before there is a permit. */
int64_t mp_project_opens(mp_project *project, int64_t now_ms);

/* With the lock held: nothing is sent for now, so that what comes in need not
 * wake its thread. */
void mp_project_hold_back(mp_project *project);

/* The same, until there is a permit; ends what grows too old for max_age
 * meanwhile. Returns when to come for that again; INT64_MAX: never. Takes the
 * lock itself. */
int64_t mp_project_await_permit(mp_project *project,
                                const mp_settings *settings, int64_t now_ms);

/* With the lock held: true if its thread sleeps beyond `due_ms` and must be
 * woken. Ensures: it counts as coming then, so that nobody else wakes it for
 * the same reason. */
bool mp_project_must_wake(mp_project *project, int64_t due_ms);

/* ---- project_disk.c, project_spill.c, project_total.c, maintenance.c: but for
 * segments and spares, each does nothing without a spool ---- */

mp_err mp_project_open_disk(mp_project *project); /* MP_MEMORY */
void mp_project_disk_in_child(mp_project *project);

/* With the lock held: hands on what spool_owner, spool_io and gzip say. */
void mp_project_configure_disk(mp_project *project);

/* An empty segment on a file, or in memory when there is no spool or it
 * failed, which is told then. NULL: out of memory. No lock held. */
mp_segment *mp_project_new_segment(mp_project *project, mp_lane_id lane);

/* Frees segments of a list and removes their files. No lock held. */
void mp_project_free_segments(mp_project *project, mp_segment *list);

/* With the lock held: segments that are no longer needed. The caller frees them
 * once it has released the lock, since unmapping a megabyte takes longer than a
 * push may wait. */
mp_segment *mp_project_garbage(mp_project *project);

/* With the lock held: notes the last bytes of a segment, to be written by
 * mp_project_write without the lock; that is true if its thread should come for
 * garbage. */
void mp_project_note_write(mp_write *write, mp_segment *segment, size_t bytes);
bool mp_project_write(mp_project *project, mp_lane_id lane,
                      const mp_write *writes, size_t n);

/* Counts and reports what went wrong on disk: a message at most once a minute,
 * or once for the second function, for what is met again and again. No lock
 * held. */
void mp_project_report_disk(mp_project *project, const char *message);
void mp_project_report_once(void *project, const char *message);

/* Writes the segment to a file. Returns its batch, which the caller owns; NULL:
 * that failed, and was reported. `body`: see mp_spool_seal. No lock held. */
mp_batch_file *mp_project_seal(mp_project *project, mp_lane_id lane,
                               mp_segment *segment, const mp_buf *body);

/* Moves a segment from memory to the disk if there are too many, or if it is
 * in no file. False: nothing to do, or it failed. No lock held. */
bool mp_project_spill(mp_project *project, int64_t now_ms);

/* Removes the oldest batches beyond spool_max_bytes. No lock held. */
void mp_project_evict(mp_project *project, const mp_settings *settings,
                      int64_t now_ms);

/* With the lock held: has evictions reported, at most once a minute. */
void mp_project_report_evicted(mp_project *project, mp_evictions *evictions,
                               mp_fate fate, int64_t now_ms);

/* Between two looks at what dead processes left: soon at first, since one that
 * this replaces may still be ending, then after 1, 3, 7 ... seconds. */
enum {
    MP_LOOK_SOON_MS = 1000,
    MP_LOOK_LATE_MS = 60 * 1000
};

static inline int64_t mp_project_next_look(int64_t pause_ms) {
    int64_t next_ms = 2 * pause_ms + MP_LOOK_SOON_MS;
    return next_ms < MP_LOOK_LATE_MS ? next_ms : MP_LOOK_LATE_MS;
}

/* Evicts a batch that is on disk only, of that lane. Returns how many records
 * that were. No lock held. */
uint32_t mp_project_evict_file(mp_project *project, mp_lane *lane,
                               mp_batch_file *file);

/* When it is due: looks at what waits in other runs, and removes the oldest
 * batches of dead ones beyond spool_total_bytes. The project adopts, and no
 * lock is held. */
void mp_project_bound(mp_project *project, const mp_settings *settings,
                      int64_t now_ms);

/* Reads a batch back that its lane wants. No lock held. */
void mp_project_fetch(mp_project *project, mp_lane_id id, mp_batch_file *file,
                      const mp_settings *settings, int64_t now_ms);

/* Notes on disk that a request with this batch and body goes out. True: it
 * puts records in doubt that may not be sent twice, and
 * mp_project_clear_in_doubt must tell when the reply says that none was taken,
 * while the segment is in use. */
bool mp_project_before_request(mp_project *project, mp_lane_id lane,
                               const mp_batch *batch, const mp_buf *body,
                               const mp_settings *settings);
void mp_project_clear_in_doubt(mp_project *project, mp_segment *segment);

/* With the lock held: true if every record is in a file and nothing is or
 * will be under way before the deadline. */
bool mp_project_safe_until(mp_project *project, int64_t deadline_ms);

/* ---- project_bus.c ---- */

/* Sequence numbers begin: from now on names of messages are other ones. */
void mp_project_begin_run(mp_project *project);

/* Writes the message's id into the request. Its segment was sealed, if it can
 * be. */
void mp_project_name_message(const mp_project *project, mp_lane_id lane,
                             mp_batch *batch, mp_request *request);

#endif
