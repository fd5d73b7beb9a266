#include "core/engine/worker.h"

#include "core/os/clock.h"
#include "core/os/thread.h"
#include "core/os/wait.h"
#include "core/transport/http.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FORK_WAIT_MS = 1000,
    LOCK_OUT_MS = 5000 /* a handshake on a starved machine takes seconds */
};

struct mp_worker {
    mp_thread thread;
    mp_projects *projects;
    atomic_bool *succeeded;
    atomic_bool stop;
    mp_http *http;
    /* Held by the thread whenever it is inside libcurl but for its sleep, and
     * by nobody else but a fork. */
    mp_lock inside;
    bool outside;             /* during a fork: the fork holds it */
    struct mp_worker *before; /* in a forked child: abandoned earlier */
    uint64_t next_project; /* the project to ask first: see mp_projects_walk */
    mp_wait wait;          /* for what follows */
    bool closing;          /* `http` is about to be freed */
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

/* Out of memory, the request gets that for a reply. */
static void start(mp_worker *worker, mp_project *project, mp_request *request) {
    transfer *fresh = malloc(sizeof *fresh);
    if (fresh) {
        mp_settings *settings = mp_project_settings(project);
        *fresh = (transfer){project, request};
        mp_project_retain(project);
        mp_lock_take(&worker->inside);
        mp_err err = mp_http_start(worker->http, request, settings, fresh);
        mp_lock_give(&worker->inside);
        mp_settings_release(settings);
        if (err == MP_OK)
            return;
        mp_project_release(project);
        free(fresh);
    }
    mp_reply none = {.status = 0};
    snprintf(none.failure, MP_MESSAGE, "out of memory for a request");
    mp_project_handle_reply(project, request, &none, mp_clock_mono_ms());
}

/* What a pass over the projects keeps. */
typedef struct pass {
    mp_worker *worker;
    int64_t next_ms; /* when the first of them wants to be asked again */
} pass;

static bool start_all(mp_project *project, void *user) {
    pass *now = user;
    mp_worker *worker = now->worker;
    if (mp_project_config(project)->manual)
        return true;
    while (mp_http_active(worker->http) < MP_HTTP_TRANSFERS) {
        int64_t next_ms;
        mp_request *request = mp_project_next_request(
            project, mp_clock_mono_ms(), mp_clock_wall_ms(), &next_ms);
        if (!request) {
            if (next_ms < now->next_ms)
                now->next_ms = next_ms;
            return true;
        }
        start(worker, project, request);
    }
    return false; /* a reply frees a place, and this project comes first */
}

/* The disk does not wait for a free place. */
static bool maintain(mp_project *project, void *user) {
    pass *now = user;
    int64_t next_ms = mp_project_maintain(project, mp_clock_mono_ms());
    if (next_ms < now->next_ms)
        now->next_ms = next_ms;
    return true;
}

static transfer *take(mp_worker *worker, mp_reply *reply,
                      void *(*from)(mp_http *http, mp_reply *reply)) {
    mp_lock_take(&worker->inside);
    transfer *done = from(worker->http, reply);
    mp_lock_give(&worker->inside);
    return done;
}

static bool write_saves(mp_project *project, void *user) {
    bool *any = user;
    *any |= mp_project_write_saves(project, false);
    return true;
}

static bool write_all_saves(mp_project *project, void *user) {
    (void)user;
    mp_project_write_saves(project, true);
    return true;
}

static void take_replies(mp_worker *worker) {
    mp_reply reply;
    transfer *done;
    while ((done = take(worker, &reply, mp_http_take))) {
        if (reply.status >= 200 && reply.status < 300)
            atomic_store(worker->succeeded, true);
        finish(done, &reply);
    }
    mp_projects_sweep(worker->projects);
}

static bool move_along(mp_worker *worker) {
    mp_lock_take(&worker->inside);
    bool any_ended = mp_http_run(worker->http);
    mp_lock_give(&worker->inside);
    return any_ended;
}

/* Saves and starts what is due, then sleeps until something else is, a transfer
 * gets on, or somebody wakes. */
static void make_pass(mp_worker *worker) {
    bool saved = false;
    mp_projects_each(worker->projects, write_saves, &saved);
    if (saved)
        mp_projects_sweep(worker->projects);
    pass now = {worker, INT64_MAX};
    worker->next_project = mp_projects_walk(
        worker->projects, worker->next_project, start_all, &now);
    if (mp_http_active(worker->http) == MP_HTTP_TRANSFERS)
        mp_projects_each(worker->projects, maintain, &now);
    if (!move_along(worker)) {
        int64_t wait_ms = now.next_ms;
        if (wait_ms != INT64_MAX) {
            wait_ms -= mp_clock_mono_ms();
            if (wait_ms < 0)
                wait_ms = 0;
        }
        mp_http_sleep(worker->http, wait_ms);
        move_along(worker);
    }
    take_replies(worker);
}

/* What is under way counts as queued again: nobody knows whether it came. */
static void abort_all(mp_worker *worker) {
    mp_reply reply;
    transfer *done;
    while ((done = take(worker, &reply, mp_http_abort)))
        finish(done, &reply);
    mp_lock_take(&worker->wait.lock);
    worker->closing = true;
    mp_lock_give(&worker->wait.lock);
    mp_lock_take(&worker->inside);
    mp_http_free(worker->http);
    worker->http = NULL;
    mp_lock_give(&worker->inside);
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

static void free_worker(mp_worker *worker) {
    if (worker->http)
        mp_http_free(worker->http);
    mp_lock_destroy(&worker->inside);
    mp_wait_destroy(&worker->wait);
    free(worker);
}

mp_worker *mp_worker_start(mp_projects *projects, atomic_bool *succeeded) {
    mp_worker *worker = calloc(1, sizeof *worker);
    if (!worker || mp_wait_init(&worker->wait) != MP_OK) {
        free(worker);
        return NULL;
    }
    if (mp_lock_init(&worker->inside) != MP_OK) {
        mp_wait_destroy(&worker->wait);
        free(worker);
        return NULL;
    }
    worker->projects = projects;
    worker->succeeded = succeeded;
    worker->http = mp_http_new();
    if (worker->http &&
        mp_thread_start(&worker->thread, "mixpanel-send", run, worker) == 0)
        return worker;
    free_worker(worker);
    return NULL;
}

void mp_worker_wake(mp_worker *worker) {
    mp_lock_take(&worker->wait.lock);
    if (!worker->closing)
        mp_http_wake(worker->http);
    mp_lock_give(&worker->wait.lock);
}

/* Waits until the thread is outside of libcurl and keeps it there, at most so
 * many milliseconds. */
static bool lock_inside(mp_worker *worker, int64_t wait_ms) {
    return mp_lock_take_until(&worker->inside, mp_clock_mono_ms() + wait_ms);
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
    /* It may be anywhere but where the end of the process is about to tear
     * things down. */
    lock_inside(worker, LOCK_OUT_MS);
    mp_thread_leave(&worker->thread);
    return false;
}

/* ---- fork ---- */

void mp_worker_before_fork(mp_worker *worker) {
    worker->outside = lock_inside(worker, FORK_WAIT_MS);
}

void mp_worker_in_parent(mp_worker *worker) {
    if (worker->outside)
        mp_lock_give(&worker->inside);
}

void mp_worker_in_child(mp_worker *worker, mp_worker *before) {
    worker->before = before;
    if (worker->outside && worker->http)
        mp_http_abandon(worker->http);
}
