/* What the sender does with requests, replies and the stop. */
#include "sender_helper.h"

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
