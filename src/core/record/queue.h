/* The records of a lane that no batch holds yet: an open segment that grows,
 * sealed ones in order of age, and spares. Knows nothing of when a segment
 * is due. Locks: the caller holds the project's for every call. */
#ifndef MP_QUEUE_H
#define MP_QUEUE_H

#include "core/record/segment.h"

enum {
    MP_SPARE_MS = 10 * 1000 /* that a spare stays though nobody uses it */
};

typedef struct mp_queue {
    mp_segment *open; /* NULL before the first record */
    mp_segment *sealed, *last_sealed;
    mp_segment *spares;
    /* The most that segments held lately: each new one first lowers it by a
     * quarter. */
    uint32_t records;
    size_t bytes;
    int64_t ahead_ms; /* of records added from now on: see segment.h */
} mp_queue;

/* How many spare segments `n` records would need beyond those there are,
 * when `limit` records fill a segment. */
uint32_t mp_queue_missing(const mp_queue *queue, const mp_record *records,
                          size_t n, uint32_t limit);

/* Appends a record, for which nothing is missing. True if that sealed a
 * segment: there is a full batch to send. */
bool mp_queue_add(mp_queue *queue, const mp_record *record, uint64_t seq,
                  uint32_t limit, int64_t now_ms);

/* Seals the open segment if it holds anything. */
void mp_queue_seal(mp_queue *queue);

/* The oldest sealed segment, now the caller's; NULL: none. */
mp_segment *mp_queue_take(mp_queue *queue);

/* Takes out a sealed segment, now the caller's. */
void mp_queue_remove(mp_queue *queue, mp_segment *segment);

/* Takes back a segment that mp_queue_take gave last. */
void mp_queue_untake(mp_queue *queue, mp_segment *segment);

/* True if there are as many spares as are worth keeping. */
bool mp_queue_has_spares(const mp_queue *queue);

/* Takes over an empty segment as a spare. */
void mp_queue_give(mp_queue *queue, mp_segment *segment);

/* Takes out the spares that nobody used for MP_SPARE_MS, but for `least` of
 * them, as a list, now the caller's. *next_ms: when to come again; INT64_MAX:
 * it need not. */
mp_segment *mp_queue_expire(mp_queue *queue, int64_t now_ms, int least,
                            int64_t *next_ms);

/* Frees every segment. */
void mp_queue_free(mp_queue *queue);

/* The same in a forked child: see mp_segment_abandon. */
void mp_queue_abandon(mp_queue *queue);

#endif
