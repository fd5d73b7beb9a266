#include "core/engine/carrier.h"

#ifndef MP_NO_CURL

#include "core/engine/worker.h"
#include "core/transport/http.h"

#include <pthread.h>

static struct {
    mp_projects *projects;
    pthread_mutex_t lock;        /* for start, stop and fork */
    _Atomic(mp_worker *) worker; /* NULL: none was started in this process */
    mp_worker *left_behind;      /* in a forked child: its forebear's */
    atomic_bool over;            /* none is started any more */
    atomic_bool succeeded;
} carrier = {.lock = PTHREAD_MUTEX_INITIALIZER};

mp_err mp_carrier_set_up(mp_projects *projects) {
    carrier.projects = projects;
    return mp_http_global_init();
}

bool mp_carrier_start(void) {
    mp_worker *worker = atomic_load(&carrier.worker);
    if (worker)
        return true;
    pthread_mutex_lock(&carrier.lock);
    worker = atomic_load(&carrier.worker);
    if (!worker && !atomic_load(&carrier.over)) {
        worker = mp_worker_start(carrier.projects, &carrier.succeeded);
        atomic_store(&carrier.worker, worker);
    }
    pthread_mutex_unlock(&carrier.lock);
    return worker != NULL;
}

void mp_carrier_wake(void) {
    mp_worker *worker = atomic_load(&carrier.worker);
    if (worker)
        mp_worker_wake(worker);
}

bool mp_carrier_stop(int64_t deadline_ms) {
    pthread_mutex_lock(&carrier.lock);
    atomic_store(&carrier.over, true);
    mp_worker *worker = atomic_load(&carrier.worker);
    bool ended = !worker || mp_worker_stop(worker, deadline_ms);
    pthread_mutex_unlock(&carrier.lock);
    return ended;
}

bool mp_carrier_succeeded(void) {
    return atomic_exchange(&carrier.succeeded, false);
}

/* ---- fork ---- */

void mp_carrier_before_fork(void) {
    pthread_mutex_lock(&carrier.lock);
    mp_worker *worker = atomic_load(&carrier.worker);
    if (worker)
        mp_worker_before_fork(worker);
}

void mp_carrier_in_parent(void) {
    mp_worker *worker = atomic_load(&carrier.worker);
    if (worker)
        mp_worker_in_parent(worker);
    pthread_mutex_unlock(&carrier.lock);
}

void mp_carrier_in_child(void) {
    mp_worker *worker = atomic_load(&carrier.worker);
    if (worker) {
        mp_worker_in_child(worker, carrier.left_behind);
        carrier.left_behind = worker;
    }
    atomic_store(&carrier.worker, NULL);
    atomic_store(&carrier.succeeded, false);
    pthread_mutex_init(&carrier.lock, NULL);
}

#else

/* A build without libcurl has only projects that the host carries. */

mp_err mp_carrier_set_up(mp_projects *projects) {
    (void)projects;
    return MP_OK;
}

bool mp_carrier_start(void) {
    return false;
}

void mp_carrier_wake(void) {
}

bool mp_carrier_stop(int64_t deadline_ms) {
    (void)deadline_ms;
    return true;
}

bool mp_carrier_succeeded(void) {
    return false;
}

void mp_carrier_before_fork(void) {
}

void mp_carrier_in_parent(void) {
}

void mp_carrier_in_child(void) {
}

#endif
