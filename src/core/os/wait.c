#include "core/os/wait.h"

#include <errno.h>
#include <time.h>

mp_err mp_wait_init(mp_wait *wait) {
    pthread_condattr_t attr;
    if (pthread_mutex_init(&wait->lock, NULL) != 0)
        return MP_MEMORY;
    bool ok = pthread_condattr_init(&attr) == 0;
    if (ok) {
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        ok = pthread_cond_init(&wait->changed, &attr) == 0;
        pthread_condattr_destroy(&attr);
    }
    if (!ok)
        pthread_mutex_destroy(&wait->lock);
    return ok ? MP_OK : MP_MEMORY;
}

void mp_wait_destroy(mp_wait *wait) {
    pthread_cond_destroy(&wait->changed);
    pthread_mutex_destroy(&wait->lock);
}

bool mp_wait_until(mp_wait *wait, int64_t deadline_ms) {
    struct timespec until = {
        .tv_sec = (time_t)(deadline_ms / 1000),
        .tv_nsec = (long)(deadline_ms % 1000) * 1000000,
    };
    return pthread_cond_timedwait(&wait->changed, &wait->lock, &until) !=
           ETIMEDOUT;
}

void mp_wait_changed(mp_wait *wait) {
    pthread_cond_broadcast(&wait->changed);
}
