/* When a project hands out requests: as long as it is permitted. On virtual
 * time. */
#include "core/os/clock.h"
#include "core/project/project_state.h"
#include "unit.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int64_t now_ms, next_ms;

static mp_project *open_project(void) {
    mp_config config = {.token = strdup("t"),
                        .base_url = strdup("http://127.0.0.1:9"),
                        .name = strdup("")};
    now_ms = mp_clock_mono_ms();
    mp_project *project = mp_project_new(&config);
    CHECK(project != NULL);
    return project;
}

static bool push(mp_project *project, mp_lane_id lane) {
    bool wake;
    mp_record record = {.head = "{}", .head_len = 2, .kind = MP_PLAIN};
    CHECK(mp_project_push(project, lane, &record, 1, &wake) == MP_OK);
    return wake;
}

static mp_request *next(mp_project *project) {
    return mp_project_next_request(project, MP_HOST, now_ms, &next_ms);
}

static void fail(mp_project *project, mp_request *request) {
    mp_reply none = {.sent = true, .begun = true};
    mp_project_handle_reply(project, request, &none, now_ms);
}

CASE(there_are_requests_until_then) {
    mp_project *project = open_project();
    CHECK(mp_project_permitted_until(project) == INT64_MAX);
    push(project, MP_LANE_EVENTS);
    push(project, MP_LANE_PEOPLE);
    mp_project_flush_up_to(project, UINT64_MAX);
    mp_project_permit(project, now_ms + 1000);
    now_ms += 999;
    mp_request *request = next(project);
    CHECK(request != NULL);
    now_ms += 1;
    CHECK(!next(project) && next_ms == INT64_MAX);
    fail(project, request);
    now_ms += INT64_C(100) * 3600 * 1000;
    CHECK(!next(project) && next_ms == INT64_MAX);
    mp_stats stats;
    mp_project_stats(project, &stats);
    CHECK(stats.queued == 2 && stats.in_flight == 0 && stats.ambiguous == 1);
    mp_project_permit(project, now_ms + 1);
    request = next(project);
    mp_request *other = next(project);
    CHECK(request && other);
    fail(project, request);
    fail(project, other);
    mp_project_release(project);
}

static void set_max_age(mp_project *project, int64_t ms) {
    mp_overrides *client = mp_overrides_new();
    CHECK(client != NULL);
    client->values->max_age_ms = ms;
    mp_overrides_say(client, mp_setting_find("max_age"));
    CHECK(mp_project_add_client(project, client) == MP_OK);
}

CASE(records_grow_too_old_meanwhile) {
    mp_project *project = open_project();
    push(project, MP_LANE_EVENTS);
    push(project, MP_LANE_PEOPLE);
    mp_project_flush_up_to(project, UINT64_MAX);
    mp_request *request = next(project);
    CHECK(request != NULL);
    push(project, MP_LANE_GROUPS);
    mp_project_permit(project, now_ms);
    set_max_age(project, 10000);
    int64_t pushed_ms = mp_clock_mono_ms();
    CHECK(!next(project));
    CHECK(next_ms > now_ms && next_ms <= pushed_ms + 10000);
    now_ms = pushed_ms + 10000;
    CHECK(!next(project) && next_ms == INT64_MAX);
    mp_stats stats;
    mp_project_stats(project, &stats);
    CHECK(stats.queued == 0 && stats.in_flight == 1);
    CHECK(stats.dropped_expired == 2);
    fail(project, request);
    CHECK(!next(project));
    mp_project_stats(project, &stats);
    CHECK(stats.in_flight == 0 && stats.dropped_expired == 3);
    mp_project_release(project);
}

CASE(it_may_end_earlier_and_be_lifted) {
    mp_project *project = open_project();
    push(project, MP_LANE_EVENTS);
    mp_project_flush_up_to(project, UINT64_MAX);
    mp_project_permit(project, now_ms + 1000);
    mp_project_permit(project, now_ms);
    CHECK(!next(project));
    mp_project_permit(project, INT64_MAX);
    now_ms = INT64_MAX - 1;
    mp_request *request = next(project);
    CHECK(request != NULL);
    now_ms = mp_clock_mono_ms();
    fail(project, request);
    mp_project_release(project);
}

CASE(nor_is_anything_asked_for_meanwhile) {
    mp_project *project = open_project();
    mp_project_permit(project, now_ms);
    mp_project_check(project);
    CHECK(!next(project));
    CHECK(!mp_project_next_definitions(project, now_ms, &next_ms));
    mp_project_permit(project, now_ms + 1);
    mp_request *request = next(project);
    CHECK(request && !((mp_flight *)request)->batch);
    fail(project, request);
    mp_project_release(project);
}

CASE(records_wake_nobody_meanwhile) {
    mp_project *project = open_project();
    push(project, MP_LANE_EVENTS);
    mp_project_permit(project, now_ms);
    CHECK(!next(project));
    for (int i = 0; i < 100; i++)
        CHECK(!push(project, MP_LANE_EVENTS) && !push(project, MP_LANE_PEOPLE));
    mp_project_permit(project, INT64_MAX);
    CHECK(push(project, MP_LANE_EVENTS)); /* as the thread did not come yet */
    mp_project_release(project);
}

CASE(a_forked_child_has_what_was_said_before) {
    mp_project *project = open_project();
    mp_project_permit(project, now_ms + 5000);
    mp_project_begin_fork();
    pid_t pid = fork();
    if (pid == 0) {
        mp_project_end_fork_in_child();
        CHECK(mp_project_permitted_until(project) == now_ms + 5000);
        push(project, MP_LANE_EVENTS);
        mp_project_flush_up_to(project, UINT64_MAX);
        CHECK(mp_project_permitted_until(project) == now_ms + 5000);
        now_ms += 5000;
        CHECK(!next(project));
        now_ms -= 1;
        CHECK(next(project) != NULL);
        _exit(unit_bad);
    }
    mp_project_end_fork_in_parent();
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    mp_project_release(project);
}

int main(void) {
    RUN(there_are_requests_until_then);
    RUN(records_grow_too_old_meanwhile);
    RUN(it_may_end_earlier_and_be_lifted);
    RUN(nor_is_anything_asked_for_meanwhile);
    RUN(records_wake_nobody_meanwhile);
    RUN(a_forked_child_has_what_was_said_before);
    return unit_result();
}
