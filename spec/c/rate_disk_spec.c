/* A project with max_rate whose backlog stands on disk. */
#include "project_helper.h"

enum {
    MINUTE_MS = 60 * 1000,
    BATCHES = 60
};

static const mp_lane_id lanes[] = {MP_LANE_EVENTS, MP_LANE_IMPORT,
                                   MP_LANE_GROUPS};

/* Of each of these lanes so many batches of one record. */
static void leave_backlogs(mp_project *project, int n) {
    for (int i = 1; i <= n; i++)
        for (size_t j = 0; j < sizeof lanes / sizeof *lanes; j++)
            leave_sealed(project, lanes[j], i);
}

static void say_rate(mp_project *project, double rate) {
    mp_overrides *client = mp_overrides_new();
    mp_settings_number(client->values, mp_setting_find("max_rate"), rate);
    mp_overrides_say(client, mp_setting_find("max_rate"));
    CHECK(mp_project_add_client(project, client) == MP_OK);
}

/* Sends for a minute, as fast as the rate allows, one request after another;
 * meanwhile more comes in for the first lane. */
static void live(mp_project *project, int64_t start_ms,
                 uint32_t sent_of[MP_LANES]) {
    static const char ok[] = "{\"status\":1,\"error\":null}";
    mp_reply reply = {.status = 200, .body = ok, .len = sizeof ok - 1};
    int64_t next_ms, now_ms = start_ms;
    int n = 1000;
    while (now_ms < start_ms + MINUTE_MS) {
        mp_project_prepare(project, now_ms);
        mp_request *request =
            mp_project_next_request(project, MP_HOST, now_ms, &next_ms);
        if (request) {
            mp_flight *flight = (mp_flight *)request;
            sent_of[flight->lane] += flight->batch->count;
            mp_project_handle_reply(project, request, &reply, now_ms);
            continue;
        }
        mp_project_maintain(project, now_ms);
        push(project, MP_LANE_EVENTS, n++);
        mp_project_flush_up_to(project, UINT64_MAX);
        now_ms += 200;
    }
}

CASE(no_lane_on_disk_is_starved) {
    uint32_t sent_of[MP_LANES] = {0};
    enter();
    die_after(leave_backlogs, BATCHES);
    mp_project *project = open_project();
    say_rate(project, 2);
    live(project, mp_clock_mono_ms(), sent_of);
    for (size_t j = 0; j < sizeof lanes / sizeof *lanes; j++)
        CHECK(sent_of[lanes[j]] >= 20);
    close_project(project);
    leave();
}

int main(void) {
    RUN(no_lane_on_disk_is_starved);
    return unit_result();
}
