/* The n-th allocation fails, for every n until none is left to fail: nothing
 * breaks, and no record is lost or miscounted. Run under AddressSanitizer, it
 * also shows that nothing leaks. */
#include "failing.h"

#include "core/ingest/body.h"
#include "core/ingest/ingest.h"
#include "core/project/project.h"
#include "core/record/parse.h"
#include "lane_servers.h"

#include <stdio.h>
#include <string.h>

enum {
    MOST = 5000 /* allocations of one run; far above what any makes */
};

/* Runs `attempt` with each allocation failing in turn, alone and together
 * with the one behind it. */
static void exhaust(void (*attempt)(void)) {
    for (long times = 1; times <= 2; times++) {
        long n = 1;
        bool failed = true;
        for (; failed && n < MOST; n++) {
            failing_arm(FAILING_OWN, n, times);
            attempt();
            failed = failing_disarm();
        }
        CHECK(n > 2 && n < MOST);
    }
}

/* Around what a case does beside the code under test. */
static int paused_in;
static void pause_failing(void) {
    paused_in = failing_in;
    failing_in = FAILING_NONE;
}
static void resume_failing(void) {
    failing_in = paused_in;
}

/* ---- options ---- */

static void make_settings(void) {
    char message[MP_MESSAGE] = "";
    mp_overrides *said = mp_overrides_new();
    if (!said)
        return;
    const mp_setting *proxy = mp_setting_find("proxy"),
                     *ca_file = mp_setting_find("ca_file");
    mp_err err = mp_settings_text(said->values, proxy, "http://proxy:1");
    if (err == MP_OK)
        err = mp_settings_pem(said->values, ca_file,
                              "/etc/ssl/certs/ca-certificates.crt", message);
    CHECK(err == MP_OK || err == MP_MEMORY);
    mp_overrides_say(said, proxy);
    mp_overrides_say(said, ca_file);
    mp_settings *all =
        err == MP_OK ? mp_overrides_in_force(said, MP_IN_MEMORY) : NULL;
    CHECK(!all || strcmp(all->ca_file, said->values->ca_file) == 0);
    mp_settings_release(all);
    mp_overrides_free(said);
}

CASE(settings) {
    exhaust(make_settings);
}

static mp_err make_config(mp_config *config) {
    char message[MP_MESSAGE] = "";
    mp_err err = mp_config_token(config, "token", 5, message);
    if (err == MP_OK)
        err = mp_config_host(config, "https://host/path/", false, message);
    if (err == MP_OK)
        err = mp_config_account(config, "user", "secret", "1", message);
    return err == MP_OK ? mp_config_finish(config, message) : err;
}

static void make_and_free_config(void) {
    mp_config config = {0};
    mp_err err = make_config(&config);
    CHECK(err == MP_OK || err == MP_MEMORY);
    mp_config_free(&config);
}

CASE(configurations) {
    exhaust(make_and_free_config);
}

/* ---- replies ---- */

static mp_reply reply_of(int status, const char *body) {
    return (mp_reply){.status = status, .body = body, .len = strlen(body)};
}

static const mp_reply *reply_under_test;

static void read_reply(void) {
    mp_response right, response;
    pause_failing();
    mp_response_read(&right, reply_under_test, &mp_endpoints[MP_LANE_IMPORT],
                     3);
    resume_failing();
    mp_err err = mp_response_read(&response, reply_under_test,
                                  &mp_endpoints[MP_LANE_IMPORT], 3);
    CHECK(err == MP_OK || err == MP_MEMORY);
    /* Less may be known, but nothing that is not so. */
    CHECK(
        response.result == right.result || response.foreign ||
        (right.result == MP_RESULT_PARTLY && response.result == MP_RESULT_BAD));
    if (response.result == MP_RESULT_PARTLY)
        CHECK(response.failed_count == right.failed_count);
    mp_response_free(&response);
    mp_response_free(&right);
}

CASE(replies) {
    const mp_reply replies[] = {
        reply_of(200, "{\"code\":200,\"error\":null,\"status\":1}"),
        reply_of(200, "{\"code\":200,\"num_records_imported\":2}"),
        reply_of(200, "{\"error\":\"bad token\",\"status\":0}"),
        reply_of(200, "{\"status\":0}"),
        reply_of(400, "{\"code\":400,\"error\":\"some\",\"failed_records\":["
                      "{\"index\":0,\"field\":\"a\",\"message\":\"b\"},"
                      "{\"index\":2,\"field\":\"c\",\"message\":\"d\"}],"
                      "\"num_records_imported\":1}"),
        reply_of(400, "{\"failed_records\":[\"text\"]}"),
        reply_of(401, "{\"error\":\"Invalid credentials\"}"),
        reply_of(200, "{\"error\":\"a text that is longer than what is kept "
                      "without an allocation, and so must grow\"}"),
        reply_of(200, "[12345678901234567890123456789012345678901234567890]"),
        reply_of(500, "{\"error\":\"x\"}"),
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        reply_under_test = &replies[i];
        exhaust(read_reply);
    }
}

/* ---- lanes ---- */

static word names_poison(rig *r, const mp_batch *batch) {
    return poisons_in(r, batch) ? reply_partly : reply_ok;
}

static word hiccups(rig *r, const mp_batch *batch) {
    return r->requests % 3 == 1 ? reply_503 : refuses_poison(r, batch);
}

static word is_narrow(rig *r, const mp_batch *batch) {
    return batch->count > 5 ? reply_large : refuses_poison(r, batch);
}

static mp_lane_id lane_under_test;
static server serve;

/* Three records that the server refuses, among sixty. */
static void sort_out(void) {
    pause_failing();
    rig *r = rig_open(lane_under_test);
    mp_reports *reports = mp_reports_new();
    CHECK(mp_reports_prepare(reports) == MP_OK);
    mp_lane_report_to(r->lane, reports);
    rig_add_due(r, 40);
    if (r->id == MP_LANE_PEOPLE)
        rig_put(r, MP_NON_IDEMPOTENT, 1, 0, 98);
    rig_add_due(r, 20);
    r->book[7].poison = r->book[8].poison = r->book[30].poison = true;
    resume_failing();
    CHECK(rig_run(r, serve, 200));
    pause_failing();
    for (uint64_t t = 1; t <= r->seqs; t++)
        CHECK(r->book[t].fate == (r->book[t].poison ? REJECTED : DELIVERED));
    mp_report report;
    uint64_t reported = 0;
    while (mp_reports_take(reports, &report)) {
        reported += report.outcome == MP_REPORT_REJECTED ? report.count : 0;
        mp_report_free(&report);
    }
    CHECK(reported == 3);
    rig_finish(r);
    mp_reports_free(reports);
    resume_failing();
}

CASE(lanes) {
    static const server servers[] = {refuses_poison, names_poison, hiccups,
                                     is_narrow};
    static const mp_lane_id ids[] = {MP_LANE_EVENTS, MP_LANE_PEOPLE};
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        for (size_t k = 0; k < 2; k++) {
            serve = servers[i];
            lane_under_test = ids[k];
            exhaust(sort_out);
        }
}

/* ---- projects ---- */

/* True if the body is a whole array that is not empty: by its ends, or by the
 * length that stands at the end of what gzip made of it. */
static bool holds_records(const mp_request *request) {
    const mp_buf *body = &request->body;
    const unsigned char *end = (const unsigned char *)body->data + body->len;
    if (request->raw_bytes < 3 || body->len < 3)
        return false;
    if (body->data[0] == '[')
        return end[-1] == ']' && body->len == request->raw_bytes;
    uint32_t length = end[-4] | (uint32_t)end[-3] << 8 |
                      (uint32_t)end[-2] << 16 | (uint32_t)end[-1] << 24;
    return length == request->raw_bytes;
}

/* Carries what the project has until nothing is left; false if that takes
 * too long. One reply in three is a failure. */
static bool carry(mp_project *project, int64_t *now_ms) {
    for (int i = 0; i < 300; i++) {
        int64_t next_ms = 0;
        mp_request *request =
            mp_project_next_request(project, MP_HOST, *now_ms, &next_ms);
        if (request) {
            CHECK(holds_records(request));
            mp_reply reply =
                i % 3 == 1 ? reply_of(503, "") : reply_of(200, "1");
            mp_project_handle_reply(project, request, &reply, *now_ms);
        } else if (mp_project_idle(project)) {
            return true;
        } else {
            CHECK(next_ms >= *now_ms && next_ms < INT64_MAX);
            *now_ms = next_ms;
        }
    }
    return false;
}

static mp_project *open_project(void) {
    mp_config config = {0};
    if (make_config(&config) == MP_OK)
        return mp_project_new(&config);
    mp_config_free(&config);
    return NULL;
}

static void use_project(void) {
    static const char json[] = "{\"event\":\"e\"}";
    const mp_record record = {.head = json, .head_len = sizeof json - 1};
    const mp_record many[] = {record, record, record};
    uint64_t accepted = 0;
    mp_stats stats;
    bool wake;
    mp_project *project = open_project();
    if (!project)
        return;
    for (int i = 0; i < 2 * MP_LANES; i++) {
        mp_err err = mp_project_push(project, (mp_lane_id)(i % MP_LANES), many,
                                     3, &wake);
        CHECK(err == MP_OK || err == MP_MEMORY);
        accepted += err == MP_OK ? 3 : 0;
    }
    mp_project_flush_up_to(project, UINT64_MAX);
    int64_t now_ms = 0;
    CHECK(carry(project, &now_ms));
    mp_project_check(project);
    while (!mp_project_idle(project))
        CHECK(carry(project, &now_ms));
    mp_project_stats(project, &stats);
    CHECK(stats.accepted == accepted && stats.delivered == accepted);
    CHECK(stats.queue_bytes == 0);
    mp_project_release(project);
}

CASE(projects) {
    exhaust(use_project);
}

/* ---- bodies of requests ---- */

static void read_body(void) {
    static const char form[] =
        "data=[{\"event\":\"\\u0041\",\"properties\":{\"token\":\"T\","
        "\"\\u0061\":"
        "\"\\u00e9\"}},{\"event\":7},{\"event\":\"B\",\"properties\":{}}]";
    static const mp_ingest_token token = {"T", "T"};
    const mp_ingest_rules rules = {.tokens = &token,
                                   .token_count = 1,
                                   .token_optional = true,
                                   .records_max = 10};
    mp_ingest_result result;
    mp_body body = {0};
    mp_ingest *ingest = mp_ingest_new(1);
    mp_err err = mp_body_read(&body, form, sizeof form - 1, false, 1000);
    if (err == MP_OK && ingest)
        err = mp_ingest_read(ingest, &rules, body.json, body.len, &result);
    CHECK(err == MP_OK || err == MP_MEMORY);
    CHECK(err != MP_OK || !ingest ||
          (result.taken == 2 && result.refused == 1));
    mp_ingest_free(ingest);
    mp_body_free(&body);
}

CASE(bodies) {
    exhaust(read_body);
}

int main(void) {
    mp_parse_set_up(1);
    RUN(settings);
    RUN(configurations);
    RUN(replies);
    RUN(lanes);
    RUN(projects);
    RUN(bodies);
    return unit_result();
}
