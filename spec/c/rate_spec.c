/* Projects with max_rate and max_byte_rate, driven on virtual time by a host
 * that is well or not: what leaves in any minute. */
#include "core/os/clock.h"
#include "core/os/rng.h"
#include "core/project/project_state.h"
#include "window_helper.h"

#include <stdlib.h>

enum {
    FLIGHTS = 32,
    STEPS = 400000
};

typedef struct flight {
    mp_request *request;
    int64_t back_ms;
} flight;

static mp_rng dice;
static history records, bytes;
static flight flights[FLIGHTS];
static int under_way, asked; /* asked: how often in vain */
static uint64_t sent_of[MP_LANES];
static int64_t now_ms, start_ms;

static uint32_t draw(uint32_t below) {
    return (uint32_t)(mp_rng_unit(&dice) * below);
}

static mp_project *open_project(uint64_t seed) {
    mp_config config = {.token = strdup("t"),
                        .base_url = strdup("http://127.0.0.1:9"),
                        .name = strdup("")};
    dice.state = seed;
    records.count = bytes.count = under_way = asked = 0;
    memset(sent_of, 0, sizeof sent_of);
    now_ms = start_ms = mp_clock_mono_ms();
    mp_project *project = mp_project_new(&config);
    CHECK(project != NULL);
    return project;
}

/* A client opens that says this setting. */
static void say(mp_project *project, const char *name, double value) {
    mp_overrides *client = mp_overrides_new();
    mp_settings_number(client->values, mp_setting_find(name), value);
    mp_overrides_say(client, mp_setting_find(name));
    CHECK(mp_project_add_client(project, client) == MP_OK);
}

static void push(mp_project *project, mp_lane_id lane, int n, size_t size) {
    static char json[MP_RECORD_MAX];
    bool wake;
    memset(json, ' ', size);
    json[0] = '{';
    json[size - 1] = '}';
    for (int i = 0; i < n; i++) {
        mp_record record = {.head = json,
                            .head_len = size,
                            .kind = MP_PLAIN,
                            .ordering_key = draw(1000)};
        CHECK(mp_project_push(project, lane, &record, 1, &wake) == MP_OK);
    }
}

static void note_start(const mp_flight *started) {
    note(&records, now_ms, started->batch->count);
    note(&bytes, now_ms, (double)started->request.raw_bytes);
    sent_of[started->lane] += started->batch->count;
    CHECK(started->batch->count == started->request.records);
}

/* All that may leave now. Returns when to ask again. */
static int64_t send(mp_project *project) {
    int64_t next_ms;
    mp_request *request;
    while (under_way < FLIGHTS) {
        request = mp_project_next_request(project, MP_HOST, now_ms, &next_ms);
        if (!request) {
            asked++;
            CHECK(next_ms >= now_ms); /* now: what was too large is in halves */
            return next_ms;
        }
        note_start((mp_flight *)request);
        flights[under_way++] = (flight){request, now_ms + draw(3000)};
    }
    return INT64_MAX;
}

/* `ill`: of ten replies so many are none of success. */
static mp_reply reply_of(uint32_t ill) {
    static const char ok[] = "{\"code\":200,\"error\":null,\"status\":1}";
    static const int bad[] = {503, 429, 413, 500, 0, 400};
    mp_reply reply = {.status = 200, .body = ok, .len = sizeof ok - 1};
    if (draw(10) < ill)
        reply = (mp_reply){.status = bad[draw(6)], .sent = true, .begun = true};
    return reply;
}

static void take_replies(mp_project *project, uint32_t ill) {
    for (int i = 0; i < under_way;) {
        if (flights[i].back_ms <= now_ms) {
            mp_reply reply = reply_of(ill);
            mp_project_handle_reply(project, flights[i].request, &reply,
                                    now_ms);
            flights[i] = flights[--under_way];
        } else {
            i++;
        }
    }
}

static mp_stats stats_of(mp_project *project) {
    mp_stats stats;
    mp_project_stats(project, &stats);
    CHECK(stats.accepted ==
          stats.delivered + stats.rejected + stats.queued + stats.in_flight);
    return stats;
}

/* Until then, or until all has ended. */
static void live(mp_project *project, int64_t until_ms, uint32_t ill) {
    for (int i = 0; i < STEPS && now_ms < until_ms; i++) {
        take_replies(project, ill);
        int64_t next_ms = send(project);
        for (int j = 0; j < under_way; j++)
            next_ms = mp_clock_earlier(next_ms, flights[j].back_ms);
        if (under_way == 0 && mp_project_is_empty(project))
            break;
        now_ms = next_ms > now_ms ? next_ms : now_ms;
    }
    now_ms = mp_clock_earlier(now_ms, until_ms);
}

static void finish(mp_project *project) {
    while (under_way > 0) {
        mp_reply none = {.status = 0};
        mp_project_handle_reply(project, flights[--under_way].request, &none,
                                now_ms);
    }
    mp_project_release(project);
}

static void push_any(mp_project *project, int n) {
    for (int i = 0; i < n; i++)
        push(project, (mp_lane_id)draw(MP_LANES), 1, 2 + draw(300));
    mp_project_flush_up_to(project, UINT64_MAX);
}

/* ---- the promise ---- */

static void keeps(double rate, double byte_rate, int n, uint32_t ill,
                  uint64_t seed) {
    mp_project *project = open_project(seed);
    say(project, "max_rate", rate);
    say(project, "max_byte_rate", byte_rate);
    for (int i = 0; i < 4; i++) {
        push_any(project, n / 4);
        live(project, now_ms + MINUTE_MS / 3 + draw(MINUTE_MS), ill);
    }
    live(project, now_ms + INT64_C(1000) * MINUTE_MS, 0);
    mp_stats stats = stats_of(project);
    CHECK(stats.queued + stats.in_flight == 0);
    CHECK(stats.delivered > (uint64_t)n / 4);
    if (rate > 0)
        CHECK(most_in_a_minute(&records, 0) <= 60 * rate);
    if (byte_rate > 0)
        CHECK(most_in_a_minute(&bytes, 0) <= 60 * byte_rate);
    CHECK(records.count >= (ill > 0 ? 2 : 1));
    CHECK(asked < 20 * records.count + 1000);
    finish(project);
}

CASE(every_request_counts_whatever_the_reply) {
    for (uint32_t ill = 0; ill <= 8; ill += 4) {
        keeps(0.5, 0, 40, ill, 1 + ill);
        keeps(10, 0, 3000, ill, 2 + ill);
        keeps(333.3, 0, 40000, ill, 3 + ill);
        keeps(1e9, 0, 20000, ill, 4 + ill);
        keeps(0, 65536, 40000, ill, 5 + ill);
        keeps(20, 65536, 3000, ill, 6 + ill);
    }
}

CASE(large_records_are_sent_all_the_same) {
    mp_project *project = open_project(1);
    say(project, "max_byte_rate", 65536);
    push(project, MP_LANE_EVENTS, 9, MP_RECORD_MAX);
    push(project, MP_LANE_IMPORT, 9, MP_RECORD_MAX / 3);
    mp_project_flush_up_to(project, UINT64_MAX);
    live(project, now_ms + 100 * MINUTE_MS, 0);
    CHECK(stats_of(project).delivered == 18);
    CHECK(most_in_a_minute(&bytes, 0) <= 60 * 65536.0);
    finish(project);
}

CASE(a_new_project_does_not_burst) {
    mp_project *project = open_project(1);
    say(project, "max_rate", 100);
    push_any(project, 5000);
    CHECK(send(project) > now_ms + 2500 && records.count == 0);
    live(project, now_ms + 4000, 0);
    CHECK(records.count > 0 && sum_between(&records, 0, INT64_MAX) <= 500);
    finish(project);
}

CASE(settings_may_change_meanwhile) {
    static const double rates[] = {50, 5, 0, 200, 0.5, 20};
    mp_project *project = open_project(1);
    for (int i = 0; i < 6; i++) {
        say(project, "max_rate", rates[i]);
        int64_t from_ms = now_ms;
        int first = records.count;
        push_any(project, 4000);
        live(project, now_ms + 2 * MINUTE_MS, 2);
        now_ms = from_ms + 2 * MINUTE_MS;
        double most = most_in_a_minute(&records, from_ms + 1);
        if (rates[i] > 0)
            CHECK(most <= 60 * rates[i]);
        else
            CHECK(most > 60 * 50);
        CHECK(records.count > first);
        stats_of(project);
    }
    finish(project);
}

/* ---- fair ---- */

CASE(no_lane_starves_another) {
    mp_project *project = open_project(1);
    say(project, "max_rate", 20);
    push(project, MP_LANE_EVENTS, 20000, 50);
    push(project, MP_LANE_PEOPLE, 40, 50);
    push(project, MP_LANE_GROUPS, 40, 50);
    push(project, MP_LANE_COLLECTED, 40, 50);
    mp_project_flush_up_to(project, UINT64_MAX);
    live(project, now_ms + MINUTE_MS, 0);
    CHECK(sent_of[MP_LANE_PEOPLE] == 40 && sent_of[MP_LANE_GROUPS] == 40);
    CHECK(sent_of[MP_LANE_COLLECTED] == 40);
    CHECK(sent_of[MP_LANE_EVENTS] > 0 && sent_of[MP_LANE_EVENTS] < 20000);
    finish(project);
}

/* ---- and calm ---- */

CASE(who_waits_for_room_is_not_woken_by_records) {
    mp_project *project = open_project(1);
    mp_record record = {.head = "{}", .head_len = 2, .kind = MP_PLAIN};
    bool wake = true;
    say(project, "max_rate", 0.1);
    push(project, MP_LANE_EVENTS, 50, 50);
    mp_project_flush_up_to(project, UINT64_MAX);
    int64_t next_ms = send(project);
    CHECK(next_ms > now_ms + 10000); /* longer than a record lingers */
    for (int i = 0; i < 100; i++) {
        CHECK(mp_project_push(project, MP_LANE_EVENTS, &record, 1, &wake) ==
              MP_OK);
        CHECK(!wake);
    }
    now_ms = next_ms; /* and then there is room */
    send(project);
    CHECK(records.count == 1 && records.list[0].n == 1);
    finish(project);
}

CASE(a_check_does_not_count) {
    mp_project *project = open_project(1);
    say(project, "max_rate", 1);
    push(project, MP_LANE_EVENTS, 5, 50);
    CHECK(send(project) > now_ms);
    mp_project_check(project);
    int64_t next_ms;
    mp_request *request =
        mp_project_next_request(project, MP_HOST, now_ms, &next_ms);
    CHECK(request && !((mp_flight *)request)->batch);
    flights[under_way++] = (flight){request, now_ms};
    CHECK(records.count == 0);
    finish(project);
}

int main(void) {
    RUN(every_request_counts_whatever_the_reply);
    RUN(large_records_are_sent_all_the_same);
    RUN(a_new_project_does_not_burst);
    RUN(settings_may_change_meanwhile);
    RUN(no_lane_starves_another);
    RUN(who_waits_for_room_is_not_woken_by_records);
    RUN(a_check_does_not_count);
    return unit_result();
}
