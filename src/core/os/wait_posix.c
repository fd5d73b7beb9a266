#define _GNU_SOURCE
#include "core/os/wait.h"

#include "core/os/clock.h"

#include <time.h>

static mp_err init_changed(mp_wait *wait) {
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0)
        return MP_MEMORY;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int failed = pthread_cond_init(&wait->changed, &attr);
    pthread_condattr_destroy(&attr);
    return failed ? MP_MEMORY : MP_OK;
}

mp_err mp_wait_init(mp_wait *wait) {
    mp_err err = mp_lock_init(&wait->lock);
    if (err != MP_OK)
        return err;
    err = init_changed(wait);
    if (err != MP_OK)
        mp_lock_destroy(&wait->lock);
    return err;
}

void mp_wait_destroy(mp_wait *wait) {
    pthread_cond_destroy(&wait->changed);
    mp_lock_destroy(&wait->lock);
}

bool mp_wait_until(mp_wait *wait, int64_t deadline_ms) {
    int64_t slept_ms = mp_clock_slept_ms();
    /* What is below 0 is no time for the call. */
    deadline_ms = deadline_ms > slept_ms ? deadline_ms - slept_ms : 0;
    struct timespec until = {
        .tv_sec = (time_t)(deadline_ms / 1000),
        .tv_nsec = (long)(deadline_ms % 1000) * 1000000,
    };
    return pthread_cond_timedwait(&wait->changed, &wait->lock.mutex, &until) ==
           0;
}

void mp_wait_changed(mp_wait *wait) {
    pthread_cond_broadcast(&wait->changed);
}

/* Cannot fail on Linux: nothing is allocated. */
void mp_wait_after_fork_child(mp_wait *wait) {
    mp_wait_init(wait);
}
