#include "lane_servers.h"

enum {
    MINUTE = 60 * 1000,
    BISECTION = 64 /* requests spent on one batch at the most */
};

/* ---- model servers ---- */

static word is_hurt_by_poison(rig *r, const mp_batch *batch) {
    return poisons_in(r, batch) ? reply_bad : reply_ok;
}

static word names_poison(rig *r, const mp_batch *batch) {
    return poisons_in(r, batch) ? reply_partly : reply_ok;
}

static word breaks_on_poison(rig *r, const mp_batch *batch) {
    return poisons_in(r, batch) ? reply_503 : reply_ok;
}

static word refuses_all(rig *r, const mp_batch *batch) {
    (void)r, (void)batch;
    return reply_no;
}

static word refuses_all_variously(rig *r, const mp_batch *batch) {
    (void)batch;
    word reply = reply_no;
    reply.text = r->requests % 2 ? "this" : "that";
    return reply;
}

/* ---- helpers ---- */

static uint32_t log2_up(uint32_t n) {
    uint32_t steps = 0;
    while (1u << steps < n)
        steps++;
    return steps;
}

/* ---- searching ---- */

CASE(one_poison_is_found_with_few_requests) {
    static const uint32_t sizes[] = {1, 2, 3, 10, 500, 2000};
    static const server servers[] = {refuses_poison, is_hurt_by_poison};
    for (int i = 0; i < 6 * 3 * 2; i++) {
        uint32_t n = sizes[i / 6], place = (uint32_t)i / 2 % 3;
        rig *r = open_with(i % 4 < 2 ? MP_LANE_EVENTS : MP_LANE_PEOPLE, n);
        r->book[1 + (n - 1) * place / 2].poison = true;
        CHECK(rig_run(r, servers[i % 2], 1 + 2 * log2_up(n)));
        CHECK(is_sorted_out(r) && r->now_ms == 0);
        rig_finish(r);
    }
}

CASE(several_poisons_are_found) {
    for (uint32_t poisons = 2; poisons < 40; poisons += 6) {
        rig *r = open_with(MP_LANE_IMPORT, 2000);
        for (uint32_t i = 0; i < poisons; i++)
            r->book[1 + i * 37].poison = true;
        CHECK(rig_run(r, refuses_poison, poisons * (2 + 2 * 11)));
        CHECK(is_sorted_out(r));
        rig_finish(r);
    }
}

CASE(side_by_side_the_search_keeps_its_bound) {
    rig *r = open_with(MP_LANE_EVENTS, 2000);
    for (uint64_t t = 1; t <= r->seqs; t++)
        r->book[t].poison = true;
    while (!mp_lane_empty(r->lane)) {
        mp_batch *under_way[4];
        int n = 0;
        while (n < 4 && (under_way[n] = rig_next_of(r, (uint32_t)(4 - n))))
            n++;
        if (n == 0)
            r->now_ms = r->next_ms;
        while (n-- > 0)
            rig_say(r, under_way[n], refuses_poison(r, under_way[n]));
    }
    CHECK(r->requests == BISECTION && is_sorted_out(r));
    rig_finish(r);
}

CASE(the_rest_is_rejected_when_all_refusals_are_one) {
    rig *r = open_with(MP_LANE_EVENTS, 2000);
    CHECK(rig_run(r, refuses_all, BISECTION));
    CHECK(r->stats.rejected == 2000 && r->requests == BISECTION);
    rig_add_due(r, 1);
    CHECK(!rig_next(r) && r->next_ms == MINUTE);
    rig_finish(r);
}

CASE(the_rest_starts_over_when_some_were_taken) {
    rig *r = open_with(MP_LANE_EVENTS, 300);
    for (uint64_t t = 2; t <= r->seqs; t++)
        r->book[t].poison = true;
    CHECK(rig_run(r, refuses_poison, 5 * BISECTION));
    CHECK(fate_of(r, 1) == DELIVERED && r->stats.rejected == 299);
    CHECK(r->requests > BISECTION);
    rig_finish(r);
}

CASE(the_rest_is_rejected_though_refusals_differ) {
    rig *r = open_with(MP_LANE_PEOPLE, 300);
    CHECK(rig_run(r, refuses_all_variously, BISECTION));
    CHECK(r->stats.rejected == 300 && r->requests == BISECTION);
    CHECK(r->now_ms == 0);
    rig_finish(r);
}

CASE(what_comes_later_waits_for_no_search) {
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_open_window(r, 2);
    rig_add_due(r, 100);
    r->book[50].poison = true;
    mp_batch *first = rig_next(r);
    rig_add_due(r, 10);
    mp_batch *second = rig_next(r);
    CHECK(first && second);
    rig_say(r, first, reply_no);
    rig_say(r, second, reply_ok);
    CHECK(rig_run(r, refuses_poison, 2 * 7) && is_sorted_out(r));
    rig_finish(r);
}

/* An outage is not a refusal: retries are no part of the search. */
CASE(an_outage_does_not_end_a_search) {
    static const word *const troubles[] = {&reply_429, &reply_nothing,
                                           &reply_503};
    for (int i = 0; i < 3; i++) {
        rig *r = open_with(MP_LANE_EVENTS, 100);
        r->book[7].poison = true;
        rig_serve(r, reply_no);
        for (int k = 0; k < 20 * BISECTION && r->stats.rejected == 0; k++) {
            mp_batch *batch = rig_next(r);
            if (batch)
                rig_say(r, batch, *troubles[i]);
            r->now_ms += 10 * MINUTE;
            if (mp_lane_empty(r->lane))
                break;
        }
        CHECK(r->stats.rejected == 0);
        CHECK(rig_run(r, refuses_poison, 2 * BISECTION) && is_sorted_out(r));
        rig_finish(r);
    }
}

static word forbids_all(rig *r, const mp_batch *batch) {
    (void)r, (void)batch;
    return reply_403;
}

static word forbids_poison(rig *r, const mp_batch *batch) {
    return poisons_in(r, batch) ? reply_403 : reply_ok;
}

/* Somebody in between closes the door for a while. */
CASE(what_is_forbidden_altogether_is_kept) {
    static const uint32_t sizes[] = {1, 2, 10, 30, 2000};
    for (int i = 0; i < 5; i++) {
        rig *r = open_with(MP_LANE_EVENTS, 1);
        rig_serve(r, reply_ok);
        rig_add_due(r, sizes[i]);
        CHECK(!rig_run(r, forbids_all, BISECTION - 1));
        rig_add_due(r, sizes[i]);
        CHECK(!rig_run(r, forbids_all, BISECTION - 1));
        CHECK(r->stats.rejected == 0);
        rig_finish(r);
    }
}

/* What a firewall dislikes does not block the others, not even before it ever
 * let one pass. */
CASE(what_is_forbidden_first_goes_behind_the_others) {
    for (int id = 0; id < MP_LANES; id++) {
        rig *r = open_with((mp_lane_id)id, 5);
        rig_serve(r, reply_403);
        rig_put(r, MP_PLAIN, 60, 0, 50);
        mp_lane_flush_up_to(r->lane, r->seqs);
        rig_sleep(r);
        mp_batch *batch = rig_next(r);
        CHECK(batch && mp_batch_seq(batch) == 6);
        rig_say(r, batch, reply_ok);
        rig_finish(r);
    }
}

CASE(what_is_forbidden_goes_behind_the_others) {
    rig *r = open_with(MP_LANE_EVENTS, 1);
    rig_serve(r, reply_ok);
    rig_add_due(r, 300);
    for (uint64_t t = 2; t <= r->seqs; t++)
        r->book[t].poison = true;
    CHECK(!rig_run(r, forbids_poison, BISECTION - 1));
    rig_add_due(r, 10);
    rig_sleep(r);
    rig_serve(r, reply_ok); /* one alone, and then the others */
    rig_serve(r, reply_ok);
    CHECK(r->stats.delivered == 11);
    for (int i = 0; i < 400 && r->stats.rejected < 300; i++) {
        rig_add_due(r, 1);
        rig_run(r, forbids_poison, BISECTION + 2);
    }
    CHECK(is_sorted_out(r));
    rig_finish(r);
}

/* ---- named ---- */

CASE(named_records_are_rejected_and_the_others_delivered) {
    rig *r = open_with(MP_LANE_IMPORT, 10);
    r->book[1].poison = r->book[5].poison = r->book[10].poison = true;
    CHECK(rig_run(r, names_poison, 1) && is_sorted_out(r));
    rig_finish(r);
}

CASE(all_records_may_be_named) {
    rig *r = open_with(MP_LANE_IMPORT, 2);
    r->book[1].poison = r->book[2].poison = true;
    CHECK(rig_run(r, names_poison, 1) && is_sorted_out(r));
    rig_finish(r);
}

CASE(names_may_come_in_the_middle_of_a_search) {
    rig *r = open_with(MP_LANE_IMPORT, 100);
    r->book[20].poison = r->book[80].poison = true;
    rig_serve(r, reply_bad);
    CHECK(rig_run(r, names_poison, 2) && is_sorted_out(r));
    rig_finish(r);
}

/* ---- 5xx ---- */

/* Sends the only thing there is to send, `n` times. */
static void fail(rig *r, int n, word reply) {
    for (int i = 0; i < n; i++) {
        if (i > 0)
            rig_sleep(r);
        rig_serve(r, reply);
    }
}

CASE(eight_server_errors_halve_a_batch) {
    rig *r = open_with(MP_LANE_EVENTS, 10);
    fail(r, 8, reply_503);
    CHECK(r->stats.ambiguous == 8);
    rig_sleep(r);
    mp_batch *half = rig_next(r);
    CHECK(half && half->count == 5 && mp_batch_seq(half) == 1);
    rig_say(r, half, reply_ok);
    rig_finish(r);
}

CASE(a_deferred_event_goes_behind_the_others) {
    rig *r = open_with(MP_LANE_EVENTS, 1);
    r->book[1].poison = true;
    fail(r, 8, reply_503);
    CHECK(!rig_next(r));
    rig_add_due(r, 5);
    rig_serve(r, reply_ok);
    CHECK(r->stats.delivered == 5 && fate_of(r, 1) == WAITING);
    for (int i = 0; i < 20; i++) {
        rig_sleep(r);
        rig_serve(r, reply_503);
        rig_add_due(r, 5);
        rig_serve(r, reply_ok);
    }
    CHECK(r->stats.rejected == 0 && r->stats.delivered == 105);
    rig_finish(r);
}

CASE(only_updates_of_one_key_wait_for_a_deferred_one) {
    rig *r = rig_open(MP_LANE_PEOPLE);
    rig_put(r, MP_PLAIN, 1, 0, 50);
    r->book[1].poison = true;
    mp_lane_flush_up_to(r->lane, r->seqs);
    fail(r, 8, reply_503);
    for (uint32_t i = 0; i < 9; i++)
        rig_put(r, i % 2 ? MP_PLAIN : MP_NON_IDEMPOTENT, i / 3, 0, 50);
    mp_lane_flush_up_to(r->lane, r->seqs);
    while (r->stats.delivered < 6)
        rig_serve(r, reply_ok);
    CHECK(fate_of(r, 5) == WAITING && fate_of(r, 7) == WAITING);
    CHECK(!rig_next(r));
    rig_finish(r);
}

CASE(order_is_kept_around_a_deferred_key) {
    rig *r = rig_open(MP_LANE_PEOPLE);
    r->settings->report_ambiguous = true; /* else 3 and 4 share a request */
    rig_put(r, MP_PLAIN, 1, 0, 50);
    mp_lane_flush_up_to(r->lane, r->seqs);
    fail(r, 8, reply_503);
    rig_put(r, MP_PLAIN, 1, 0, 50);          /* 2 waits for 1 */
    rig_put(r, MP_PLAIN, 2, 0, 50);          /* 3 is sent and fails */
    rig_put(r, MP_NON_IDEMPOTENT, 2, 0, 50); /* 4 must wait for 3 */
    mp_lane_flush_up_to(r->lane, r->seqs);
    mp_batch *batch = rig_next(r);
    CHECK(batch && mp_batch_seq(batch) == 3 && batch->count == 1);
    rig_say(r, batch, reply_429);
    rig_sleep(r);
    batch = rig_next(r);
    CHECK(batch && mp_batch_seq(batch) == 3);
    rig_say(r, batch, reply_ok);
    rig_finish(r);
}

CASE(a_record_that_breaks_the_server_stays_alone) {
    static const mp_lane_id lanes[] = {MP_LANE_EVENTS, MP_LANE_GROUPS};
    for (int i = 0; i < 2; i++) {
        rig *r = open_with(lanes[i], 4);
        r->book[3].poison = true;
        CHECK(!rig_run(r, breaks_on_poison, 8 * 3 + 10));
        CHECK(r->stats.delivered == 3 && r->stats.rejected == 0);
        rig_finish(r);
    }
}

CASE(a_deferred_record_does_not_shorten_retry_after) {
    rig *r = open_with(MP_LANE_EVENTS, 1);
    fail(r, 7, reply_503);
    rig_sleep(r);
    int64_t asked_ms = r->now_ms;
    rig_serve(r, checking(reply_503, 30 * MINUTE));
    rig_add_due(r, 5);
    mp_batch *early = rig_next(r);
    CHECK(!early && r->next_ms == asked_ms + 30 * MINUTE);
    if (early)
        rig_say(r, early, reply_ok);
    rig_finish(r);
}

CASE(old_events_pass_full_batches_that_wait_for_their_own_endpoint) {
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_add_due(r, 1);
    rig_serve(r, checking(reply_429, 60 * MINUTE));
    r->settings->max_batch_size = 10;
    rig_add(r, 30);
    rig_put(r, MP_PLAIN, 0, 1, 98);
    mp_lane_flush_up_to(r->lane, r->seqs);
    mp_batch *old = rig_next(r);
    CHECK(old && mp_batch_seq(old) == 32 && old->count == 1);
    if (old)
        rig_say(r, old, reply_ok);
    rig_finish(r);
}

/* A search that began with another refusal, and met a door that was shut. */
CASE(what_is_forbidden_in_a_search_is_kept_until_others_pass) {
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_add_due(r, 8);
    rig_serve(r, reply_bad);
    rig_serve(r, reply_ok); /* the first half */
    for (int i = 0; i < 8; i++) {
        mp_batch *batch = rig_next(r);
        if (batch)
            rig_say(r, batch, reply_403);
    }
    CHECK(r->stats.rejected == 0);
    rig_finish(r);
}

/* The same when others of it had passed before. */
CASE(a_door_that_shuts_in_a_search_rejects_nothing) {
    rig *r = open_with(MP_LANE_EVENTS, 1);
    rig_serve(r, reply_ok);
    rig_add_due(r, 2000);
    rig_serve(r, reply_403);
    rig_serve(r, reply_ok); /* the first half */
    CHECK(!rig_run(r, forbids_all, 10 * BISECTION));
    CHECK(r->stats.rejected == 0);
    r->now_ms += 10 * MINUTE;
    CHECK(rig_run(r, server_ok, 10 * BISECTION));
    CHECK(r->stats.rejected == 0);
    rig_finish(r);
}

int main(void) {
    RUN(one_poison_is_found_with_few_requests);
    RUN(several_poisons_are_found);
    RUN(side_by_side_the_search_keeps_its_bound);
    RUN(the_rest_is_rejected_when_all_refusals_are_one);
    RUN(the_rest_starts_over_when_some_were_taken);
    RUN(the_rest_is_rejected_though_refusals_differ);
    RUN(what_comes_later_waits_for_no_search);
    RUN(an_outage_does_not_end_a_search);
    RUN(what_is_forbidden_altogether_is_kept);
    RUN(what_is_forbidden_first_goes_behind_the_others);
    RUN(what_is_forbidden_goes_behind_the_others);
    RUN(named_records_are_rejected_and_the_others_delivered);
    RUN(all_records_may_be_named);
    RUN(names_may_come_in_the_middle_of_a_search);
    RUN(eight_server_errors_halve_a_batch);
    RUN(a_deferred_event_goes_behind_the_others);
    RUN(only_updates_of_one_key_wait_for_a_deferred_one);
    RUN(order_is_kept_around_a_deferred_key);
    RUN(a_record_that_breaks_the_server_stays_alone);
    RUN(a_deferred_record_does_not_shorten_retry_after);
    RUN(old_events_pass_full_batches_that_wait_for_their_own_endpoint);
    RUN(what_is_forbidden_in_a_search_is_kept_until_others_pass);
    RUN(a_door_that_shuts_in_a_search_rejects_nothing);
    return unit_result();
}
