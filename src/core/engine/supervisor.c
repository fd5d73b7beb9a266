#include "core/engine/supervisor.h"

#include "core/engine/worker.h"
#include "core/os/clock.h"
#include "core/os/lock.h"
#include "core/os/syserr.h"
#include "core/transport/transport.h"

#include <errno.h>
#include <stdio.h>

enum {
    RETRY_MS = 1000
};

static struct {
    mp_projects *projects;
    mp_lock lock;                /* for start, stop and fork */
    _Atomic(mp_worker *) worker; /* NULL: none was started in this process */
    mp_worker *left_behind;      /* in a forked child: its parent's */
    int err;                     /* errno value of the last start */
    int64_t failed_ms;           /* when that was */
    bool over;                   /* none is started any more */
    atomic_bool succeeded;
} supervisor = {.lock = MP_LOCK_INIT};

mp_err mp_supervisor_set_up(mp_projects *projects) {
    supervisor.projects = projects;
    return mp_transport_set_up();
}

/* With the lock held. Returns 0 or an errno value. */
static int start_worker(void) {
    mp_transport *transport;
    mp_worker *worker;
    int err = mp_transport_new(&transport);
    if (err != 0)
        return err;
    err = mp_worker_start(supervisor.projects, transport, &supervisor.succeeded,
                          &worker);
    if (err != 0) {
        transport->close(transport);
        transport->free(transport);
    }
    atomic_store(&supervisor.worker, worker);
    return err;
}

static const char *cure(int err) {
    switch (err) {
    case EAGAIN:
        return "; let the host have more threads (ulimit -u, pids.max of its "
               "cgroup), or use transport = \"manual\"";
    case EMFILE:
        return "; let the host have more open files (ulimit -n)";
    case ENOTSUP:
        return "; this build has no libcurl";
    default:
        return "";
    }
}

static mp_err explain(int err, char message[MP_MESSAGE]) {
    char text[MP_SYSERR];
    snprintf(message, MP_MESSAGE,
             "the sending thread cannot be started: %.64s%s",
             mp_syserr_text(err, text), cure(err));
    return err == ENOMEM ? MP_MEMORY : MP_THREAD;
}

/* With the lock held, as the worker does not run. Does not try within
 * `pause_ms` of a failure. */
static mp_err try_start(int64_t pause_ms, char message[MP_MESSAGE]) {
    int64_t now_ms = mp_clock_mono_ms();
    if (supervisor.over) {
        snprintf(message, MP_MESSAGE, "the process is exiting");
        return MP_CLOSED;
    }
    if (supervisor.err == 0 || now_ms >= supervisor.failed_ms + pause_ms) {
        supervisor.err = start_worker();
        supervisor.failed_ms = now_ms;
    }
    return supervisor.err == 0 ? MP_OK : explain(supervisor.err, message);
}

static mp_err start(int64_t pause_ms, char message[MP_MESSAGE]) {
    if (atomic_load(&supervisor.worker))
        return MP_OK;
    mp_lock_take(&supervisor.lock);
    mp_err err =
        atomic_load(&supervisor.worker) ? MP_OK : try_start(pause_ms, message);
    mp_lock_give(&supervisor.lock);
    return err;
}

mp_err mp_supervisor_start(char message[MP_MESSAGE]) {
    return start(0, message);
}

mp_err mp_supervisor_keep_running(char message[MP_MESSAGE]) {
    return start(RETRY_MS, message);
}

void mp_supervisor_wake(void) {
    mp_worker *worker = atomic_load(&supervisor.worker);
    if (worker)
        mp_worker_wake(worker);
}

bool mp_supervisor_stop(int64_t deadline_ms) {
    mp_lock_take(&supervisor.lock);
    supervisor.over = true;
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
    supervisor.err = 0;
    mp_lock_after_fork_child(&supervisor.lock);
}
