/* The flags that are in force: the newest set, which may be replaced while
 * others look at it. */
#ifndef MP_FLAG_STORE_H
#define MP_FLAG_STORE_H

#include "core/flags/flag_set.h"
#include "core/os/wait.h"

typedef struct mp_flag_store {
    mp_wait wait; /* its lock guards what follows; a change wakes whoever waits
                     for the first set */
    mp_flag_set *set; /* NULL: none yet */
} mp_flag_store;

mp_err mp_flag_store_init(mp_flag_store *store); /* MP_MEMORY */
void mp_flag_store_destroy(mp_flag_store *store);

/* The set, with a reference for the caller to drop; NULL: there is none. The
 * lock is held for no longer than that takes. Thread: any. */
mp_flag_set *mp_flag_store_get(mp_flag_store *store);

/* Puts a set, whose reference it takes, in the place of the one before. */
void mp_flag_store_put(mp_flag_store *store, mp_flag_set *set);

/* Waits until there is a set, up to a time on mp_clock_mono_ms. False: there
 * is none. */
bool mp_flag_store_wait(mp_flag_store *store, int64_t deadline_ms);

/* Called around fork by the thread that forks. The child goes on with the set,
 * which nobody frees there: threads that it has not may have been about to. */
void mp_flag_store_before_fork(mp_flag_store *store);
void mp_flag_store_in_parent(mp_flag_store *store);
void mp_flag_store_after_fork_child(mp_flag_store *store);

#endif
