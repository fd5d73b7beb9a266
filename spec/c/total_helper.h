/* Dead runs, and a look at them until it has ended. */
#ifndef MP_TOTAL_HELPER_H
#define MP_TOTAL_HELPER_H

#include "core/spool/spool_total.h"
#include "spool_helper.h"

enum {
    BLOCK = 4096,                  /* what a small batch takes up */
    OPEN = MP_SEGMENT_FILE / BLOCK /* and an open segment, in these */
};

/* ---- the adopter: batches in a list, the oldest first ---- */

static mp_batch_file *adopted;

static inline int64_t oldest_ms(void *user) {
    (void)user;
    return adopted ? adopted->wall_ms : INT64_MAX;
}

static inline uint64_t evict_adopted(void *user) {
    mp_batch_file *file = adopted;
    uint64_t bytes = file->bytes;
    (void)user;
    adopted = file->next;
    CHECK(mp_spool_remove(file, why) == 0);
    mp_batch_file_free(file);
    return bytes;
}

static const mp_adopter adopter = {oldest_ms, evict_adopted, NULL};

/* Looks until all is done, or ends the look under way; returns how many calls
 * that took. */
static inline int bound(mp_spool *spool, uint64_t blocks, mp_bound *all) {
    int calls = 0;
    bool looked = spool->survey.evicts; /* by earlier calls */
    mp_bound got;
    *all = (mp_bound){0};
    do {
        CHECK(mp_spool_bound(spool, blocks * BLOCK, &adopter, &reporter, &got,
                             why) == 0);
        all->records += got.records;
        all->quarantined += got.quarantined;
        all->evicted |= got.evicted;
        all->looked |= got.looked;
        if (got.looked)
            all->elsewhere = got.elsewhere;
        mp_spool_release_adopted(spool);
    } while (got.more && ++calls < 10000);
    CHECK(!got.more && (all->looked || looked));
    return calls + 1;
}

static inline bool elsewhere(const mp_bound *got, int runs, int files,
                             int blocks) {
    const mp_elsewhere *e = &got->elsewhere;
    return e->runs == (uint64_t)runs && e->files == (uint64_t)files &&
           e->bytes == (uint64_t)blocks * BLOCK;
}

/* ---- what is there ---- */

/* A batch of `n` events whose last came at that time. */
static inline void leave_batch(mp_spool *spool, int n, int64_t wall_ms) {
    mp_batch_file *file = NULL;
    mp_segment *segment = with_events(spool, 1, n);
    CHECK(mp_spool_seal(spool, 0, segment, NULL, wall_ms, &file, why) == 0);
    mp_segment_free(segment);
    mp_batch_file_free(file);
}

/* A spool whose lock stays after the test forgot it, as that of a process that
 * lives; mp_file_in_child is its death. */
static inline void go_on(mp_spool *spool) {
    mp_spool_after_fork_child(spool);
    mp_spool_free(spool);
}

/* A run with one batch of n events. */
static inline void leave_run(int n, int64_t wall_ms) {
    mp_spool *spool = open_spool();
    leave_batch(spool, n, wall_ms);
    go_on(spool);
}

static inline bool is_there(int64_t wall_ms) {
    char ending[64], name[MP_BATCH_FILE_NAME];
    snprintf(ending, sizeof ending, "-%lld.v1.json.gz", (long long)wall_ms);
    return files(ending, name) == 1;
}

#endif
