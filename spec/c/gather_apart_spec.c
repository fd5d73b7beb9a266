/* Batches that were read together and are not delivered together: what is the
 * matter with one of them is not the others'. */
#include "gather_helper.h"

/* ---- a host with an opinion ---- */

static int bad_from, bad_to; /* numbers of records that it does not like */

static bool has_bad(const mp_batch *batch) {
    for (uint32_t i = 0; i < batch->count; i++) {
        int n = number_of(batch, i);
        if (n >= bad_from && n <= bad_to)
            return true;
    }
    return false;
}

static bool is_import(const mp_batch *batch) {
    return batch->endpoint == &mp_endpoints[MP_LANE_IMPORT];
}

/* Sends what wants to be sent at that time. Where `no` says so it gets the
 * reply `bad`, else it succeeds. */
static void send_to(bool (*no)(const mp_batch *batch), mp_reply bad,
                    mp_project *project, int64_t now_ms) {
    static const char ok[] = "{\"status\":1,\"error\":null}";
    int64_t next_ms;
    mp_request *request;
    mp_project_prepare(project, now_ms);
    while ((request =
                mp_project_next_request(project, MP_HOST, now_ms, &next_ms))) {
        const mp_batch *batch = ((mp_flight *)request)->batch;
        mp_reply reply = {.status = 200, .body = ok, .len = sizeof ok - 1};
        if (no(batch))
            reply = bad;
        else
            note_sent(batch);
        mp_project_handle_reply(project, request, &reply, now_ms);
    }
    mp_project_maintain(project, now_ms);
}

static mp_reply refusal(void) {
    static const char text[] =
        "{\"status\":0,\"error\":\"some data is invalid\"}";
    return (mp_reply){.status = 200, .body = text, .len = sizeof text - 1};
}

/* ---- blame ---- */

/* So many updates, from number 1 on, which whoever adopts them seals. */
static void leave_together(mp_project *project, int n) {
    for (int i = 1; i <= n; i++)
        push(project, MP_LANE_PEOPLE, i);
}

/* A search may end before it found all of them, and what it has not found is
 * rejected with the rest of its batch: with none of another process. */
CASE(good_updates_of_others_are_not_rejected) {
    for (int i = 0; i < 2; i++) {
        begin();
        bad_from = 1;
        bad_to = i == 0 ? 40 : 35;
        if (i == 0)
            die_after(leave_together, 40);
        leave_all(leave_update, i == 0 ? 41 : 1, 60);
        mp_project *project = open_project();
        int64_t now_ms = mp_clock_mono_ms();
        for (int s = 0; s < 1000; s++)
            send_to(has_bad, refusal(), project, now_ms + 1000 * s);
        mp_stats stats = stats_of(project);
        CHECK(stats.rejected == (uint64_t)bad_to);
        CHECK(stats.delivered == 60 - (uint64_t)bad_to);
        CHECK(count_found("*.json.gz") == 0);
        end(project);
    }
}

/* As it would if it had been read alone: the others go after the next probe. */
CASE(a_record_that_draws_5xx_delays_itself) {
    begin();
    leave_all(leave_event, 1, 60);
    bad_from = bad_to = 30;
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    for (int s = 0; s < 600; s++)
        send_to(has_bad, (mp_reply){.status = 503}, project, now_ms + 1000 * s);
    CHECK(sent_n == 59 && count_found("*.json.gz") == 1);
    end(project);
}

/* ---- what waits ---- */

static void leave_old(mp_project *project, mp_lane_id lane, int n) {
    char json[RECORD];
    long long time_s = mp_clock_wall_ms() / 1000 - 30 * 86400;
    snprintf(json, sizeof json,
             "{\"event\":\"E\",\"properties\":{\"token\":\"token\","
             "\"time\":%lld,\"$insert_id\":\"%d\"}}",
             time_s, n);
    leave_sealed_json(project, lane, json, n);
}

static void leave_old_event(mp_project *project, int n) {
    leave_old(project, MP_LANE_EVENTS, n);
}

static void send_without_import(mp_project *project, int64_t now_ms) {
    send_to(is_import, (mp_reply){.status = 401}, project, now_ms);
}

CASE(one_that_waits_does_not_keep_the_runs_of_others) {
    begin();
    die_after(leave_old_event, 1);
    leave_all(leave_event, 2, 150);
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    for (int s = 0; s < 300; s++)
        send_without_import(project, now_ms + 1000 * s);
    CHECK(stats_of(project).delivered == 149 && count_found("*.json.gz") == 1);
    close_project(project);
    project = open_project();
    sent_n = 0;
    for (int s = 0; s < 10; s++)
        send_without_import(project, now_ms + 1000 * s);
    CHECK(sent_n == 0 && stats_of(project).adopted == 1);
    end(project);
}

static void leave_collected(mp_project *project, int n) {
    if (n == 1)
        leave_old(project, MP_LANE_COLLECTED, n);
    else
        leave_sealed(project, MP_LANE_COLLECTED, n);
}

/* It ends, and its file must not wait for others. */
CASE(one_that_is_too_old_has_the_others_read_again) {
    begin();
    leave_all(leave_collected, 1, 10);
    mp_project *project = open_project();
    deliver(project, 4);
    mp_stats stats = stats_of(project);
    CHECK(stats.delivered == 9 && stats.dropped_expired == 1);
    CHECK(requests_n == 9);
    end(project);
}

/* While the route is probed nothing is read together, or it would be parted. */
CASE(a_probe_is_of_one_file) {
    begin();
    leave_all(leave_update, 1, 20);
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    mp_project_prepare(project, now_ms);
    project->lanes[MP_LANE_PEOPLE]->own.probing = true;
    send_all(project, now_ms);
    CHECK(sent_n == 20 && rises() && requests_n == 2);
    end(project);
}

/* Whatever it was, less of it may get through. */
CASE(a_link_that_breaks_gets_less) {
    begin();
    leave_all(leave_event, 1, 20);
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    mp_request *request = send_one(project, now_ms);
    const mp_route *route = &project->lanes[MP_LANE_EVENTS]->own;
    size_t before = ((mp_flight *)request)->request.body.len;
    mp_reply broken = {.status = 0, .sent = true, .begun = true};
    mp_project_handle_reply(project, request, &broken, now_ms);
    CHECK(route->size_bytes < before);
    end(project);
}

/* Its records may have been applied; who reads it again knows that. */
CASE(a_lost_reply_is_told_once) {
    begin();
    die_after(leave_increment, 1);
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    mp_request *request = send_one(project, now_ms);
    mp_reply lost = {.status = 0, .sent = true};
    mp_project_handle_reply(project, request, &lost, now_ms);
    CHECK(stats_of(project).ambiguous == 1 && in_doubt() == 1);
    CHECK(mp_lane_unload(project->lanes[MP_LANE_PEOPLE]));
    for (int i = 1; i < 100; i++)
        send_all(project, now_ms + 1000 * i);
    mp_stats stats = stats_of(project);
    CHECK(stats.delivered == 1 && stats.ambiguous == 1);
    end(project);
}

/* It may be what drew the 503. */
CASE(what_was_sent_and_left_memory_travels_by_itself) {
    begin();
    leave_all(leave_update, 1, 1);
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    mp_request *request = send_one(project, now_ms);
    mp_project_handle_reply(project, request, &(mp_reply){.status = 503},
                            now_ms);
    mp_lane *lane = project->lanes[MP_LANE_PEOPLE];
    CHECK(mp_lane_unload(lane));
    lane->own.probing = false;
    leave_all(leave_update, 2, 5);
    for (int i = 60; i < 120; i++)
        send_all(project, now_ms + 1000 * i);
    CHECK(sent_n == 5 && rises() && requests_n == 2);
    end(project);
}

static void leave_of_other(mp_project *project, int n) {
    char json[RECORD];
    snprintf(
        json, sizeof json,
        "{\"$token\":\"token\",\"$distinct_id\":\"v\",\"$set\":{\"n\":%d}}", n);
    leave_sealed_json(project, MP_LANE_PEOPLE, json, n);
}

static mp_project *open_trusted(void) {
    mp_project *project = open_project();
    mp_project_prepare(project, mp_clock_mono_ms());
    mp_route *route = &project->lanes[MP_LANE_PEOPLE]->own;
    route->trusted = route->proven = true; /* as after any success */
    return project;
}

CASE(no_stale_update_comes_back) {
    begin();
    bad_from = bad_to = 99;
    mp_reply forbidden = {.status = 403};
    die_after(leave_of_other, 99);
    die_after(leave_update, 1);
    mp_project *project = open_trusted();
    int64_t now_ms = mp_clock_mono_ms();
    for (int i = 0; i < 3; i++)
        send_to(has_bad, forbidden, project, now_ms + 1000 * i);
    push(project, MP_LANE_PEOPLE, 2); /* newer */
    mp_project_flush_up_to(project, UINT64_MAX);
    send_to(has_bad, forbidden, project, now_ms + 4000);
    close_project(project);
    project = open_trusted();
    for (int i = 0; i < 3; i++)
        send_to(has_bad, forbidden, project, now_ms + 5000 + 1000 * i);
    CHECK(sent_n == 2 && sent[0] == 1 && sent[1] == 2);
    end(project);
}

/* A body that compresses worse than those before is found too large only when
 * it is made. */
CASE(what_proves_too_large_goes_apart) {
    begin();
    leave_all(leave_event, 1, 20);
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    mp_project_prepare(project, now_ms);
    mp_route *route = &project->lanes[MP_LANE_EVENTS]->own;
    mp_route_refused_size(route, 50, now_ms);
    route->ratio = 0.001;
    send_all(project, now_ms); /* it is made, and not sent */
    CHECK(sent_n == 0);
    send_all(project, now_ms);
    CHECK(sent_n == 20 && requests_n == 20);
    CHECK(stats_of(project).retried == 0);
    end(project);
}

int main(void) {
    RUN(good_updates_of_others_are_not_rejected);
    RUN(a_record_that_draws_5xx_delays_itself);
    RUN(one_that_waits_does_not_keep_the_runs_of_others);
    RUN(one_that_is_too_old_has_the_others_read_again);
    RUN(a_link_that_breaks_gets_less);
    RUN(a_probe_is_of_one_file);
    RUN(a_lost_reply_is_told_once);
    RUN(what_was_sent_and_left_memory_travels_by_itself);
    RUN(no_stale_update_comes_back);
    RUN(what_proves_too_large_goes_apart);
    return unit_result();
}
