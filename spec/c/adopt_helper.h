/* What processes that died left, to be adopted. */
#ifndef MP_ADOPT_HELPER_H
#define MP_ADOPT_HELPER_H

#include "spool_helper.h"

static inline mp_segment *with_update(mp_spool *spool) {
    mp_segment *segment = make(spool, MP_LANE_PEOPLE);
    add(segment, "{\"$token\":\"token\",\"$distinct_id\":\"u\",\"$set\":{}}");
    return segment;
}

/* A run of a process that died, with a sealed batch of one event; 0: of one
 * update of a profile. */
static inline void leave_run(int n) {
    mp_spool *spool = open_spool();
    mp_segment *a = n > 0 ? with_events(spool, n, n) : with_update(spool);
    free(seal(spool, a));
    mp_segment_free(a);
    mp_spool_after_fork_child(spool); /* its lock stays for now */
    mp_spool_free(spool);
}

/* The same for the runs 1 to n. */
static inline void leave_runs(int n) {
    for (int i = 1; i <= n; i++)
        leave_run(i);
    mp_file_in_child(); /* closes their locks */
}

/* Ends the batches as if they had been delivered. */
static inline void deliver(mp_batch_file *list) {
    for (mp_batch_file *next; list; list = next) {
        next = list->next;
        CHECK(mp_spool_remove(list, why) == 0);
        mp_batch_file_free(list);
    }
}

/* Opening a name with that in it fails so many times. */
static const char *refused_name;
static int refused_times, refused_errno;

static inline int refuse_open(int dir, const char *path, unsigned flags) {
    if (refused_times > 0 && strstr(path, refused_name)) {
        refused_times--;
        errno = refused_errno;
        return -1;
    }
    return mp_file_system.open(dir, path, flags);
}

static inline void refuse_opens(const char *name, int times, int err) {
    static mp_file_calls faulty;
    refused_name = name;
    refused_times = times;
    refused_errno = err;
    faulty = mp_file_system;
    faulty.open = refuse_open;
    mp_file_use(&faulty);
}

#endif
