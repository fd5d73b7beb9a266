/* The loop of the thread that sends.
 *
 * A pass writes the state files that are due, asks each project for requests
 * until it has none or the transport is full, and then sleeps in the transport.
 * Three things end the sleep: a transfer gets on; the earliest time that a
 * project named comes, when a batch has lingered or a backoff, an age or a sync
 * interval ends; or somebody wakes the thread. A push does so only if what it
 * added is due before that time (mp_project_must_wake), so that a stream of
 * events costs no system call each; flush, close, new settings and the stop
 * always do. The transport remembers a wake that comes before the sleep, so
 * none is lost between the look at the projects and the sleep. */
#include "core/engine/worker.h"

#include "core/os/clock.h"
#include "core/os/thread.h"
#include "core/os/wait.h"
#include "core/transport/transport.h"

#include <errno.h>
#include <stdlib.h>

struct mp_worker {
    mp_thread thread;
    mp_projects *projects;
    atomic_bool *succeeded;
    atomic_bool stop;
    mp_transport *transport;
    struct mp_worker *before; /* in a forked child: abandoned earlier */
    uint64_t next_project; /* the project to ask first: see mp_projects_walk */
    mp_wait wait;          /* for what follows */
    bool ended;            /* the thread touches nothing any more */
};

/* A request under way and whose it is. */
typedef struct transfer {
    mp_project *project; /* a reference */
    mp_request *request;
} transfer;

static void finish(transfer *done, const mp_reply *reply) {
    mp_project_handle_reply(done->project, done->request, reply,
                            mp_clock_mono_ms());
    mp_project_release(done->project);
    free(done);
}

static void start(mp_worker *worker, mp_project *project, mp_request *request) {
    transfer *fresh = malloc(sizeof *fresh);
    if (fresh) {
        *fresh = (transfer){project, request};
        mp_project_retain(project);
        if (worker->transport->submit(worker->transport, request, fresh) ==
            MP_OK)
            return;
        mp_project_release(project);
        free(fresh);
    }
    mp_project_fail_request(project, request, mp_clock_mono_ms());
}

/* What a pass over the projects keeps. */
typedef struct pass {
    mp_worker *worker;
    int64_t next_ms; /* when the first of them wants to be asked again */
} pass;

/* The next request of the project, with what is to be done before one is
 * looked for and when there is none. */
static mp_request *next_request(mp_project *project, int64_t *next_ms) {
    int64_t now_ms = mp_clock_mono_ms();
    mp_project_prepare(project, now_ms);
    mp_request *request = mp_project_next_request(project, now_ms, next_ms);
    if (!request)
        *next_ms =
            mp_clock_earlier(*next_ms, mp_project_maintain(project, now_ms));
    return request;
}

static bool start_all(mp_project *project, void *user) {
    pass *now = user;
    mp_worker *worker = now->worker;
    if (mp_project_config(project)->manual)
        return true;
    while (!worker->transport->is_full(worker->transport)) {
        int64_t next_ms;
        mp_request *request = next_request(project, &next_ms);
        if (!request) {
            now->next_ms = mp_clock_earlier(now->next_ms, next_ms);
            return true;
        }
        start(worker, project, request);
    }
    return false; /* a reply frees a place, and this project comes first */
}

/* The disk does not wait for a free place. */
static bool stand_by(mp_project *project, void *user) {
    pass *now = user;
    now->next_ms = mp_clock_earlier(
        now->next_ms, mp_project_stand_by(project, mp_clock_mono_ms()));
    return true;
}

static bool write_saves(mp_project *project, void *user) {
    bool *any = user;
    *any |= mp_project_write_saves(project);
    return true;
}

static bool write_all_saves(mp_project *project, void *user) {
    (void)user;
    mp_project_flush_saves(project);
    mp_project_write_saves(project);
    return true;
}

static void take_replies(mp_worker *worker) {
    mp_reply reply;
    transfer *done;
    while ((done = worker->transport->take(worker->transport, &reply))) {
        if (reply.status >= 200 && reply.status < 300)
            atomic_store(worker->succeeded, true);
        finish(done, &reply);
    }
    mp_projects_sweep(worker->projects);
}

/* Saves and starts what is due, then sleeps until something else is, a transfer
 * gets on, or somebody wakes. */
static void make_pass(mp_worker *worker) {
    mp_transport *transport = worker->transport;
    bool saved = false;
    mp_projects_each(worker->projects, write_saves, &saved);
    if (saved)
        mp_projects_sweep(worker->projects);
    pass now = {worker, INT64_MAX};
    worker->next_project = mp_projects_walk(
        worker->projects, worker->next_project, start_all, &now);
    if (transport->is_full(transport))
        mp_projects_each(worker->projects, stand_by, &now);
    if (!transport->run(transport)) {
        int64_t wait_ms = now.next_ms;
        if (wait_ms != INT64_MAX) {
            wait_ms -= mp_clock_mono_ms();
            if (wait_ms < 0)
                wait_ms = 0;
        }
        transport->sleep(transport, wait_ms);
        transport->run(transport);
    }
    take_replies(worker);
}

/* What is under way counts as queued again: nobody knows whether it came. */
static void abort_all(mp_worker *worker) {
    mp_reply reply;
    transfer *done;
    while ((done = worker->transport->abort(worker->transport, &reply)))
        finish(done, &reply);
    worker->transport->close(worker->transport);
}

static void run(void *user) {
    mp_worker *worker = user;
    while (!atomic_load(&worker->stop))
        make_pass(worker);
    abort_all(worker);
    mp_projects_each(worker->projects, write_all_saves, NULL);
    mp_lock_take(&worker->wait.lock);
    worker->ended = true;
    mp_wait_changed(&worker->wait);
    mp_lock_give(&worker->wait.lock);
}

/* ---- for the engine ---- */

int mp_worker_start(mp_projects *projects, mp_transport *transport,
                    atomic_bool *succeeded, mp_worker **out) {
    *out = NULL;
    mp_worker *worker = calloc(1, sizeof *worker);
    if (!worker || mp_wait_init(&worker->wait) != MP_OK) {
        free(worker);
        return ENOMEM;
    }
    worker->projects = projects;
    worker->transport = transport;
    worker->succeeded = succeeded;
    int err = mp_thread_start(&worker->thread, "mixpanel-send", run, worker);
    if (err != 0) {
        mp_wait_destroy(&worker->wait);
        free(worker);
        return err;
    }
    *out = worker;
    return 0;
}

void mp_worker_wake(mp_worker *worker) {
    worker->transport->wake(worker->transport);
}

bool mp_worker_stop(mp_worker *worker, int64_t deadline_ms) {
    atomic_store(&worker->stop, true);
    mp_worker_wake(worker);
    mp_lock_take(&worker->wait.lock);
    while (!worker->ended && mp_wait_until(&worker->wait, deadline_ms))
        continue;
    bool ended = worker->ended;
    mp_lock_give(&worker->wait.lock);
    if (ended) {
        mp_thread_join(&worker->thread);
        return true;
    }
    worker->transport->lock_out(worker->transport);
    mp_thread_leave(&worker->thread);
    return false;
}

/* ---- fork ---- */

void mp_worker_before_fork(mp_worker *worker) {
    worker->transport->before_fork(worker->transport);
}

void mp_worker_in_parent(mp_worker *worker) {
    worker->transport->in_parent(worker->transport);
}

void mp_worker_in_child(mp_worker *worker, mp_worker *before) {
    worker->before = before;
    worker->transport->in_child(worker->transport);
}
