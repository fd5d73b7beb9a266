/* How much travels in one request: what a 413 teaches, and slow links. */
#include "lane_servers.h"

enum {
    MINUTE = 60 * 1000
};

enum {
    ROOM = 9000 /* bytes that the small server takes */
};

static word is_small(rig *r, const mp_batch *batch) {
    return bytes_of(r, batch) > ROOM ? reply_large : reply_ok;
}

/* ---- too large ---- */

CASE(the_size_that_fits_is_remembered) {
    rig *r = open_with(MP_LANE_EVENTS, 2000);
    CHECK(rig_run(r, is_small, 100) && r->stats.delivered == 2000);
    r->most_bytes = 0;
    rig_add_due(r, 1000);
    CHECK(rig_run(r, is_small, 100) && r->stats.delivered == 3000);
    CHECK(r->most_bytes > ROOM / 4 && r->most_bytes <= ROOM);
    rig_finish(r);
}

CASE(one_oversized_record_is_rejected) {
    rig *r = rig_open(MP_LANE_PEOPLE);
    rig_add(r, 40);
    rig_put(r, MP_PLAIN, 5, 0, 2 * ROOM);
    r->book[41].poison = true;
    rig_add_due(r, 40);
    CHECK(rig_run(r, is_small, 40) && is_sorted_out(r));
    rig_finish(r);
}

CASE(what_was_too_large_is_tried_again_after_an_hour) {
    rig *r = open_with(MP_LANE_EVENTS, 4);
    rig_serve(r, reply_large);
    rig_serve(r, reply_large); /* the first half */
    CHECK(rig_run(r, server_ok, 4));
    for (int hour = 0; hour < 2; hour++) {
        rig_add_due(r, 100);
        uint32_t before = r->requests;
        CHECK(rig_run(r, server_ok, 100));
        CHECK((r->requests - before == 1) == (hour == 1));
        r->now_ms += 60 * MINUTE;
    }
    rig_finish(r);
}

/* Nobody knows yet that it is not the host. */
CASE(a_record_alone_is_too_large_once_others_were_taken) {
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_put(r, MP_PLAIN, 5, 0, 2 * ROOM);
    r->book[1].poison = true;
    mp_lane_flush_up_to(r->lane, r->seqs);
    rig_serve(r, reply_large);
    rig_sleep(r);
    rig_serve(r, reply_large);
    CHECK(r->stats.rejected == 0);
    rig_add_due(r, 80);
    CHECK(rig_run(r, is_small, 3) && is_sorted_out(r));
    rig_finish(r);
}

/* Refuses the next `n` requests, whatever is in them. */
static void refuse_sizes(rig *r, int n) {
    for (; n > 0 && !unit_bad; n--) {
        mp_batch *batch;
        while (!(batch = rig_next(r)))
            rig_sleep(r);
        rig_say(r, batch, reply_large);
    }
}

CASE(a_host_that_says_413_for_a_while_costs_neither_records_nor_an_hour) {
    for (int id = 0; id < MP_LANES; id++) {
        for (uint32_t before = 0; before < 3; before++) {
            static const uint32_t taken[] = {0, 1, 2000};
            rig *r = rig_open((mp_lane_id)id);
            uint32_t n = rig_limit(r);
            if (before > 0)
                rig_add_due(r, taken[before] < n ? taken[before] : n);
            CHECK(rig_run(r, server_ok, 1));
            for (uint32_t i = 0; i < n; i++)
                rig_put(r, MP_PLAIN, i % RIG_KEYS, 0, 60 + i * 7 % 40);
            mp_lane_flush_up_to(r->lane, r->seqs);
            refuse_sizes(r, 15);
            CHECK(rig_run(r, server_ok, 40) && r->stats.rejected == 0);
            CHECK(r->now_ms < 5 * MINUTE);
            rig_add_due(r, n);
            CHECK(rig_run(r, server_ok, 1));
            rig_finish(r);
        }
    }
}

/* What was refused as part of more, and waited since, is known by that still;
 * what was taken then is not forgotten either. */
CASE(a_host_that_says_413_for_a_while_after_hours_costs_no_records) {
    rig *r = open_with(MP_LANE_EVENTS, 4);
    rig_serve(r, reply_large);
    rig_serve(r, reply_ok); /* the first half */
    rig_serve(r, reply_nothing);
    r->now_ms += 61 * MINUTE;
    refuse_sizes(r, 3);
    CHECK(r->stats.rejected == 0);
    rig_finish(r);
}

CASE(a_host_that_always_says_413_is_not_asked_all_the_time) {
    rig *r = open_with(MP_LANE_EVENTS, 2000);
    refuse_sizes(r, 3);
    while (r->now_ms < 60 * MINUTE)
        refuse_sizes(r, 1);
    CHECK(r->requests < 200 && r->stats.rejected == 0);
    rig_finish(r);
}

CASE(what_is_smaller_than_what_was_taken_teaches_no_size) {
    rig *r = open_with(MP_LANE_EVENTS, 100);
    rig_serve(r, reply_ok);
    rig_add_due(r, 90);
    rig_serve(r, reply_large);
    CHECK(rig_run(r, server_ok, 2));
    r->now_ms += 60 * MINUTE;
    rig_add_due(r, 100);
    rig_serve(r, reply_large); /* what was taken is an hour ago */
    r->most_bytes = 0;
    CHECK(rig_run(r, server_ok, 2));
    rig_add_due(r, 100);
    CHECK(rig_run(r, server_ok, 2) && r->most_bytes == 100 * 50);
    rig_finish(r);
}

enum {
    PACKED = 10
};

static uint32_t refusals;

static word is_small_as_sent(rig *r, const mp_batch *batch) {
    refusals += rig_body_bytes(r, batch) > ROOM;
    return rig_body_bytes(r, batch) > ROOM ? reply_large : reply_ok;
}

CASE(sizes_are_those_of_what_is_sent) {
    rig *r = rig_open(MP_LANE_EVENTS);
    r->packed = PACKED;
    refusals = 0;
    for (int i = 0; i < 10; i++) {
        for (int k = 0; k < 600; k++) /* 12 kB as sent */
            rig_put(r, MP_PLAIN, 0, 0, 198);
        mp_lane_flush_up_to(r->lane, r->seqs);
        CHECK(rig_run(r, is_small_as_sent, 5));
        r->packed = i % 2 ? PACKED : PACKED - 2; /* it varies */
    }
    CHECK(refusals <= 3 && r->most_bytes > PACKED * ROOM / 2);
    rig_finish(r);
}

/* ---- slow links ---- */

enum {
    CARRIED = 600 * 1000 /* bytes that 20 KB/s carry in half a minute */
};

static word is_slow(rig *r, const mp_batch *batch) {
    return bytes_of(r, batch) > CARRIED ? reply_cut : reply_ok;
}

static void add_800_kb(rig *r) {
    for (int i = 0; i < 800; i++)
        rig_put(r, MP_PLAIN, 0, 0, 998);
    mp_lane_flush_up_to(r->lane, r->seqs);
}

CASE(a_slow_link_gets_what_it_can_carry) {
    for (int id = 0; id < MP_LANES; id++) {
        rig *r = rig_open((mp_lane_id)id);
        if (id != MP_LANE_GROUPS) {
            add_800_kb(r);
            CHECK(rig_run(r, is_slow, 2 + 2));
            CHECK(r->stats.delivered == 800);
        }
        for (int i = 0; i < 6; i++) {
            add_800_kb(r);
            CHECK(rig_run(r, is_slow, 20));
        }
        CHECK(r->stats.rejected == 0 && r->requests < 60);
        rig_finish(r);
    }
}

CASE(what_got_through_makes_requests_grow_again) {
    rig *r = rig_open(MP_LANE_EVENTS);
    add_800_kb(r);
    for (int i = 0; i < 6; i++) {
        rig_serve(r, reply_cut);
        rig_sleep(r);
    }
    for (int i = 0; i < 5; i++) {
        add_800_kb(r);
        CHECK(rig_run(r, server_ok, 100));
    }
    r->most_bytes = 0;
    add_800_kb(r);
    rig_serve(r, reply_ok);
    CHECK(r->most_bytes == 800 * 1000);
    rig_finish(r);
}

CASE(a_host_that_is_not_there_makes_nothing_smaller) {
    rig *r = open_with(MP_LANE_EVENTS, 100);
    for (int i = 0; i < 10; i++) {
        rig_serve(r, reply_nothing);
        rig_sleep(r);
    }
    rig_serve(r, reply_ok);
    CHECK(r->stats.delivered == 100);
    rig_finish(r);
}

int main(void) {
    RUN(the_size_that_fits_is_remembered);
    RUN(one_oversized_record_is_rejected);
    RUN(what_was_too_large_is_tried_again_after_an_hour);
    RUN(a_record_alone_is_too_large_once_others_were_taken);
    RUN(a_host_that_says_413_for_a_while_costs_neither_records_nor_an_hour);
    RUN(a_host_that_says_413_for_a_while_after_hours_costs_no_records);
    RUN(a_host_that_always_says_413_is_not_asked_all_the_time);
    RUN(what_is_smaller_than_what_was_taken_teaches_no_size);
    RUN(sizes_are_those_of_what_is_sent);
    RUN(a_slow_link_gets_what_it_can_carry);
    RUN(what_got_through_makes_requests_grow_again);
    RUN(a_host_that_is_not_there_makes_nothing_smaller);
    return unit_result();
}
