/* A look at all runs of the project: what waits in those that this process has
 * not adopted, and no more bytes of dead ones than are allowed. Thread and
 * errors: as spool.h. */
#ifndef MP_SPOOL_TOTAL_H
#define MP_SPOOL_TOTAL_H

#include "core/spool/spool.h"

/* Batches in runs of others: sealed ones, and of the dead open segments too. */
typedef struct mp_elsewhere {
    uint64_t runs, files, bytes;
} mp_elsewhere;

/* Who has the batches that were adopted and are on disk only. */
typedef struct mp_adopter {
    int64_t (*oldest_ms)(void *user); /* wall clock; INT64_MAX: there is none */
    uint64_t (*evict)(void *user);    /* that one; returns its bytes */
    void *user;
} mp_adopter;

typedef struct mp_bound {
    bool more;   /* another call goes on */
    bool looked; /* at all of it: `elsewhere` is what there is */
    mp_elsewhere elsewhere;
    bool evicted;         /* something, or the adopter did */
    uint64_t records;     /* evicted that nobody had adopted */
    uint64_t quarantined; /* files */
} mp_bound;

/* Looks at some hundred files, or evicts as many. Beyond `most` bytes of all
 * dead runs their oldest batches go: those of the adopter, and of runs whose
 * lock can be had; nothing that another process has is touched, nor counts. */
int mp_spool_bound(mp_spool *spool, uint64_t most, const mp_adopter *adopter,
                   const mp_reporter *reporter, mp_bound *out,
                   char message[MP_MESSAGE]);

/* Gives up a look that has not ended. */
void mp_spool_stop_looking(mp_spool *spool);

#endif
