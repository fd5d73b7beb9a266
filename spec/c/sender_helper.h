/* The sender's thread over a transport that is a table of ours. */
#ifndef MP_SENDER_HELPER_H
#define MP_SENDER_HELPER_H

#include "core/engine/sender.h"
#include "unit.h"

#include "core/os/clock.h"
#include "core/os/wait.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    ROOM = 4,
    LONG_MS = 10000 /* for what comes at once */
};

/* What it was asked, and what it says. */
typedef struct fake {
    mp_transport base;
    mp_wait wait; /* its lock guards the rest */
    void *under_way[ROOM], *unanswered[ROOM];
    int n, silent, most;
    const char *silent_url; /* no request to it ends */
    int status;             /* of every reply; 0: none comes */
    int refuses;            /* so many are not started */
    int runs, submitted, aborted;
    int dropped; /* of those aborted, with what the system holds */
    bool woken, stuck;
    atomic_bool closed, locked_out;
} fake;

static inline fake *of(mp_transport *transport) {
    return (fake *)transport;
}

static inline bool is_full(const mp_transport *transport) {
    const fake *f = (const fake *)transport;
    return f->n + f->silent == (int)f->base.places;
}

static inline mp_err submit(mp_transport *transport, const mp_request *request,
                            void *tag) {
    fake *f = of(transport);
    mp_lock_take(&f->wait.lock);
    CHECK(request->body.len > 2 && !is_full(transport) && !f->closed);
    bool starts = f->refuses == 0;
    if (starts && f->silent_url &&
        strcmp(request->config->base_url, f->silent_url) == 0)
        f->unanswered[f->silent++] = tag;
    else if (starts)
        f->under_way[f->n++] = tag;
    else
        f->refuses--;
    f->submitted++;
    if (f->n > f->most)
        f->most = f->n;
    mp_wait_changed(&f->wait);
    mp_lock_give(&f->wait.lock);
    return starts ? MP_OK : MP_MEMORY;
}

static inline bool run(mp_transport *transport) {
    fake *f = of(transport);
    mp_lock_take(&f->wait.lock);
    f->runs++;
    mp_wait_changed(&f->wait);
    while (f->stuck)
        mp_wait_until(&f->wait, mp_clock_mono_ms() + LONG_MS);
    bool ended = f->n > 0 && f->status > 0;
    mp_lock_give(&f->wait.lock);
    return ended;
}

static inline void sleep_for(mp_transport *transport, int64_t timeout_ms) {
    fake *f = of(transport);
    int64_t until_ms =
        timeout_ms > LONG_MS ? INT64_MAX / 2 : mp_clock_mono_ms() + timeout_ms;
    mp_lock_take(&f->wait.lock);
    while (!f->woken && mp_wait_until(&f->wait, until_ms))
        continue;
    f->woken = false;
    mp_lock_give(&f->wait.lock);
}

static inline void wake(mp_transport *transport) {
    fake *f = of(transport);
    mp_lock_take(&f->wait.lock);
    f->woken = true;
    mp_wait_changed(&f->wait);
    mp_lock_give(&f->wait.lock);
}

static inline void *end_one(fake *f, bool ends, int *counter, mp_reply *reply,
                            int status) {
    static const char ok[] = "{\"code\":200,\"error\":null,\"status\":1}";
    void *tag = NULL;
    mp_lock_take(&f->wait.lock);
    if (f->n > 0 && ends) {
        tag = f->under_way[--f->n];
        *reply = (mp_reply){.status = status, .body = ok, .len = sizeof ok - 1};
        *counter += 1;
    } else if (f->silent > 0 && counter == &f->aborted) {
        tag = f->unanswered[--f->silent];
        *reply = (mp_reply){.status = 0};
        *counter += 1;
    }
    mp_lock_give(&f->wait.lock);
    return tag;
}

static inline void *take(mp_transport *transport, mp_reply *reply) {
    fake *f = of(transport);
    int taken = 0;
    return end_one(f, f->status > 0, &taken, reply, f->status);
}

/* The one that ends next is put in its place. */
static inline bool put_last(fake *f, const void *tag) {
    bool found = false;
    mp_lock_take(&f->wait.lock);
    for (int i = 0; i < f->n && !found; i++) {
        found = f->under_way[i] == tag;
        if (found) {
            void *last = f->under_way[f->n - 1];
            f->under_way[f->n - 1] = f->under_way[i];
            f->under_way[i] = last;
        }
    }
    mp_lock_give(&f->wait.lock);
    return found;
}

static inline void *break_off(mp_transport *transport, const void *tag,
                              mp_reply *reply) {
    fake *f = of(transport);
    if (tag && !put_last(f, tag))
        return NULL;
    f->dropped += tag != NULL;
    return end_one(f, true, &f->aborted, reply, 0);
}

static inline void end(mp_transport *transport) {
    CHECK(of(transport)->n == 0);
    of(transport)->closed = true;
}

static inline void lock_out(mp_transport *transport) {
    of(transport)->locked_out = true;
}

/* ---- the scene ---- */

static fake transport;
static mp_projects *projects;
static mp_project *project;
static mp_handover *handover;
static mp_sender *sender;
static atomic_bool succeeded;
static void *kept[32]; /* what lives as long as a process, for leak checks */
static int keeps;

static inline void open_scene(int status) {
    mp_config config = {.token = strdup("t"),
                        .base_url = strdup("http://127.0.0.1:9"),
                        .name = strdup("")};
    transport = (fake){
        .base = {.submit = submit,
                 .run = run,
                 .sleep = sleep_for,
                 .wake = wake,
                 .take = take,
                 .abort = break_off,
                 .close = end,
                 .lock_out = lock_out,
                 .places = ROOM},
        .status = status,
    };
    CHECK(mp_wait_init(&transport.wait) == MP_OK);
    atomic_store(&succeeded, false);
    projects = mp_projects_new();
    kept[keeps++] = projects;
    project =
        mp_projects_open(projects, &config, mp_overrides_new(), &(unsigned){0});
    CHECK(project != NULL);
}

static inline void start(void) {
    handover = mp_handover_new();
    kept[keeps++] = handover;
    CHECK(mp_sender_start(projects, &transport.base, handover, &succeeded,
                          &sender) == 0);
    kept[keeps++] = sender;
    CHECK(sender != NULL);
}

static inline void push(mp_lane_id lane, int n) {
    mp_record record = {.head = "{}", .head_len = 2, .kind = MP_PLAIN};
    bool wakes;
    for (int i = 0; i < n; i++)
        CHECK(mp_project_push(project, lane, &record, 1, &wakes) == MP_OK);
    mp_project_flush_up_to(project, UINT64_MAX);
}

/* What happened to the project is looked at. */
static inline void wake_for_project(void) {
    mp_turns_mark(mp_projects_turns(projects, MP_SENDER), project);
    mp_sender_wake(sender);
}

static inline uint64_t wait_for_all(void) {
    wake_for_project();
    return mp_project_wait(project, UINT64_MAX, mp_clock_mono_ms() + LONG_MS);
}

/* Until so many requests were submitted. */
static inline void wait_for_requests(int n) {
    int64_t until_ms = mp_clock_mono_ms() + LONG_MS;
    wake_for_project();
    mp_lock_take(&transport.wait.lock);
    while (transport.submitted < n && mp_wait_until(&transport.wait, until_ms))
        continue;
    CHECK(transport.submitted == n);
    mp_lock_give(&transport.wait.lock);
}

static inline mp_stats stats(void) {
    mp_stats stats;
    mp_project_stats(project, &stats);
    return stats;
}

static inline bool stop(int64_t wait_ms) {
    return mp_sender_stop(sender, mp_clock_mono_ms() + wait_ms);
}

static inline mp_project *open_another(const char *token, const char *url) {
    mp_config config = {
        .token = strdup(token), .base_url = strdup(url), .name = strdup("")};
    return mp_projects_open(projects, &config, mp_overrides_new(),
                            &(unsigned){0});
}

#endif
