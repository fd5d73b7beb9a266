/* The end of a permit: what is under way is broken off. */
#include "sender_helper.h"

static void permit(int64_t ms) {
    mp_project_permit(project, mp_clock_mono_ms() + ms);
    wake_for_project();
}

static void wait_for_abort(void) {
    int64_t until_ms = mp_clock_mono_ms() + LONG_MS;
    while (stats().in_flight > 0 && mp_clock_mono_ms() < until_ms)
        usleep(1000);
    CHECK(stats().in_flight == 0);
}

CASE(at_the_end_of_its_permit_a_request_is_broken_off) {
    open_scene(0);
    mp_project_permit(project, mp_clock_mono_ms() + LONG_MS);
    push(MP_LANE_EVENTS, 5);
    start();
    wait_for_requests(1);
    CHECK(stats().in_flight == 5);
    permit(50); /* and nobody wakes the thread then */
    wait_for_abort();
    CHECK(transport.aborted == 1 && transport.submitted == 1);
    CHECK(stats().queued == 5);
    CHECK(strcmp(stats().last_error, "the permit of the client has ended") ==
          0);
    CHECK(stop(LONG_MS) && transport.aborted == 1);
}

CASE(what_others_have_under_way_goes_on) {
    open_scene(0);
    mp_project *first = project;
    push(MP_LANE_EVENTS, 5);
    start();
    wait_for_requests(1);
    project = open_another("u", "http://127.0.0.2:9");
    push(MP_LANE_EVENTS, 3);
    permit(LONG_MS);
    wait_for_requests(2);
    permit(0);
    wait_for_abort();
    CHECK(transport.aborted == 1);
    project = first;
    CHECK(stats().in_flight == 5);
    CHECK(stop(LONG_MS) && transport.aborted == 2);
}

CASE(at_the_end_of_the_process_what_has_a_permit_is_dropped) {
    open_scene(0);
    push(MP_LANE_EVENTS, 5);
    start();
    wait_for_requests(1);
    project = open_another("u", "http://127.0.0.2:9");
    push(MP_LANE_EVENTS, 3);
    permit(LONG_MS);
    wait_for_requests(2);
    CHECK(stop(LONG_MS) && transport.aborted == 2);
    CHECK(transport.dropped == 1);
    CHECK(stats().queued == 3 && stats().in_flight == 0);
}

/* As on the way from a disk that hung. */
CASE(what_comes_late_to_the_sender_is_not_submitted) {
    open_scene(200);
    start();
    push(MP_LANE_EVENTS, 5);
    int64_t next_ms;
    mp_request *request =
        mp_project_next_request(project, MP_DISK, mp_clock_mono_ms(), &next_ms);
    CHECK(request != NULL);
    mp_project_permit(project, mp_clock_mono_ms());
    while (!mp_handover_take_place(handover, MP_DISK))
        usleep(1000);
    mp_turns_started(mp_projects_turns(projects, MP_DISK), project);
    CHECK(
        mp_handover_put_ready(handover, mp_job_new(project, request, MP_DISK)));
    mp_job *job;
    while (!(job = mp_handover_take_reply(handover)))
        usleep(1000);
    CHECK(job->reply.status == 0 && !job->reply.sent && !job->reply.begun);
    mp_project_handle_reply(project, request, &job->reply, mp_clock_mono_ms());
    mp_job_free(job);
    CHECK(transport.submitted == 0 && stats().queued == 5);
    CHECK(stop(LONG_MS));
}

static int runs_so_far(void) {
    mp_lock_take(&transport.wait.lock);
    int runs = transport.runs;
    mp_lock_give(&transport.wait.lock);
    return runs;
}

/* The thread sleeps as long as it may. */
CASE(without_a_permit_nothing_polls) {
    open_scene(0);
    push(MP_LANE_EVENTS, 5);
    start();
    wait_for_requests(1);
    usleep(50000);
    int runs = runs_so_far();
    usleep(400000);
    CHECK(runs_so_far() == runs);
    permit(0);
    wait_for_abort();
    usleep(50000);
    runs = runs_so_far();
    usleep(400000);
    CHECK(runs_so_far() == runs);
    CHECK(stop(LONG_MS));
}

int main(void) {
    RUN(at_the_end_of_its_permit_a_request_is_broken_off);
    RUN(what_others_have_under_way_goes_on);
    RUN(at_the_end_of_the_process_what_has_a_permit_is_dropped);
    RUN(what_comes_late_to_the_sender_is_not_submitted);
    RUN(without_a_permit_nothing_polls);
    return unit_result();
}
