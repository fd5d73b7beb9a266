#include "worker.h"

#include "clock.h"
#include "http.h"
#include "wait.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct mp_worker {
    pthread_t thread;
    mp_projects *projects;
    atomic_bool *reached;
    atomic_bool stop;
    mp_http *http;
    mp_wait wait; /* for `ended` */
    bool ended;   /* the thread touches nothing any more */
};

/* A request under way and whose it is. */
typedef struct errand {
    mp_project *project; /* a reference */
    mp_request *request;
} errand;

static void finish(errand *done, const mp_reply *reply) {
    mp_project_answer(done->project, done->request, reply, mp_clock_mono_ms());
    mp_project_release(done->project);
    free(done);
}

/* Out of memory, the request gets that for a reply. */
static void start(mp_worker *worker, mp_project *project, mp_request *request) {
    errand *fresh = malloc(sizeof *fresh);
    if (fresh) {
        mp_settings *settings = mp_project_settings(project);
        *fresh = (errand){project, request};
        mp_project_retain(project);
        mp_err err = mp_http_start(worker->http, request, settings, fresh);
        mp_settings_release(settings);
        if (err == MP_OK)
            return;
        mp_project_release(project);
        free(fresh);
    }
    mp_reply none = {.status = 0};
    snprintf(none.failure, MP_MESSAGE, "out of memory for a request");
    mp_project_answer(project, request, &none, mp_clock_mono_ms());
}

/* What a round over the projects carries along. */
typedef struct round {
    mp_worker *worker;
    int64_t next_ms; /* when the first of them wants to be asked again */
} round;

static bool start_all(mp_project *project, void *user) {
    round *now = user;
    mp_worker *worker = now->worker;
    if (mp_project_config(project)->manual)
        return true;
    while (mp_http_active(worker->http) < MP_HTTP_TRANSFERS) {
        int64_t next_ms;
        mp_request *request = mp_project_next(project, mp_clock_mono_ms(),
                                              mp_clock_wall_ms(), &next_ms);
        if (!request) {
            if (next_ms < now->next_ms)
                now->next_ms = next_ms;
            return true;
        }
        start(worker, project, request);
    }
    return false; /* a reply frees a place and starts the next round */
}

static void take_replies(mp_worker *worker) {
    mp_reply reply;
    errand *done;
    bool any = false;
    while ((done = mp_http_take(worker->http, &reply))) {
        if (reply.status > 0)
            atomic_store(worker->reached, true);
        finish(done, &reply);
        any = true;
    }
    if (any)
        mp_projects_sweep(worker->projects);
}

static void *run(void *user) {
    mp_worker *worker = user;
    while (!atomic_load(&worker->stop)) {
        round now = {worker, INT64_MAX};
        mp_projects_each(worker->projects, start_all, &now);
        int64_t wait_ms = now.next_ms;
        if (wait_ms != INT64_MAX) {
            wait_ms -= mp_clock_mono_ms();
            if (wait_ms < 0)
                wait_ms = 0;
        }
        mp_http_poll(worker->http, wait_ms);
        take_replies(worker);
    }
    mp_reply reply;
    errand *done;
    while ((done = mp_http_abort(worker->http, &reply)))
        finish(done, &reply);
    pthread_mutex_lock(&worker->wait.lock);
    worker->ended = true;
    mp_wait_changed(&worker->wait);
    pthread_mutex_unlock(&worker->wait.lock);
    return NULL;
}

static void free_worker(mp_worker *worker) {
    if (worker->http)
        mp_http_free(worker->http);
    mp_wait_destroy(&worker->wait);
    free(worker);
}

mp_worker *mp_worker_start(mp_projects *projects, atomic_bool *reached) {
    mp_worker *worker = calloc(1, sizeof *worker);
    if (!worker || mp_wait_init(&worker->wait) != MP_OK) {
        free(worker);
        return NULL;
    }
    worker->projects = projects;
    worker->reached = reached;
    worker->http = mp_http_new();
    /* The host's signals are for the host's threads, and a SIGPIPE here
     * would end the process. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool runs =
        worker->http && pthread_create(&worker->thread, NULL, run, worker) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (runs)
        return worker;
    free_worker(worker);
    return NULL;
}

void mp_worker_wake(mp_worker *worker) {
    mp_http_wake(worker->http);
}

bool mp_worker_stop(mp_worker *worker, int64_t deadline_ms) {
    atomic_store(&worker->stop, true);
    mp_worker_wake(worker);
    pthread_mutex_lock(&worker->wait.lock);
    while (!worker->ended && mp_wait_until(&worker->wait, deadline_ms))
        continue;
    bool ended = worker->ended;
    pthread_mutex_unlock(&worker->wait.lock);
    if (!ended) {
        pthread_detach(worker->thread);
        return false;
    }
    pthread_join(worker->thread, NULL);
    free_worker(worker);
    return true;
}
