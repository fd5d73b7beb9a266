/* What becomes of records on a bus: each outcome that a driver may give. */
#include "failing.h"

#include "bus_helper.h"

#include "core/base/version.h"

static mp_project *open_with(mp_lane_id lane, int n) {
    open_scene();
    mp_project *project = open_bus_project("fake:a", NULL);
    push(project, lane, n);
    return project;
}

static void finish(mp_project *project) {
    CHECK(bus.clashes == 0);
    mp_project_release(project);
    close_scene();
}

static void is_delivered(mp_project *project, uint64_t n, int messages) {
    CHECK(carry(project));
    CHECK(stats_of(project).delivered == n && stats_of(project).queued == 0);
    CHECK(bus.stored_n == messages);
}

CASE(what_is_stored_is_delivered) {
    mp_project *project = open_with(MP_LANE_EVENTS, 5);
    is_delivered(project, 5, 1);
    CHECK(bus.puts == 1 && below.submitted == 0);
    finish(project);
}

CASE(what_is_not_stored_now_is_sent_again_whole_under_its_name) {
    char ids[2][MP_MESSAGE_ID];
    mp_project *project = open_with(MP_LANE_EVENTS, 5);
    push_kind(project, MP_LANE_PEOPLE, 1, MP_NON_IDEMPOTENT, 0);
    own_settings(project)->report_ambiguous = true;
    reply_with(503, false, "no leader, or no stream");
    for (int i = 0; i < 2; i++) {
        send(project, 1);
        strcpy(ids[i], bus.last_id);
    }
    for (int i = 0; i < 40; i += 2) {
        int64_t before_ms = now_ms;
        for (int k = 0; k < 2; k++) {
            send(project, 1);
            CHECK(strcmp(bus.last_id, ids[0]) == 0 ||
                  strcmp(bus.last_id, ids[1]) == 0);
        }
        CHECK(now_ms - before_ms >= 1000); /* never an immediate loop */
    }
    CHECK(strcmp(stats_of(project).last_error, "no leader, or no stream") == 0);
    CHECK(stats_of(project).ambiguous == 0);
    reply_with(200, false, "");
    is_delivered(project, 6, 2);
    CHECK(bus.puts == 2 + 40 + 2);
    finish(project);
}

CASE(what_may_be_stored_is_sent_again_and_stored_once) {
    mp_project *project = open_with(MP_LANE_EVENTS, 5);
    reply_with(0, true, "no answer in time");
    send(project, 20);
    reply_with(200, false, "");
    is_delivered(project, 5, 1);
    CHECK(bus.puts == 21 && bus.duplicates == 20);
    finish(project);
}

CASE(what_may_be_stored_and_adds_up_follows_on_ambiguous) {
    mp_project *project = open_with(MP_LANE_PEOPLE, 2);
    push_kind(project, MP_LANE_PEOPLE, 1, MP_NON_IDEMPOTENT, 0);
    own_settings(project)->report_ambiguous = true;
    reply_with(0, true, "no answer in time");
    send(project, 1);
    CHECK(stats_of(project).ambiguous == 1 && stats_of(project).rejected == 1);
    reply_with(200, false, "");
    CHECK(carry(project) && stats_of(project).delivered == 2);
    finish(project);
}

static void pauses(int status, const char *text) {
    mp_project *project = open_with(MP_LANE_EVENTS, 1);
    is_delivered(project, 1, 1); /* others were taken before */
    push(project, MP_LANE_EVENTS, 50);
    reply_with(status, false, text);
    send(project, 1);
    int64_t before_ms = now_ms;
    CHECK(was_reported(project, MP_REPORT_PAUSED, status, text));
    send(project, 10);
    CHECK(now_ms - before_ms >= 10 * 60000); /* max_retry_delay */
    CHECK(!was_reported(project, MP_REPORT_PAUSED, status, text));
    reply_with(200, false, "");
    is_delivered(project, 51, 2);
    finish(project);
}

CASE(what_people_must_mend_pauses_and_says_so) {
    pauses(404, "another stream has the subject");
    pauses(401, "no permission to publish");
}

CASE(what_is_too_large_is_halved) {
    mp_project *project = open_with(MP_LANE_EVENTS, 2000);
    bus.most = 2000; /* bytes of gzip: a quarter of them or so */
    CHECK(carry(project) && stats_of(project).delivered == 2000);
    CHECK(bus.stored_n > 1 && bus.duplicates == 0);
    for (int i = 0; i < bus.stored_n; i++)
        CHECK(strchr(bus.log[i].id, '.') != NULL);
    finish(project);
}

CASE(a_record_that_is_too_large_alone_is_rejected) {
    mp_project *project = open_with(MP_LANE_EVENTS, 3);
    push_large(project, MP_LANE_EVENTS, 0);
    bus.most = BUS_SMALL;
    CHECK(carry(project));
    CHECK(stats_of(project).delivered == 3 && stats_of(project).rejected == 1);
    CHECK(was_reported(project, MP_REPORT_REJECTED, 413, "too large"));
    finish(project);
}

CASE(an_outcome_that_means_nothing_is_taken_for_lost) {
    mp_project *project = open_with(MP_LANE_EVENTS, 40);
    reply_with(500, false, "what?");
    send(project, 20);
    CHECK(stats_of(project).ambiguous == 20);
    reply_with(200, false, "");
    is_delivered(project, 40, 1);
    finish(project);
}

CASE(what_never_left_is_no_doubt) {
    mp_project *project = open_with(MP_LANE_PEOPLE, 2);
    push_kind(project, MP_LANE_PEOPLE, 1, MP_NON_IDEMPOTENT, 0);
    own_settings(project)->report_ambiguous = true;
    reply_with(0, false, "broken off");
    send(project, 3);
    CHECK(stats_of(project).ambiguous == 0 && stats_of(project).rejected == 0);
    reply_with(200, false, "");
    is_delivered(project, 3, 1);
    finish(project);
}

/* ---- messages ---- */

CASE(a_message_is_gzip_and_says_what_it_is) {
    mp_project *project = open_with(MP_LANE_PEOPLE, 1);
    own_settings(project)->gzip = 0;
    is_delivered(project, 1, 1);
    CHECK_TEXT(bus.log[0].json.data, bus.log[0].json.len,
               "[{\"n\":0,\"$token\":\"token\"}]");
    /* SHA-256 of "token" begins so. */
    CHECK_TEXT(bus.subject, strlen(bus.subject), "mp.3c469e9d6c5875d3.people");
    char head[MP_BUS_TEXT];
    snprintf(
        head, sizeof head,
        "Nats-Msg-Id: %s\nMp-Format: 1\nMp-Count: 1\nMp-Lib: lua/" MP_VERSION
        "\n",
        bus.last_id);
    CHECK_TEXT(bus.head, strlen(bus.head), head);
    CHECK(bus.timeout_ms == project->settings->request_timeout_ms);
    CHECK(bus.options.servers_count == 1 &&
          strcmp(bus.options.servers[0], "fake:a") == 0);
    CHECK(!bus.options.credentials && !bus.options.ca_file);
    finish(project);
}

/* Parting by age and kind is for whoever forwards. */
CASE(a_message_is_a_whole_segment) {
    static const mp_lane_id lanes[] = {MP_LANE_EVENTS, MP_LANE_COLLECTED,
                                       MP_LANE_PEOPLE, MP_LANE_IMPORT};
    for (size_t i = 0; i < sizeof lanes / sizeof *lanes; i++) {
        mp_project *project = open_with(lanes[i], 1);
        int64_t old_ms = mp_clock_wall_ms() - INT64_C(86400000) * 30;
        own_settings(project)->report_ambiguous = true;
        push_kind(project, lanes[i], 1, MP_NON_IDEMPOTENT, 0);
        push_kind(project, lanes[i], 1, MP_IDENTITY, 0);
        push_kind(project, lanes[i], 1, MP_PLAIN,
                  mp_endpoints[lanes[i]].profiles ? 0 : old_ms);
        is_delivered(project, 4, 1);
        CHECK(strstr(bus.subject, mp_endpoints[lanes[i]].name) != NULL);
        finish(project);
    }
    mp_project *project = open_with(MP_LANE_GROUPS, 1500);
    is_delivered(project, 1500, 1);
    finish(project);
}

/* ---- buses ---- */

CASE(a_bus_that_cannot_be_opened_is_tried_again) {
    mp_project *project = open_with(MP_LANE_EVENTS, 3);
    bus.refuses = "credentials cannot be read";
    int64_t next_ms;
    mp_request *request =
        mp_project_next_request(project, MP_HOST, now_ms, &next_ms);
    CHECK(!transport->run(transport));
    CHECK(transport->submit(transport, request, request) == MP_OK);
    CHECK(transport->run(transport) && take_reply(project));
    CHECK(!transport->run(transport) && !take_reply(project));
    for (int i = 0; i < 20; i++)
        CHECK(step(project));
    CHECK(bus.puts == 0 && stats_of(project).queued == 3);
    CHECK(strcmp(stats_of(project).last_error, bus.refuses) == 0);
    bus.refuses = NULL;
    is_delivered(project, 3, 1);
    CHECK(bus.opened == 1);
    finish(project);
}

CASE(equal_options_share_a_bus) {
    mp_project *a = open_with(MP_LANE_EVENTS, 1);
    mp_project *again = open_bus_project("fake:a", NULL);
    mp_project *b = open_bus_project("fake:b", NULL);
    push(again, MP_LANE_EVENTS, 1);
    push(b, MP_LANE_EVENTS, 1);
    CHECK(carry(a) && carry(again) && bus.opened == 1);
    CHECK(carry(b) && bus.opened == 2);
    CHECK(bus.stored_n == 3); /* of three names, though all are number 1 */
    CHECK(mp_config_same(&a->config, &again->config));
    CHECK(!mp_config_same(&a->config, &b->config));
    mp_project_release(again);
    mp_project_release(b);
    finish(a);
    CHECK(bus.closed == 2 && below.closed == 1 && below.freed == 1);
}

CASE(other_requests_go_below) {
    mp_config config = {.token = strdup("token")};
    char message[MP_MESSAGE];
    open_scene();
    CHECK(mp_config_finish(&config, message) == MP_OK);
    mp_project *project = mp_project_new(&config);
    push(project, MP_LANE_EVENTS, 1);
    CHECK(step(project) && below.submitted == 1 && bus.opened == 0);
    CHECK(stats_of(project).queued == 1); /* no reply came */
    finish(project);
}

/* The outcome of a check on this reply. */
static mp_err check(mp_project *project, const char *text) {
    char message[MP_MESSAGE] = "";
    uint64_t number = mp_project_check(project);
    CHECK(step(project));
    mp_err err =
        mp_project_await_check(project, number, mp_clock_mono_ms(), message);
    CHECK(strcmp(message, text) == 0);
    return err;
}

CASE(a_check_is_a_probe) {
    mp_project *project = open_with(MP_LANE_EVENTS, 0);
    CHECK(check(project, "") == MP_OK);
    CHECK(bus.puts == 1 && bus.probes == 1 && bus.stored_n == 0);
    CHECK(bus.head[0] == 0 && bus.last_id[0] == 0);
    char subject[MP_BUS_TEXT];
    strcpy(subject, bus.subject);
    reply_with(401, false, "not allowed");
    CHECK(check(project, "not allowed") == MP_UNAUTHORIZED);
    reply_with(503, false, "no leader");
    CHECK(check(project, "no leader") == MP_NETWORK);
    reply_with(0, true, "no answer");
    CHECK(check(project, "no answer") == MP_NETWORK);
    reply_with(200, false, "");
    push(project, MP_LANE_EVENTS, 1); /* where the check looked */
    is_delivered(project, 1, 1);
    CHECK(strcmp(bus.subject, subject) == 0);
    CHECK(bus.probes == 4 && stats_of(project).requests == 1);
    finish(project);
}

CASE(an_outcome_wakes_what_is_below) {
    mp_project *project = open_with(MP_LANE_EVENTS, 1);
    bus.reply.status = -1;
    send(project, 1);
    CHECK(!take_reply(project) && stats_of(project).in_flight == 1);
    bus.reply.status = 200;
    bus.wake(bus.user);
    CHECK(below.woken == 1 && take_reply(project));
    transport->wake(transport);
    CHECK(below.woken == 2 && stats_of(project).delivered == 1);
    finish(project);
    bus.wake(bus.user); /* at any time after */
}

CASE(at_the_end_what_is_under_way_is_broken_off) {
    mp_reply reply;
    mp_project *project = open_with(MP_LANE_EVENTS, 4);
    bus.reply.status = -1;
    send(project, 1);
    CHECK(!transport->abort(transport, project, &reply));
    mp_request *request = transport->abort(transport, NULL, &reply);
    CHECK(request && reply.by_bus && reply.status == 0 && reply.sent);
    mp_project_handle_reply(project, request, &reply, now_ms);
    CHECK(!transport->abort(transport, NULL, &reply));
    CHECK(stats_of(project).queued == 4 && stats_of(project).in_flight == 0);
    finish(project);
    CHECK(bus.closed == 1);
}

static void *volatile kept[3]; /* for leak checks */

CASE(a_bus_that_does_not_end_is_left) {
    mp_project *project = open_with(MP_LANE_EVENTS, 1);
    is_delivered(project, 1, 1);
    bus.stuck = true;
    kept[0] = transport;
    transport->close(transport);
    CHECK(bus.closed == 1 && below.closed == 1);
    CHECK(strcmp(bus.options.servers[0], "fake:a") == 0); /* still its own */
    mp_project_release(project);
}

CASE(a_forked_child_forgets_the_bus) {
    mp_project *project = open_with(MP_LANE_EVENTS, 1);
    kept[1] = project;
    kept[2] = transport;
    is_delivered(project, 1, 1);
    transport->before_fork(transport);
    transport->in_parent(transport);
    CHECK(bus.forgotten == 0 && below.forked == 2);
    transport->before_fork(transport);
    transport->in_child(transport);
    CHECK(bus.forgotten == 1 && bus.closed == 0 && below.forked == 4);
}

/* ---- memory ---- */

static int paused_in;

static void use_bus(void) {
    uint64_t accepted = 0;
    bool wake;
    const mp_record record = {.head = "{\"n\":1}", .head_len = 7};
    open_scene();
    mp_project *project = transport ? open_bus_project("fake:a", NULL) : NULL;
    for (int i = 0; project && i < 2 * MP_LANES; i++)
        accepted += mp_project_push(project, (mp_lane_id)(i % MP_LANES),
                                    &record, 1, &wake) == MP_OK;
    if (project) {
        mp_project_flush_up_to(project, UINT64_MAX);
        CHECK(carry(project));
        CHECK(stats_of(project).delivered == accepted);
        mp_project_release(project);
    }
    paused_in = failing_in;
    failing_in = FAILING_NONE;
    if (transport)
        close_scene();
    failing_in = paused_in;
}

CASE(each_allocation_may_fail) {
    for (long times = 1; times <= 2; times++) {
        bool failed = true;
        long n = 1;
        for (; failed && n < 2000; n++) {
            failing_arm(FAILING_OWN, n, times);
            use_bus();
            failed = failing_disarm();
        }
        CHECK(n > 30 && n < 2000);
    }
}

int main(void) {
    RUN(what_is_stored_is_delivered);
    RUN(what_is_not_stored_now_is_sent_again_whole_under_its_name);
    RUN(what_may_be_stored_is_sent_again_and_stored_once);
    RUN(what_may_be_stored_and_adds_up_follows_on_ambiguous);
    RUN(what_people_must_mend_pauses_and_says_so);
    RUN(what_is_too_large_is_halved);
    RUN(a_record_that_is_too_large_alone_is_rejected);
    RUN(an_outcome_that_means_nothing_is_taken_for_lost);
    RUN(what_never_left_is_no_doubt);
    RUN(a_message_is_gzip_and_says_what_it_is);
    RUN(a_message_is_a_whole_segment);
    RUN(a_bus_that_cannot_be_opened_is_tried_again);
    RUN(equal_options_share_a_bus);
    RUN(other_requests_go_below);
    RUN(a_check_is_a_probe);
    RUN(an_outcome_wakes_what_is_below);
    RUN(at_the_end_what_is_under_way_is_broken_off);
    RUN(a_bus_that_does_not_end_is_left);
    RUN(a_forked_child_forgets_the_bus);
    RUN(each_allocation_may_fail);
    return unit_result();
}
