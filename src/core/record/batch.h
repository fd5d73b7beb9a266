/* Some records of one segment, in order, that travel in one request.
 *
 * A batch holds a reference to its segment and a list of entries, so that it
 * can be parted in any way without touching a record. Knows nothing of
 * replies or time. */
#ifndef MP_BATCH_H
#define MP_BATCH_H

#include "core/base/buf.h"
#include "core/record/segment.h"

/* The search for refused records in what once was one batch; shared by all
 * its parts. */
typedef struct mp_bisection {
    uint32_t refs;
    uint32_t requests;     /* spent so far */
    bool accepted;         /* some record was taken */
    bool foreign;          /* Mixpanel did not write some refusal */
    bool barred;           /* some were forbidden */
    bool passed;           /* others were taken since */
    int status;            /* of the first refusal; 0: none yet */
    char text[MP_MESSAGE]; /* of that refusal */
} mp_bisection;

/* A record of a batch. */
typedef struct mp_item mp_item;
struct mp_item {
    const mp_entry *entry; /* of the batch's segment */
    /* The holder's, see core/lane/key_index.h; `listed` is false at first. */
    mp_item *next;
    bool listed;
};

/* What a batch, or the one that it is a part of, was called on its first way:
 * by where its segment's records were accepted. */
typedef struct mp_origin {
    uint64_t run, seq; /* as in the name of a file of a spool; run 0: it has
                        * not been on its way */
    uint64_t first;    /* sequence number of the segment's first record */
    uint32_t count;    /* of all of them */
} mp_origin;

typedef struct mp_batch mp_batch;
struct mp_batch {
    mp_batch *next; /* for the list of its holder */
    mp_segment *segment;
    mp_bisection *bisection;  /* NULL: not under bisection */
    int64_t sent_ms;          /* mp_clock_mono_ms; of the last request */
    int64_t resume_ms;        /* of a deferred record: not before */
    uint32_t sends;           /* requests made with these records */
    uint32_t broken;          /* timeouts and broken transfers in a row */
    uint32_t server_errors;   /* answers of 5xx */
    size_t body_bytes;        /* of the last request, as sent */
    uint64_t large_since;     /* a 413 refused it, or what it was part of, when
                               * its route had taken so many requests less one;
                               * 0: none did */
    bool large_alone;         /* it was a single record then */
    uint64_t forbidden_since; /* the same for a 403; anew with each */
    bool reported_deferred;   /* a report named it */
    bool stuck;               /* others passed it while it waited behind them */
    int64_t stuck_ms;         /* since when that is known */
    uint64_t passed_by;       /* requests that its route had taken at its last
                               * try */
    bool plain;               /* of the last request: without compression */
    mp_origin origin;         /* of what goes over a bus */
    uint64_t held_since;      /* its holder's, see core/lane/lane_send.c */
    bool is_old;              /* all are too old for the lane's own endpoint */
    const mp_endpoint *endpoint; /* of the last request; NULL: none was made */
    uint32_t count;
    mp_item items[]; /* rising */
};

/* All records of a segment; takes over the caller's reference. NULL: out of
 * memory, the reference stays the caller's. */
mp_batch *mp_batch_new(mp_segment *segment);

/* The next three are of batches of which no item is listed.
 *
 * The records of `batch` for which keep[i] is true, as a batch of their own
 * that shares bisection and history; `batch` keeps the others. Both must end up
 * with at least one. NULL: out of memory, nothing changed. */
mp_batch *mp_batch_split(mp_batch *batch, const bool *keep, uint32_t kept);

/* True if it holds every record of its segment. */
bool mp_batch_is_whole(const mp_batch *batch);

bool mp_batch_has_non_idempotent(const mp_batch *batch);

/* Parts those that are not idempotent from *batch, which becomes NULL if they
 * are all it holds. *part: NULL if there are none. False: out of memory, and
 * nothing changed. */
bool mp_batch_part_non_idempotent(mp_batch **batch, mp_batch **part);

/* Adds the records of `other`, which came from the same segment and is
 * freed, to those of *batch. False: out of memory, nothing changed. */
bool mp_batch_join(mp_batch **batch, mp_batch *other);

/* Puts the batch under a bisection if it is under none. False: out of memory.
 */
bool mp_batch_start_bisection(mp_batch *batch);
void mp_batch_leave_bisection(mp_batch *batch);

/* Frees the batch; the segment is returned when this was its last reference,
 * else NULL. */
mp_segment *mp_batch_free(mp_batch *batch);

const mp_entry *mp_batch_entry(const mp_batch *batch, uint32_t i);
uint64_t mp_batch_seq(const mp_batch *batch); /* of its first record */

size_t mp_batch_bytes(const mp_batch *batch); /* its records' */

/* Moves the records into a segment that holds nothing else. *left: the one
 * where they were, now the caller's, if it had no other reference; else NULL.
 * False: out of memory, and nothing changed. */
bool mp_batch_move(mp_batch *batch, mp_segment **left);

/* Appends the records as a JSON array. MP_MEMORY. */
mp_err mp_batch_body(const mp_batch *batch, mp_buf *out);

#endif
