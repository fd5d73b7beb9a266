#include "lane_servers.h"

enum {
    MINUTE = 60 * 1000,
    HOUR = 60 * MINUTE
};

/* ---- configuration ---- */

static void check_pauses(mp_lane_id id, word reply, bool trusted) {
    rig *r = rig_open(id);
    if (trusted) {
        rig_add_due(r, 1);
        rig_serve(r, reply_ok);
    }
    rig_add_due(r, 2);
    for (int i = 0; i < 3; i++) {
        int64_t asked_ms = r->now_ms;
        rig_serve(r, reply);
        mp_lane_flush_up_to(r->lane, r->seqs);
        rig_sleep(r);
        CHECK(r->now_ms == asked_ms + MINUTE);
    }
    CHECK(strcmp(r->stats.last_error, reply.text) == 0);
    CHECK(r->stats.rejected == 0);
    rig_finish(r);
}

CASE(wrong_credentials_pause_any_lane) {
    for (int id = 0; id < MP_LANES; id++) {
        check_pauses((mp_lane_id)id, reply_401, false);
        check_pauses((mp_lane_id)id, reply_401, true);
    }
}

CASE(a_lane_never_answered_200_pauses_at_403_and_404) {
    check_pauses(MP_LANE_EVENTS, reply_403, false);
    check_pauses(MP_LANE_PEOPLE, reply_404, false);
}

CASE(a_lane_answered_200_halves_at_403_and_404) {
    for (int i = 0; i < 2; i++) {
        rig *r = rig_open(MP_LANE_EVENTS);
        rig_add_due(r, 1);
        rig_serve(r, reply_ok);
        rig_add_due(r, 2);
        for (int k = 0; k < 2; k++)
            rig_serve(r, i ? reply_403 : reply_404);
        rig_serve(r, reply_ok);
        CHECK(r->stats.rejected == 0 && r->stats.delivered == 2);
        rig_sleep(r);
        rig_serve(r, i ? reply_403 : reply_404);
        CHECK(r->stats.rejected == 1);
        rig_finish(r);
    }
}

/* A wrong api_host loses nothing, and is asked a record a minute. */
CASE(a_host_that_is_not_mixpanel_rejects_nothing) {
    static const word *const words[] = {&reply_405, &reply_what, &reply_403};
    for (int i = 0; i < 3 * MP_LANES; i++) {
        rig *r = rig_open((mp_lane_id)(i / 3));
        rig_add_due(r, 20);
        rig_serve(r, *words[i % 3]);
        for (int k = 0; k < 30; k++) {
            int64_t asked_ms = r->now_ms;
            rig_sleep(r);
            CHECK(r->now_ms == asked_ms + MINUTE);
            mp_batch *probe = rig_next(r);
            CHECK(probe && probe->count == 1 && !rig_next(r));
            rig_say(r, probe, *words[i % 3]);
            rig_add_due(r, 1);
        }
        CHECK(r->stats.queued == 50);
        rig_finish(r);
    }
}

/* The record at fault is not the one that is tried again. */
CASE(an_unproven_route_is_probed_with_another_record) {
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_add_due(r, 1);
    rig_serve(r, reply_405);
    rig_add_due(r, 5);
    rig_sleep(r);
    mp_batch *probe = rig_next(r);
    CHECK(probe && probe->count == 1 && mp_batch_seq(probe) == 2);
    rig_say(r, probe, reply_ok);
    CHECK(rig_run(r, server_ok, 2));
    rig_finish(r);
}

CASE(a_proven_route_takes_foreign_answers_for_an_outage) {
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_add_due(r, 1);
    rig_serve(r, reply_ok);
    rig_add_due(r, 10);
    for (int i = 0; i < 8; i++) {
        mp_batch *batch = rig_next(r);
        CHECK(batch && batch->count == 10);
        rig_say(r, batch, reply_405);
        rig_sleep(r);
    }
    CHECK(r->stats.ambiguous == 0 && r->stats.queued == 10);
    rig_finish(r);
}

CASE(what_is_refused_for_its_compression_goes_plain_once) {
    word reply_415 = {MP_RESULT_FOREIGN, 415, "HTTP 415", 0};
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_add_due(r, 2);
    mp_batch *batch = rig_next(r);
    CHECK(batch && !batch->plain);
    rig_say(r, batch, reply_415);
    batch = rig_next(r);
    CHECK(batch && batch->plain && batch->count == 2);
    rig_say(r, batch, reply_ok);
    rig_add_due(r, 2);
    batch = rig_next(r);
    CHECK(batch && batch->plain);
    rig_say(r, batch, reply_415);
    CHECK(!rig_next(r) && r->next_ms > r->now_ms);
    rig_finish(r);
}

CASE(the_third_unreadable_response_pauses) {
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_add_due(r, 1);
    rig_serve(r, reply_ok);
    rig_add_due(r, 5);
    for (int i = 0; i < 4; i++) {
        int64_t asked_ms = r->now_ms;
        rig_serve(r, reply_what);
        rig_sleep(r);
        CHECK((r->now_ms == asked_ms + MINUTE) == (i >= 2));
    }
    rig_serve(r, reply_ok);
    rig_finish(r);
}

CASE(unreadable_responses_count_in_a_row) {
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_add_due(r, 1);
    rig_serve(r, reply_ok);
    rig_add_due(r, 5);
    for (int i = 0; i < 6; i++) {
        int64_t asked_ms = r->now_ms;
        rig_serve(r, i == 2 ? reply_429 : reply_what);
        rig_sleep(r);
        CHECK((r->now_ms == asked_ms + MINUTE) == (i == 5));
    }
    rig_finish(r);
}

/* ---- what travels apart ---- */

CASE(identity_travels_apart_on_import) {
    rig *r = rig_open(MP_LANE_IMPORT);
    rig_open_window(r, 2);
    for (int i = 0; i < 12; i++)
        rig_put(r, i % 3 ? MP_PLAIN : MP_IDENTITY, 0,
                RIG_WALL_MS - 6 * (int64_t)DAY_MS, 50);
    mp_lane_flush_up_to(r->lane, r->seqs);
    mp_batch *identity = rig_next(r), *plain = rig_next(r);
    CHECK(identity && identity->count == 4 && !is_detour(r, identity));
    CHECK(plain && plain->count == 8 && !is_detour(r, plain));
    rig_say(r, identity, reply_ok);
    rig_say(r, plain, reply_ok);
    rig_finish(r);
}

/* A lane of profiles with on_ambiguous = "report". */
static rig *open_reporting(void) {
    rig *r = rig_open(MP_LANE_PEOPLE);
    r->settings->report_ambiguous = true;
    return r;
}

CASE(what_adds_up_travels_with_all_else) {
    rig *r = rig_open(MP_LANE_PEOPLE);
    for (int i = 0; i < 100; i++)
        rig_put(r, i % 2 ? MP_NON_IDEMPOTENT : MP_PLAIN, i % 3 ? 1 : 2, 0, 50);
    mp_lane_flush_up_to(r->lane, r->seqs);
    mp_batch *batch = rig_next(r);
    CHECK(batch && batch->count == 100);
    if (batch)
        rig_say(r, batch, reply_ok);
    rig_finish(r);
}

/* Nobody knows what of it was taken. */
CASE(each_refusal_of_what_adds_up_with_others_is_counted) {
    rig *r = rig_open(MP_LANE_PEOPLE);
    for (uint32_t i = 0; i < 8; i++)
        rig_put(r, i % 2 ? MP_NON_IDEMPOTENT : MP_PLAIN, i, 0, 50);
    mp_lane_flush_up_to(r->lane, r->seqs);
    r->book[4].poison = true;
    CHECK(rig_run(r, refuses_poison, 7) && is_sorted_out(r));
    CHECK(r->stats.ambiguous == 3 && r->now_ms == 0); /* of 8, 4 and 2 */
    rig_finish(r);
}

CASE(a_mixed_request_ends_what_adds_up_once_it_is_to_be_reported) {
    static const word *const words[] = {&reply_lost, &reply_no};
    for (int i = 0; i < 2; i++) {
        rig *r = rig_open(MP_LANE_PEOPLE);
        for (uint32_t k = 0; k < 3; k++)
            rig_put(r, k == 1 ? MP_NON_IDEMPOTENT : MP_PLAIN, k, 0, 50);
        mp_lane_flush_up_to(r->lane, r->seqs);
        mp_batch *batch = rig_next(r);
        r->settings->report_ambiguous = true;
        rig_say(r, batch, *words[i]);
        CHECK(r->stats.rejected == 1 && r->stats.queued == 2);
        CHECK(fate_of(r, 2) == REJECTED && r->stats.ambiguous == 1);
        rig_finish(r);
    }
}

CASE(what_adds_up_travels_apart_in_order_with_report) {
    static const uint32_t counts[] = {3, 2, 1, 1, 3};
    static const char kinds[] = "sssaasasss"; /* $set, $add */
    rig *r = open_reporting();
    for (const char *kind = kinds; *kind; kind++)
        rig_put(r, *kind == 'a' ? MP_NON_IDEMPOTENT : MP_PLAIN, 1, 0, 50);
    mp_lane_flush_up_to(r->lane, r->seqs);
    uint64_t last = 0;
    for (int i = 0; i < 5; i++) {
        mp_batch *batch = rig_next(r);
        CHECK(batch && batch->count == counts[i]);
        CHECK(mp_batch_seq(batch) == last + 1);
        last += batch->count;
        rig_say(r, batch, reply_ok);
    }
    rig_finish(r);
}

/* Else a mixed load would travel one record a request. */
CASE(non_idempotent_waits_only_for_its_own_key) {
    rig *r = open_reporting();
    for (uint32_t i = 0; i < 40; i++) {
        rig_put(r, MP_PLAIN, i, 0, 50);
        rig_put(r, MP_NON_IDEMPOTENT, i, 0, 50);
    }
    rig_put(r, MP_PLAIN, 7, 0, 50); /* 81 waits for 16 */
    mp_lane_flush_up_to(r->lane, r->seqs);
    rig_serve(r, reply_503);
    rig_sleep(r);
    static const uint32_t counts[] = {40, 40, 1};
    for (int i = 0; i < 3; i++) {
        mp_batch *batch = rig_next(r);
        CHECK(batch && batch->count == counts[i]);
        if (batch)
            rig_say(r, batch, reply_ok);
    }
    CHECK(r->stats.delivered == 81 && r->requests == 4);
    rig_finish(r);
}

/* It has two of its own updates in every three, of kinds that travel apart. */
CASE(a_key_with_many_updates_delays_itself_only) {
    rig *r = open_reporting();
    r->settings->max_batch_size = 100;
    for (uint32_t i = 0; i < 6000; i++)
        rig_put(r, i % 2 ? MP_NON_IDEMPOTENT : MP_PLAIN, i % 3 ? 1 : 2 + i % 50,
                0, 50);
    mp_lane_flush_up_to(r->lane, r->seqs);
    uint32_t others = 0;
    for (int i = 0; i < 300; i++) {
        mp_batch *batch = rig_next(r);
        CHECK(batch != NULL);
        if (!batch)
            break;
        for (uint32_t k = 0; k < batch->count; k++)
            others += mp_batch_entry(batch, k)->ordering_key != 1;
        rig_say(r, batch, reply_ok);
    }
    CHECK(others == 2000);
    rig_finish(r);
}

CASE(what_adds_up_is_not_sent_again_when_refused_with_report) {
    rig *r = open_reporting();
    for (int i = 0; i < 4; i++)
        rig_put(r, i < 2 ? MP_NON_IDEMPOTENT : MP_PLAIN, 1, 0, 50);
    mp_lane_flush_up_to(r->lane, r->seqs);
    rig_serve(r, reply_no);
    CHECK(r->stats.rejected == 2 && r->requests == 1);
    rig_serve(r, reply_ok);
    rig_finish(r);
}

CASE(what_adds_up_is_sent_again_when_it_may_have_failed) {
    rig *r = rig_open(MP_LANE_PEOPLE);
    rig_put(r, MP_NON_IDEMPOTENT, 1, 0, 50);
    mp_lane_flush_up_to(r->lane, r->seqs);
    rig_serve(r, reply_lost);
    rig_sleep(r);
    rig_serve(r, reply_ok);
    CHECK(r->stats.ambiguous == 1 && r->stats.delivered == 1);
    rig_finish(r);
}

CASE(in_doubt_ends_non_idempotent_records_with_report) {
    static const word *const words[] = {&reply_lost, &reply_503, &reply_what};
    for (int i = 0; i < 3; i++) {
        rig *r = open_reporting();
        for (int k = 0; k < 4; k++)
            rig_put(r, k < 2 ? MP_NON_IDEMPOTENT : MP_PLAIN, 1, 0, 50);
        mp_lane_flush_up_to(r->lane, r->seqs);
        rig_serve(r, *words[i]);
        CHECK(r->stats.rejected == 2 && r->stats.ambiguous == 1);
        r->now_ms += MINUTE;
        rig_serve(r, *words[i]);
        CHECK(r->stats.rejected == 2 && r->stats.ambiguous == 2);
        rig_finish(r);
    }
}

/* Else an outage would end one batch after the other. */
CASE(in_doubt_records_that_end_back_off_too) {
    static const word words[] = {
        {MP_RESULT_LOST, 0, "timeout", 0},
        {MP_RESULT_SERVER_ERROR, 503, "x", 10 * MINUTE}};
    for (int i = 0; i < 2; i++) {
        rig *r = open_reporting();
        r->settings->max_batch_size = 1;
        for (int k = 0; k < 3; k++)
            rig_put(r, MP_NON_IDEMPOTENT, 1, 0, 50);
        rig_serve(r, words[i]);
        mp_batch *early = rig_next(r);
        CHECK(!early && r->next_ms >= (i ? 10 * MINUTE : 3000));
        if (early)
            rig_say(r, early, reply_ok);
        rig_finish(r);
    }
}

int main(void) {
    RUN(wrong_credentials_pause_any_lane);
    RUN(a_lane_never_answered_200_pauses_at_403_and_404);
    RUN(a_lane_answered_200_halves_at_403_and_404);
    RUN(a_host_that_is_not_mixpanel_rejects_nothing);
    RUN(an_unproven_route_is_probed_with_another_record);
    RUN(a_proven_route_takes_foreign_answers_for_an_outage);
    RUN(what_is_refused_for_its_compression_goes_plain_once);
    RUN(the_third_unreadable_response_pauses);
    RUN(unreadable_responses_count_in_a_row);
    RUN(identity_travels_apart_on_import);
    RUN(what_adds_up_travels_with_all_else);
    RUN(each_refusal_of_what_adds_up_with_others_is_counted);
    RUN(a_mixed_request_ends_what_adds_up_once_it_is_to_be_reported);
    RUN(what_adds_up_travels_apart_in_order_with_report);
    RUN(non_idempotent_waits_only_for_its_own_key);
    RUN(a_key_with_many_updates_delays_itself_only);
    RUN(what_adds_up_is_not_sent_again_when_refused_with_report);
    RUN(what_adds_up_is_sent_again_when_it_may_have_failed);
    RUN(in_doubt_ends_non_idempotent_records_with_report);
    RUN(in_doubt_records_that_end_back_off_too);
    return unit_result();
}
