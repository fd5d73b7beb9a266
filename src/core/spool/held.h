/* Dead runs that this process adopted. Their files stay where they are; what
 * it keeps is the lock, until nothing of theirs is left for it to deliver. When
 * it dies the lock goes, and whoever takes it finds the files as they were.
 *
 * Each batch or segment on a file of such a run counts among its `users`, so
 * that the descriptor of its directory is not closed under them. Thread: the
 * one that makes the project's requests, but for mp_held_has. Locks: as file.h.
 */
#ifndef MP_HELD_H
#define MP_HELD_H

#include "core/spool/run.h"

#include <stdatomic.h>

enum {
    MP_HELD_MOST = 64 /* runs of a project at once */
};

typedef struct mp_held {
    mp_run run;          /* dir below 0 or id 0: none */
    _Atomic uint64_t id; /* the same, for other threads */
    uint32_t users;
    bool anchored; /* its name is on the disk for sure */
    bool ordered;  /* it has records whose order matters */
} mp_held;

typedef struct mp_held_runs {
    mp_held runs[MP_HELD_MOST];
    int count;
} mp_held_runs;

/* True if one more may be kept. */
bool mp_held_has_room(const mp_held_runs *held);

/* Keeps the lock of a dead run; there is room. */
mp_held *mp_held_keep(mp_held_runs *held, const mp_run *dead);

/* Forgets a run without giving up its lock. */
void mp_held_forget(mp_held_runs *held, mp_held *run);

/* The one with that directory; NULL: it is none of these. */
mp_held *mp_held_find(mp_held_runs *held, int dir);

/* Removes the directories of those without users, if they are empty, and gives
 * up their locks; `all`: of every one. But for `busy`, which may be NULL. */
void mp_held_release(mp_held_runs *held, const mp_run_place *place,
                     const mp_held *busy, bool all);

/* True if any has records whose order matters. */
bool mp_held_is_ordered(const mp_held_runs *held);

/* Thread: any. */
bool mp_held_has(const mp_held_runs *held, uint64_t id);

/* In a forked child, whose copies of the descriptors are closed already. */
void mp_held_after_fork_child(mp_held_runs *held);

#endif
