/* The loop of the thread that sends.
 *
 * A round gives each project its turn to which something happened or which is
 * due, then sleeps in the transport. In its turn a project writes the state
 * files that are due, and is asked for requests until it has none; when the
 * transport is full it waits, behind others that do, for a place. Three things
 * end the sleep: a transfer gets on; the earliest time that a project named
 * comes, when a batch has lingered or a backoff, an age or a sync interval
 * ends; or somebody wakes the thread. A push does so only if what it added is
 * due before that time (mp_project_must_wake), so that a stream of events costs
 * no system call each; flush, close, new settings and the stop always do. Who
 * wakes the thread for a project has marked it before (turns.h), and the
 * transport remembers a wake that comes before the sleep, so none is lost. What
 * a round costs depends on the projects with a turn, never on how many there
 * are. */
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
    mp_wait wait;             /* for what follows */
    bool ended;               /* the thread touches nothing any more */
};

/* A request under way and whose it is. */
typedef struct transfer {
    mp_project *project; /* a reference */
    mp_request *request;
} transfer;

static void finish(mp_worker *worker, transfer *done, const mp_reply *reply) {
    mp_project_handle_reply(done->project, done->request, reply,
                            mp_clock_mono_ms());
    mp_turns_mark(mp_projects_turns(worker->projects), done->project);
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

/* Starts what the project has to send. Returns when it is due again. */
static int64_t start_all(mp_worker *worker, mp_project *project) {
    int64_t next_ms;
    while (!worker->transport->is_full(worker->transport)) {
        mp_request *request = next_request(project, &next_ms);
        if (!request)
            return next_ms;
        start(worker, project, request);
    }
    mp_turns_wait(mp_projects_turns(worker->projects), project);
    return mp_project_stand_by(project, mp_clock_mono_ms());
}

/* Gives the reference back. */
static void take_turn(mp_worker *worker, mp_project *project) {
    int64_t due_ms = mp_project_write_saves(project);
    if (!mp_project_config(project)->manual)
        due_ms = start_all(worker, project);
    mp_turns_end(mp_projects_turns(worker->projects), project, due_ms);
    mp_projects_sweep(worker->projects, project);
    mp_project_release(project);
}

/* Those that waited for a place go first. */
static void take_turns(mp_worker *worker) {
    mp_turns *turns = mp_projects_turns(worker->projects);
    mp_transport *transport = worker->transport;
    mp_project *project;
    size_t n = mp_turns_begin(turns, mp_clock_mono_ms());
    while (!transport->is_full(transport) &&
           (project = mp_turns_take_waiting(turns)))
        take_turn(worker, project);
    while (n-- > 0 && (project = mp_turns_take(turns)))
        take_turn(worker, project);
}

static void take_replies(mp_worker *worker) {
    mp_reply reply;
    transfer *done;
    while ((done = worker->transport->take(worker->transport, &reply))) {
        if (reply.status >= 200 && reply.status < 300)
            atomic_store(worker->succeeded, true);
        finish(worker, done, &reply);
    }
}

static int64_t time_to_sleep(mp_worker *worker) {
    int64_t due_ms = mp_turns_due(mp_projects_turns(worker->projects));
    int64_t now_ms = mp_clock_mono_ms();
    if (due_ms == INT64_MAX)
        return INT64_MAX;
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

static void make_round(mp_worker *worker) {
    mp_transport *transport = worker->transport;
    take_turns(worker);
    if (!transport->run(transport)) {
        transport->sleep(transport, time_to_sleep(worker));
        transport->run(transport);
    }
    take_replies(worker);
}

static bool write_all_saves(mp_project *project, void *user) {
    (void)user;
    mp_project_flush_saves(project);
    mp_project_write_saves(project);
    return true;
}

/* What is under way counts as queued again: nobody knows whether it came. */
static void abort_all(mp_worker *worker) {
    mp_reply reply;
    transfer *done;
    while ((done = worker->transport->abort(worker->transport, &reply)))
        finish(worker, done, &reply);
    worker->transport->close(worker->transport);
}

static void run(void *user) {
    mp_worker *worker = user;
    while (!atomic_load(&worker->stop))
        make_round(worker);
    abort_all(worker);
    mp_turns_each(mp_projects_turns(worker->projects), write_all_saves, NULL);
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
