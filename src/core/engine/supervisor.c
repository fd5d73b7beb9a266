#include "core/engine/supervisor.h"

#include "core/engine/worker.h"
#include "core/os/lock.h"
#include "core/transport/transport.h"

static struct {
    mp_projects *projects;
    mp_lock lock;                /* for start, stop and fork */
    _Atomic(mp_worker *) worker; /* NULL: none was started in this process */
    mp_worker *left_behind;      /* in a forked child: its parent's */
    atomic_bool over;            /* none is started any more */
    atomic_bool succeeded;
} supervisor = {.lock = MP_LOCK_INIT};

mp_err mp_supervisor_set_up(mp_projects *projects) {
    supervisor.projects = projects;
    return mp_transport_set_up();
}

/* With the lock held. NULL: it cannot be started. */
static mp_worker *start_worker(void) {
    mp_transport *transport = mp_transport_new();
    if (!transport)
        return NULL;
    mp_worker *worker =
        mp_worker_start(supervisor.projects, transport, &supervisor.succeeded);
    if (!worker) {
        transport->close(transport);
        transport->free(transport);
    }
    return worker;
}

bool mp_supervisor_start(void) {
    mp_worker *worker = atomic_load(&supervisor.worker);
    if (worker)
        return true;
    mp_lock_take(&supervisor.lock);
    worker = atomic_load(&supervisor.worker);
    if (!worker && !atomic_load(&supervisor.over)) {
        worker = start_worker();
        atomic_store(&supervisor.worker, worker);
    }
    mp_lock_give(&supervisor.lock);
    return worker != NULL;
}

void mp_supervisor_wake(void) {
    mp_worker *worker = atomic_load(&supervisor.worker);
    if (worker)
        mp_worker_wake(worker);
}

bool mp_supervisor_stop(int64_t deadline_ms) {
    mp_lock_take(&supervisor.lock);
    atomic_store(&supervisor.over, true);
    mp_worker *worker = atomic_load(&supervisor.worker);
    bool ended = !worker || mp_worker_stop(worker, deadline_ms);
    mp_lock_give(&supervisor.lock);
    return ended;
}

bool mp_supervisor_succeeded(void) {
    return atomic_exchange(&supervisor.succeeded, false);
}

/* ---- fork ---- */

void mp_supervisor_before_fork(void) {
    mp_lock_take(&supervisor.lock);
    mp_worker *worker = atomic_load(&supervisor.worker);
    if (worker)
        mp_worker_before_fork(worker);
}

void mp_supervisor_in_parent(void) {
    mp_worker *worker = atomic_load(&supervisor.worker);
    if (worker)
        mp_worker_in_parent(worker);
    mp_lock_give(&supervisor.lock);
}

void mp_supervisor_in_child(void) {
    mp_worker *worker = atomic_load(&supervisor.worker);
    if (worker) {
        mp_worker_in_child(worker, supervisor.left_behind);
        supervisor.left_behind = worker;
    }
    atomic_store(&supervisor.worker, NULL);
    atomic_store(&supervisor.succeeded, false);
    mp_lock_after_fork_child(&supervisor.lock);
}
