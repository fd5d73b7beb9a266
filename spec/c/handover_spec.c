/* What passes between the two threads: places in turn, nothing lost at the
 * end. */
#include "core/engine/handover.h"
#include "unit.h"

#include "core/os/clock.h"

#include <stdlib.h>

static int wakes; /* of the sender */

static void wake(mp_transport *transport) {
    (void)transport;
    wakes++;
}

static mp_handover *handover;
static mp_project *project;
static void *volatile kept[8]; /* handovers live as long as a process */
static int keeps;

static void open_scene(uint32_t places) {
    static mp_transport transport;
    mp_config config = {.token = strdup("t"),
                        .base_url = strdup("http://127.0.0.1:9"),
                        .name = strdup("")};
    transport = (mp_transport){.wake = wake, .places = places};
    handover = mp_handover_new();
    kept[keeps++] = handover;
    project = mp_project_new(&config);
    wakes = 0;
    if (places > 0)
        mp_handover_open(handover, &transport);
}

static bool take(mp_role role) {
    return mp_handover_take_place(handover, role);
}

static void give(mp_role role) {
    mp_handover_give_place(handover, role);
}

static mp_job *new_job(mp_role role) {
    static mp_request request;
    return mp_job_new(project, &request, role);
}

CASE(there_are_so_many_places_and_no_more) {
    open_scene(2);
    CHECK(take(MP_SENDER) && take(MP_DISK));
    CHECK(!take(MP_SENDER) && !mp_handover_has_place(handover, MP_SENDER));
    give(MP_SENDER);
    CHECK(take(MP_SENDER) && !take(MP_SENDER));
    mp_project_release(project);
}

CASE(each_gets_one_in_turn_when_both_wait) {
    open_scene(2);
    CHECK(take(MP_SENDER) && take(MP_SENDER));
    CHECK(!take(MP_SENDER) && !take(MP_DISK));
    give(MP_SENDER); /* is the disk's */
    CHECK(!take(MP_SENDER) && take(MP_DISK) && !take(MP_DISK));
    give(MP_DISK); /* is the sender's */
    CHECK(wakes == 1);
    CHECK(!take(MP_DISK) && take(MP_SENDER));
    mp_project_release(project);
}

CASE(who_wants_none_any_more_leaves_it_to_the_other) {
    open_scene(1);
    CHECK(take(MP_SENDER) && !take(MP_DISK));
    give(MP_SENDER);
    CHECK(!take(MP_SENDER));
    mp_handover_waive_places(handover, MP_DISK);
    CHECK(wakes == 1 && take(MP_SENDER));
    mp_project_release(project);
}

CASE(without_a_sender_there_is_no_place) {
    open_scene(0);
    mp_job *job = new_job(MP_DISK);
    CHECK(!take(MP_DISK) && !mp_handover_put_ready(handover, job));
    mp_job_free(job);
    mp_handover_await_close(handover, INT64_MAX / 2); /* comes back at once */
    mp_project_release(project);
}

CASE(what_was_ready_at_the_end_comes_back) {
    open_scene(3);
    mp_job *jobs[3];
    for (int i = 0; i < 3; i++) {
        jobs[i] = new_job(MP_DISK);
        CHECK(take(MP_DISK) && mp_handover_put_ready(handover, jobs[i]));
    }
    CHECK(wakes == 3 && mp_handover_take_ready(handover) == jobs[0]);
    mp_handover_close(handover, "the end");
    mp_job_keep(jobs[0], &(mp_reply){.status = 200, .body = "1", .len = 1});
    mp_handover_put_reply(handover, jobs[0]);
    CHECK(mp_handover_take_reply(handover) == jobs[1]);
    CHECK(mp_handover_take_reply(handover) == jobs[2]);
    CHECK(mp_handover_take_reply(handover) == jobs[0]);
    CHECK(jobs[1]->reply.status == 0 && !jobs[1]->reply.sent);
    CHECK(strcmp(jobs[1]->reply.failure, "the end") == 0);
    CHECK(jobs[0]->reply.status == 200 && jobs[0]->reply.body[0] == '1');
    CHECK(mp_handover_take_ready(handover) == NULL && !take(MP_DISK));
    for (int i = 0; i < 3; i++)
        mp_job_free(jobs[i]);
    mp_project_release(project);
}

CASE(a_reply_outlives_what_it_came_in) {
    open_scene(1);
    char body[] = "body", etag[] = "etag";
    mp_job *job = new_job(MP_DISK);
    mp_reply reply = {.status = 200, .body = body, .len = 4, .etag = etag};
    mp_job_keep(job, &reply);
    body[0] = etag[0] = 'x';
    CHECK(job->reply.len == 4 && memcmp(job->reply.body, "body", 4) == 0);
    CHECK(strcmp(job->reply.etag, "etag") == 0);
    mp_job_free(job);
    mp_project_release(project);
}

CASE(a_wake_that_comes_before_the_sleep_ends_it) {
    open_scene(1);
    int64_t start_ms = mp_clock_mono_ms();
    mp_handover_wake(handover, MP_DISK);
    mp_handover_sleep(handover, start_ms + 60000);
    mp_job *job = new_job(MP_DISK);
    mp_handover_put_reply(handover, job);
    mp_handover_sleep(handover, start_ms + 60000);
    CHECK(mp_clock_mono_ms() < start_ms + 50000);
    CHECK(mp_handover_take_reply(handover) == job);
    mp_job_free(job);
    mp_project_release(project);
}

int main(void) {
    RUN(there_are_so_many_places_and_no_more);
    RUN(each_gets_one_in_turn_when_both_wait);
    RUN(who_wants_none_any_more_leaves_it_to_the_other);
    RUN(without_a_sender_there_is_no_place);
    RUN(what_was_ready_at_the_end_comes_back);
    RUN(a_reply_outlives_what_it_came_in);
    RUN(a_wake_that_comes_before_the_sleep_ends_it);
    return unit_result();
}
