/* Locks between threads, not recursive, and what is done once. */
#ifndef MP_LOCK_H
#define MP_LOCK_H

#include "core/base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct mp_lock {
    pthread_mutex_t mutex;
} mp_lock;

/* For a lock that lives as long as the process. */
#define MP_LOCK_INIT                                                           \
    { PTHREAD_MUTEX_INITIALIZER }

mp_err mp_lock_init(mp_lock *lock); /* MP_MEMORY */
void mp_lock_destroy(mp_lock *lock);

/* Ensures: the caller's thread holds it on return. */
void mp_lock_take(mp_lock *lock);

/* Thread: the one that took it. */
void mp_lock_give(mp_lock *lock);

/* True: the caller's thread holds it. False: another thread held it until
 * `deadline_ms` (mp_clock_mono_ms). */
bool mp_lock_take_until(mp_lock *lock, int64_t deadline_ms);

/* In a forked child: a lock that the fork found taken, by whatever thread,
 * is free again. */
void mp_lock_after_fork_child(mp_lock *lock);

typedef struct mp_once {
    pthread_once_t once;
} mp_once;

#define MP_ONCE_INIT                                                           \
    { PTHREAD_ONCE_INIT }

/* Calls `run` unless that was done, and returns when it has ended. */
void mp_once_do(mp_once *once, void (*run)(void));

#endif
