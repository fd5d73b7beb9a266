#define _GNU_SOURCE
#include "core/os/lock.h"

#include "core/os/clock.h"

#include <time.h>

mp_err mp_lock_init(mp_lock *lock) {
    return pthread_mutex_init(&lock->mutex, NULL) == 0 ? MP_OK : MP_MEMORY;
}

void mp_lock_destroy(mp_lock *lock) {
    pthread_mutex_destroy(&lock->mutex);
}

void mp_lock_take(mp_lock *lock) {
    pthread_mutex_lock(&lock->mutex);
}

void mp_lock_give(mp_lock *lock) {
    pthread_mutex_unlock(&lock->mutex);
}

/* POSIX has this wait on the wall clock alone: a clock that is set meanwhile
 * makes it longer or shorter. */
bool mp_lock_take_until(mp_lock *lock, int64_t deadline_ms) {
    int64_t left_ms = deadline_ms - mp_clock_mono_ms();
    int64_t wall_ms = mp_clock_wall_ms() + (left_ms > 0 ? left_ms : 0);
    struct timespec until = {
        .tv_sec = (time_t)(wall_ms / 1000),
        .tv_nsec = (long)(wall_ms % 1000) * 1000000,
    };
    return pthread_mutex_timedlock(&lock->mutex, &until) == 0;
}

/* Cannot fail on Linux: nothing is allocated. */
void mp_lock_after_fork_child(mp_lock *lock) {
    pthread_mutex_init(&lock->mutex, NULL);
}

void mp_once_do(mp_once *once, void (*run)(void)) {
    pthread_once(&once->once, run);
}
