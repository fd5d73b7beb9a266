/* A lock with a condition that is waited for until a deadline on
 * mp_clock_mono_ms. */
#ifndef MP_WAIT_H
#define MP_WAIT_H

#include "core/os/lock.h"

typedef struct mp_wait {
    mp_lock lock;
    pthread_cond_t changed;
} mp_wait;

mp_err mp_wait_init(mp_wait *wait); /* MP_MEMORY */
void mp_wait_destroy(mp_wait *wait);

/* Waits for a change. False: the deadline has passed. Locks: the caller holds
 * the lock; other threads may take it meanwhile, and the caller holds it again
 * on return. */
bool mp_wait_until(mp_wait *wait, int64_t deadline_ms);

/* With the lock held: tells everyone who waits. */
void mp_wait_changed(mp_wait *wait);

/* In a forked child: makes the lock free, and forgets the threads that
 * waited. */
void mp_wait_after_fork_child(mp_wait *wait);

#endif
