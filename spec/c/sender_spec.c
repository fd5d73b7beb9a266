/* The sender's thread over a transport that is a table of ours. */
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
    bool woken, stuck;
    atomic_bool closed, locked_out;
} fake;

static fake *of(mp_transport *transport) {
    return (fake *)transport;
}

static bool is_full(const mp_transport *transport) {
    const fake *f = (const fake *)transport;
    return f->n + f->silent == (int)f->base.places;
}

static mp_err submit(mp_transport *transport, const mp_request *request,
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

static bool run(mp_transport *transport) {
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

static void sleep_for(mp_transport *transport, int64_t timeout_ms) {
    fake *f = of(transport);
    int64_t until_ms =
        timeout_ms > LONG_MS ? INT64_MAX / 2 : mp_clock_mono_ms() + timeout_ms;
    mp_lock_take(&f->wait.lock);
    while (!f->woken && mp_wait_until(&f->wait, until_ms))
        continue;
    f->woken = false;
    mp_lock_give(&f->wait.lock);
}

static void wake(mp_transport *transport) {
    fake *f = of(transport);
    mp_lock_take(&f->wait.lock);
    f->woken = true;
    mp_wait_changed(&f->wait);
    mp_lock_give(&f->wait.lock);
}

static void *end_one(fake *f, bool ends, int *counter, mp_reply *reply,
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

static void *take(mp_transport *transport, mp_reply *reply) {
    fake *f = of(transport);
    int taken = 0;
    return end_one(f, f->status > 0, &taken, reply, f->status);
}

static void *break_off(mp_transport *transport, mp_reply *reply) {
    return end_one(of(transport), true, &of(transport)->aborted, reply, 0);
}

static void end(mp_transport *transport) {
    CHECK(of(transport)->n == 0);
    of(transport)->closed = true;
}

static void lock_out(mp_transport *transport) {
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

static void open_scene(int status) {
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

static void start(void) {
    handover = mp_handover_new();
    kept[keeps++] = handover;
    CHECK(mp_sender_start(projects, &transport.base, handover, &succeeded,
                          &sender) == 0);
    kept[keeps++] = sender;
    CHECK(sender != NULL);
}

static void push(mp_lane_id lane, int n) {
    mp_record record = {.head = "{}", .head_len = 2, .kind = MP_PLAIN};
    bool wakes;
    for (int i = 0; i < n; i++)
        CHECK(mp_project_push(project, lane, &record, 1, &wakes) == MP_OK);
    mp_project_flush_up_to(project, UINT64_MAX);
}

/* What happened to the project is looked at. */
static void wake_for_project(void) {
    mp_turns_mark(mp_projects_turns(projects, MP_SENDER), project);
    mp_sender_wake(sender);
}

static uint64_t wait_for_all(void) {
    wake_for_project();
    return mp_project_wait(project, UINT64_MAX, mp_clock_mono_ms() + LONG_MS);
}

/* Until so many requests were submitted. */
static void wait_for_requests(int n) {
    int64_t until_ms = mp_clock_mono_ms() + LONG_MS;
    wake_for_project();
    mp_lock_take(&transport.wait.lock);
    while (transport.submitted < n && mp_wait_until(&transport.wait, until_ms))
        continue;
    CHECK(transport.submitted == n);
    mp_lock_give(&transport.wait.lock);
}

static mp_stats stats(void) {
    mp_stats stats;
    mp_project_stats(project, &stats);
    return stats;
}

static bool stop(int64_t wait_ms) {
    return mp_sender_stop(sender, mp_clock_mono_ms() + wait_ms);
}

CASE(what_is_pushed_is_submitted_and_its_reply_taken) {
    open_scene(200);
    push(MP_LANE_EVENTS, 5);
    push(MP_LANE_PEOPLE, 5);
    start(); /* now, or it may send the first of them alone */
    CHECK(wait_for_all() == 0);
    CHECK(stats().delivered == 10 && transport.submitted == 2);
    CHECK(atomic_load(&succeeded));
    CHECK(stop(LONG_MS) && transport.closed && transport.aborted == 0);
    CHECK(!transport.locked_out);
}

CASE(no_more_are_under_way_than_there_are_places) {
    open_scene(0);
    transport.base.places = 1;
    push(MP_LANE_EVENTS, 5);
    push(MP_LANE_PEOPLE, 5);
    push(MP_LANE_GROUPS, 5);
    start();
    wait_for_requests(1);
    CHECK(stats().in_flight == 5);
    mp_lock_take(&transport.wait.lock);
    transport.status = 200;
    mp_lock_give(&transport.wait.lock);
    CHECK(wait_for_all() == 0);
    CHECK(transport.most == 1 && transport.submitted == 3);
    CHECK(stop(LONG_MS));
}

CASE(what_is_under_way_at_the_end_counts_as_queued) {
    open_scene(0);
    push(MP_LANE_EVENTS, 5);
    push(MP_LANE_GROUPS, 5);
    start();
    wait_for_requests(1); /* alone, as the host has not answered yet */
    CHECK(stop(LONG_MS) && transport.closed);
    CHECK(transport.aborted == 1);
    CHECK(stats().queued == 10 && stats().in_flight == 0);
    mp_sender_wake(sender); /* and nothing happens */
}

static mp_project *open_another(const char *token, const char *url) {
    mp_config config = {
        .token = strdup(token), .base_url = strdup(url), .name = strdup("")};
    return mp_projects_open(projects, &config, mp_overrides_new(),
                            &(unsigned){0});
}

CASE(a_host_that_does_not_answer_leaves_places_to_others) {
    enum {
        SILENT = 8
    };
    static const char url[] = "http://127.0.0.2:9";
    open_scene(200);
    transport.silent_url = url;
    mp_turns *turns = mp_projects_turns(projects, MP_SENDER);
    mp_project *healthy = project;
    for (int i = 0; i < SILENT; i++) {
        char token[16];
        snprintf(token, sizeof token, "s%d", i);
        project = open_another(token, url);
        push(MP_LANE_EVENTS, 1);
        mp_turns_mark(turns, project);
    }
    project = healthy;
    start();
    wait_for_requests(1);
    push(MP_LANE_EVENTS, 5);
    push(MP_LANE_PEOPLE, 5);
    CHECK(wait_for_all() == 0);
    CHECK(transport.submitted == 3 && transport.silent == 1);
    CHECK(stop(LONG_MS) && transport.aborted == 1);
}

CASE(what_is_not_started_is_not_lost) {
    open_scene(200);
    transport.refuses = 1;
    start();
    push(MP_LANE_EVENTS, 5);
    wait_for_requests(1);
    int64_t until_ms = mp_clock_mono_ms() + LONG_MS;
    while (stats().in_flight > 0 && mp_clock_mono_ms() < until_ms)
        usleep(1000);
    CHECK(stats().queued == 5 && stats().in_flight == 0);
    CHECK(strcmp(stats().last_error, "out of memory for a request") == 0);
    CHECK(stop(LONG_MS));
}

CASE(a_thread_that_does_not_come_is_locked_out) {
    open_scene(0);
    transport.stuck = true;
    start();
    mp_lock_take(&transport.wait.lock);
    while (transport.runs == 0)
        mp_wait_until(&transport.wait, mp_clock_mono_ms() + LONG_MS);
    mp_lock_give(&transport.wait.lock);
    CHECK(!stop(50));
    CHECK(transport.locked_out && !transport.closed);
    mp_lock_take(&transport.wait.lock);
    transport.stuck = false;
    mp_wait_changed(&transport.wait);
    mp_lock_give(&transport.wait.lock);
    int64_t until_ms = mp_clock_mono_ms() + LONG_MS;
    while (!transport.closed && mp_clock_mono_ms() < until_ms)
        usleep(1000);
    CHECK(transport.closed);
}

int main(void) {
    RUN(what_is_pushed_is_submitted_and_its_reply_taken);
    RUN(no_more_are_under_way_than_there_are_places);
    RUN(what_is_under_way_at_the_end_counts_as_queued);
    RUN(a_host_that_does_not_answer_leaves_places_to_others);
    RUN(what_is_not_started_is_not_lost);
    RUN(a_thread_that_does_not_come_is_locked_out);
    return unit_result();
}
