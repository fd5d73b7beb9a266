/* When a push asks for the sender: as often as records could leave earlier
 * for it, and not more. */
#include "core/project/project.h"
#include "unit.h"

#include "core/os/clock.h"

#include <stdlib.h>

/* A client opens that says this setting. */
static void say(mp_project *project, const char *name, double value) {
    mp_overrides *client = mp_overrides_new();
    mp_settings_number(client->values, mp_setting_find(name), value);
    mp_overrides_say(client, mp_setting_find(name));
    CHECK(mp_project_add_client(project, client) == MP_OK);
}

static mp_project *open_project(void) {
    mp_config config = {.token = strdup("t"),
                        .base_url = strdup("http://127.0.0.1:9"),
                        .name = strdup("")};
    mp_project *project = mp_project_new(&config);
    say(project, "max_in_flight", 1);
    say(project, "max_batch_size", 3);
    say(project, "max_retry_delay", 60 * 60);
    return project;
}

static bool wakes(mp_project *project, mp_lane_id lane) {
    bool wake;
    mp_record record = {.head = "{}", .head_len = 2, .kind = MP_PLAIN};
    CHECK(mp_project_push(project, lane, &record, 1, &wake) == MP_OK);
    return wake;
}

/* What the sender does when it was woken. */
static mp_request *next(mp_project *project, int64_t now_ms) {
    int64_t next_ms;
    return mp_project_next_request(project, MP_HOST, now_ms, &next_ms);
}

/* Three events, whose request is under way. */
static mp_request *fill(mp_project *project, int64_t now_ms) {
    for (int i = 0; i < 3; i++)
        wakes(project, MP_LANE_EVENTS);
    mp_request *request = next(project, now_ms);
    CHECK(request != NULL);
    CHECK(next(project, now_ms) == NULL);
    return request;
}

static void response(mp_project *project, mp_request *request, int status,
                     int64_t now_ms) {
    static const char ok[] = "{\"code\":200,\"error\":null,\"status\":1}";
    mp_reply reply = {.status = status, .body = ok, .len = sizeof ok - 1};
    mp_project_handle_reply(project, request, &reply, now_ms);
}

CASE(the_first_record_wakes_and_the_one_that_fills_a_batch) {
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    CHECK(next(project, now_ms) == NULL);
    CHECK(wakes(project, MP_LANE_EVENTS));
    CHECK(next(project, now_ms) == NULL);
    CHECK(!wakes(project, MP_LANE_EVENTS));
    CHECK(wakes(project, MP_LANE_EVENTS));
    response(project, next(project, now_ms), 200, now_ms);
    CHECK(next(project, now_ms) == NULL);
    CHECK(wakes(project, MP_LANE_EVENTS));
    mp_project_release(project);
}

CASE(while_all_requests_are_under_way_a_reply_comes_first) {
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    mp_request *request = fill(project, now_ms);
    for (int i = 1; i < 9; i++) { /* every third fills a batch */
        CHECK(wakes(project, MP_LANE_EVENTS) == (i % 3 == 0));
        CHECK(next(project, now_ms) == NULL);
    }
    CHECK(wakes(project, MP_LANE_PEOPLE)); /* another lane goes on */
    response(project, request, 200, now_ms);
    request = next(project, now_ms);
    CHECK(request != NULL);
    response(project, request, 200, now_ms);
    mp_project_release(project);
}

CASE(while_a_lane_backs_off_the_end_of_that_comes_first) {
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms(), next_ms;
    response(project, fill(project, now_ms), 503, now_ms);
    CHECK(!mp_project_next_request(project, MP_HOST, now_ms, &next_ms));
    CHECK(next_ms > now_ms && next_ms < INT64_MAX);
    for (int i = 0; i < 10; i++) /* until the rest is longer than a flush */
        if (next_ms <= now_ms + 20 * 1000) {
            response(project, next(project, next_ms), 503, next_ms);
            next(project, next_ms);
            mp_project_next_request(project, MP_HOST, next_ms, &next_ms);
        }
    CHECK(next_ms > now_ms + 20 * 1000);
    CHECK(!wakes(project, MP_LANE_EVENTS));
    CHECK(!wakes(project, MP_LANE_EVENTS));
    CHECK(wakes(project, MP_LANE_GROUPS));
    mp_request *request = next(project, next_ms);
    CHECK(request != NULL);
    response(project, request, 200, next_ms);
    mp_project_release(project);
}

CASE(new_settings_may_allow_more) {
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    mp_request *request = fill(project, now_ms);
    wakes(project, MP_LANE_EVENTS);
    CHECK(next(project, now_ms) == NULL);
    say(project, "max_in_flight", 2);
    CHECK(wakes(project, MP_LANE_EVENTS));
    response(project, request, 200, now_ms);
    mp_project_release(project);
}

CASE(a_late_reply_to_a_check_does_not_undo_a_newer_one) {
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    char message[MP_MESSAGE];
    uint64_t first = mp_project_check(project);
    mp_request *late = next(project, now_ms);
    uint64_t second = mp_project_check(project);
    mp_request *newer = next(project, now_ms);
    CHECK(late && newer);
    response(project, newer, 200, now_ms);
    response(project, late, 401, now_ms);
    CHECK(mp_project_await_check(project, first, now_ms, message) == MP_OK);
    CHECK(mp_project_await_check(project, second, now_ms, message) == MP_OK);
    mp_project_release(project);
}

int main(void) {
    RUN(the_first_record_wakes_and_the_one_that_fills_a_batch);
    RUN(while_all_requests_are_under_way_a_reply_comes_first);
    RUN(while_a_lane_backs_off_the_end_of_that_comes_first);
    RUN(new_settings_may_allow_more);
    RUN(a_late_reply_to_a_check_does_not_undo_a_newer_one);
    return unit_result();
}
