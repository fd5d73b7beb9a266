#include "core/engine/supervisor.h"

#include "core/engine/disk_thread.h"
#include "core/engine/handover.h"
#include "core/engine/sender.h"
#include "core/os/clock.h"
#include "core/os/lock.h"
#include "core/os/syserr.h"
#include "core/transport/transport_bus.h"

#include <errno.h>
#include <stdio.h>

enum {
    RETRY_MS = 1000,
    ALONE_MS = 100 /* that the disk thread has at the end without the sender */
};

/* The last start of a thread. */
typedef struct attempt {
    int err; /* errno value */
    int64_t ms;
} attempt;

static struct {
    mp_projects *projects;
    mp_lock lock;                /* for start, stop and fork */
    _Atomic(mp_sender *) sender; /* NULL: none was started in this process */
    _Atomic(mp_disk_thread *) disk;
    _Atomic(mp_handover *) handover; /* made for the first of them */
    struct {
        mp_sender *sender;
        mp_disk_thread *disk;
    } left_behind; /* in a forked child: its parent's */
    attempt attempts[MP_THREADS];
    bool over; /* none is started any more */
    atomic_bool succeeded;
} supervisor = {.lock = MP_LOCK_INIT};

mp_err mp_supervisor_set_up(mp_projects *projects) {
    supervisor.projects = projects;
    return mp_transport_set_up();
}

/* ---- start ---- */

/* With the lock held. Each returns 0 or an errno value. */

static int start_sender(mp_handover *handover) {
    mp_transport *http, *transport;
    mp_sender *sender;
    int err = mp_transport_new(&http);
    if (err != 0)
        return err;
    err = mp_transport_bus_new(http, &transport);
    if (err != 0) {
        http->close(http);
        http->free(http);
        return err;
    }
    err = mp_sender_start(supervisor.projects, transport, handover,
                          &supervisor.succeeded, &sender);
    if (err != 0) {
        transport->close(transport);
        transport->free(transport);
    }
    atomic_store(&supervisor.sender, sender);
    return err;
}

static int start_disk(mp_handover *handover) {
    mp_disk_thread *disk;
    int err = mp_disk_thread_start(supervisor.projects, handover, &disk);
    atomic_store(&supervisor.disk, disk);
    return err;
}

static int start_thread(mp_role role) {
    mp_handover *handover = atomic_load(&supervisor.handover);
    if (!handover) {
        handover = mp_handover_new();
        atomic_store(&supervisor.handover, handover);
    }
    if (!handover)
        return ENOMEM;
    return role == MP_DISK ? start_disk(handover) : start_sender(handover);
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

static mp_err explain(mp_role role, int err, char message[MP_MESSAGE]) {
    char text[MP_SYSERR];
    snprintf(message, MP_MESSAGE, "the %s thread cannot be started: %.64s%s",
             role == MP_DISK ? "disk" : "sending", mp_syserr_text(err, text),
             cure(err));
    return err == ENOMEM ? MP_MEMORY : MP_THREAD;
}

static bool runs(mp_role role) {
    return role == MP_DISK ? atomic_load(&supervisor.disk) != NULL
                           : atomic_load(&supervisor.sender) != NULL;
}

bool mp_supervisor_runs(unsigned threads) {
    return (!(threads & MP_THREAD(MP_SENDER)) || runs(MP_SENDER)) &&
           (!(threads & MP_THREAD(MP_DISK)) || runs(MP_DISK));
}

/* With the lock held. Does not try within `pause_ms` of a failure. */
static mp_err try_start(mp_role role, int64_t pause_ms,
                        char message[MP_MESSAGE]) {
    attempt *last = &supervisor.attempts[role];
    int64_t now_ms = mp_clock_mono_ms();
    if (last->err == 0 || now_ms >= last->ms + pause_ms) {
        last->err = start_thread(role);
        last->ms = now_ms;
    }
    return last->err == 0 ? MP_OK : explain(role, last->err, message);
}

/* With the lock held: tries each, and returns what went wrong first. */
static mp_err try_all(unsigned threads, int64_t pause_ms,
                      char message[MP_MESSAGE]) {
    char others[MP_MESSAGE];
    mp_err err = MP_OK;
    if (mp_supervisor_runs(threads))
        return MP_OK;
    if (supervisor.over) {
        snprintf(message, MP_MESSAGE, "the process is exiting");
        return MP_CLOSED;
    }
    for (int i = 0; i < MP_THREADS; i++) {
        if (!(threads & MP_THREAD(i)) || runs((mp_role)i))
            continue;
        mp_err failed =
            try_start((mp_role)i, pause_ms, err == MP_OK ? message : others);
        if (err == MP_OK)
            err = failed;
    }
    return err;
}

static mp_err start(unsigned threads, int64_t pause_ms,
                    char message[MP_MESSAGE]) {
    if (mp_supervisor_runs(threads))
        return MP_OK;
    mp_lock_take(&supervisor.lock);
    mp_err err = try_all(threads, pause_ms, message);
    mp_lock_give(&supervisor.lock);
    return err;
}

mp_err mp_supervisor_start(unsigned threads, char message[MP_MESSAGE]) {
    return start(threads, 0, message);
}

mp_err mp_supervisor_keep_running(unsigned threads, char message[MP_MESSAGE]) {
    return start(threads, RETRY_MS, message);
}

void mp_supervisor_wake(unsigned threads) {
    mp_sender *sender = atomic_load(&supervisor.sender);
    if (sender && (threads & MP_THREAD(MP_SENDER)))
        mp_sender_wake(sender);
    if (runs(MP_DISK) && (threads & MP_THREAD(MP_DISK)))
        mp_handover_wake(atomic_load(&supervisor.handover), MP_DISK);
}

/* ---- end ---- */

/* The disk thread ends after the sender, whose replies it waits for, and
 * finishes the projects; where it never ran there is little to finish. */
void mp_supervisor_stop(int64_t deadline_ms, int64_t disk_ms) {
    mp_lock_take(&supervisor.lock);
    supervisor.over = true;
    mp_sender *sender = atomic_load(&supervisor.sender);
    mp_disk_thread *disk = atomic_load(&supervisor.disk);
    if (sender)
        mp_sender_begin_stop(sender);
    if (disk)
        mp_disk_thread_stop(disk, deadline_ms - ALONE_MS, disk_ms);
    bool ended = !sender || mp_sender_stop(sender, deadline_ms);
    if (!disk && ended)
        mp_projects_finish(supervisor.projects);
    mp_lock_give(&supervisor.lock);
}

bool mp_supervisor_succeeded(void) {
    return atomic_exchange(&supervisor.succeeded, false);
}

/* ---- fork ---- */

void mp_supervisor_before_fork(void) {
    mp_lock_take(&supervisor.lock);
    mp_sender *sender = atomic_load(&supervisor.sender);
    if (sender)
        mp_sender_before_fork(sender);
}

void mp_supervisor_in_parent(void) {
    mp_sender *sender = atomic_load(&supervisor.sender);
    if (sender)
        mp_sender_in_parent(sender);
    mp_lock_give(&supervisor.lock);
}

/* What passed between threads of the parent is never touched; if there were
 * none, nothing did. */
static void leave_behind(void) {
    mp_sender *sender = atomic_load(&supervisor.sender);
    mp_disk_thread *disk = atomic_load(&supervisor.disk);
    if (sender) {
        mp_sender_in_child(sender, supervisor.left_behind.sender);
        supervisor.left_behind.sender = sender;
    }
    if (disk) {
        mp_disk_thread_in_child(disk, supervisor.left_behind.disk);
        supervisor.left_behind.disk = disk;
    }
    if (sender || disk)
        atomic_store(&supervisor.handover, NULL);
    atomic_store(&supervisor.sender, NULL);
    atomic_store(&supervisor.disk, NULL);
}

void mp_supervisor_in_child(void) {
    leave_behind();
    atomic_store(&supervisor.succeeded, false);
    for (int i = 0; i < MP_THREADS; i++)
        supervisor.attempts[i].err = 0;
    mp_lock_after_fork_child(&supervisor.lock);
}
