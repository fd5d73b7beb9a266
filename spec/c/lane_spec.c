#include "lane_servers.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MINUTE = 60 * 1000,
    HOUR = 60 * MINUTE
};

/* ---- when a batch goes ---- */

CASE(records_linger) {
    rig *r = rig_open(MP_LANE_EVENTS);
    CHECK(!rig_next(r) && r->next_ms == INT64_MAX);
    r->now_ms = 1000;
    rig_add(r, 3);
    r->now_ms = 2000;
    rig_add(r, 2);
    CHECK(!rig_next(r) && r->next_ms == 6000);
    rig_sleep(r);
    CHECK(r->now_ms == 6000);
    mp_batch *batch = rig_next(r);
    CHECK(batch && batch->count == 5);
    rig_say(r, batch, reply_ok);
    CHECK(!rig_next(r) && r->next_ms == INT64_MAX);
    rig_finish(r);
}

CASE(the_interval_may_change_while_records_wait) {
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_add(r, 1);
    r->settings->flush_interval_ms = 100;
    CHECK(!rig_next(r) && r->next_ms == 100);
    rig_finish(r);
}

CASE(a_flush_ends_the_linger_up_to_its_seq) {
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_add(r, 3);
    mp_lane_flush_up_to(r->lane, 2);
    rig_serve(r, reply_ok);
    CHECK(r->stats.delivered == 3);
    rig_add(r, 1);
    mp_lane_flush_up_to(r->lane, 1);
    CHECK(!rig_next(r) && r->next_ms == 5000);
    rig_finish(r);
}

CASE(a_full_batch_goes_at_once) {
    rig *r = rig_open(MP_LANE_EVENTS);
    r->settings->max_batch_size = 10;
    rig_add(r, 25);
    rig_serve(r, reply_ok);
    rig_serve(r, reply_ok);
    CHECK(r->stats.delivered == 20);
    CHECK(!rig_next(r) && r->next_ms == 5000);
    rig_finish(r);
}

CASE(the_record_that_fills_a_batch_says_so) {
    rig *r = rig_open(MP_LANE_GROUPS);
    for (int i = 1; i < 200; i++)
        CHECK(!rig_put(r, MP_PLAIN, 0, 0, 10));
    CHECK(rig_put(r, MP_PLAIN, 0, 0, 10));
    rig_serve(r, reply_ok);
    rig_finish(r);
}

CASE(a_lane_that_filled_a_segment_wants_a_spare_until_it_is_given_one) {
    rig *r = rig_open(MP_LANE_GROUPS);
    rig_add(r, 200);
    CHECK(mp_lane_wants_spare(r->lane));
    rig_add(r, 1); /* which was given a segment in need */
    CHECK(mp_lane_wants_spare(r->lane));
    mp_lane_give_spare(r->lane, mp_segment_new());
    CHECK(!mp_lane_wants_spare(r->lane));
    rig_add(r, 199);
    CHECK(!mp_lane_wants_spare(r->lane));
    rig_add(r, 1); /* which took the spare */
    CHECK(mp_lane_wants_spare(r->lane));
    rig_serve(r, reply_ok);
    rig_finish(r);
}

CASE(on_disk_a_lane_wants_a_spare_from_its_first_record_on_and_then_a_few) {
    rig *r = rig_open(MP_LANE_GROUPS);
    mp_lane_on_disk(r->lane, NULL);
    CHECK(!mp_lane_wants_spare(r->lane));
    rig_add(r, 1);
    CHECK(mp_lane_wants_spare(r->lane));
    mp_lane_give_spare(r->lane, mp_segment_new());
    CHECK(!mp_lane_wants_spare(r->lane));
    rig_add(r, 199);
    for (int i = 0; i < 3; i++) {
        CHECK(mp_lane_wants_spare(r->lane));
        mp_lane_give_spare(r->lane, mp_segment_new());
    }
    CHECK(!mp_lane_wants_spare(r->lane));
    rig_serve(r, reply_ok);
    rig_sweep(r);
    rig_finish(r);
}

CASE(a_smaller_batch_size_cuts_what_is_full) {
    rig *r = rig_open(MP_LANE_PEOPLE);
    rig_add_due(r, 25);
    mp_lane_flush_up_to(r->lane, r->seqs);
    r->settings->max_batch_size = 10;
    for (int i = 0; i < 3; i++)
        rig_serve(r, reply_ok);
    CHECK(r->stats.delivered == 25 && r->stats.retried == 0);
    rig_finish(r);
}

/* ---- how many go ---- */

CASE(events_go_side_by_side) {
    rig *r = rig_open(MP_LANE_EVENTS);
    mp_batch *batches[3];
    rig_open_window(r, 3);
    r->settings->max_batch_size = 10;
    rig_add(r, 30);
    CHECK(!rig_next_of(r, 0));
    for (int i = 0; i < 3; i++) {
        batches[i] = rig_next_of(r, 1);
        CHECK(batches[i] && mp_batch_seq(batches[i]) == (uint64_t)i * 10 + 3);
    }
    CHECK(mp_lane_in_flight(r->lane) == 3);
    CHECK(!rig_next(r));
    for (int i = 2; i >= 0; i--)
        rig_say(r, batches[i], reply_ok);
    rig_finish(r);
}

CASE(a_success_lets_one_more_go_at_once) {
    rig *r = rig_open(MP_LANE_EVENTS);
    r->settings->max_batch_size = 1;
    rig_add(r, 30);
    for (uint32_t window = 1, n = 0; window <= 4; window++, n = 0) {
        mp_batch *batches[8];
        while (n < 8 && (batches[n] = rig_next(r)))
            n++;
        CHECK(n == window);
        rig_say(r, batches[0], reply_ok);
        while (n-- > 1) { /* as if they had not been sent */
            uint64_t seq = mp_batch_seq(batches[n]);
            rig_mark(r, seq, WAITING);
            mp_lane_undo(r->lane, batches[n], r->now_ms);
        }
        r->now_ms += MINUTE;
    }
    rig_finish(r);
}

CASE(after_a_failure_one_goes_alone) {
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_open_window(r, 3);
    r->settings->max_batch_size = 1;
    rig_add(r, 9);
    mp_batch *a = rig_next(r), *b = rig_next(r);
    rig_say(r, a, reply_ok);
    rig_say(r, b, reply_429);
    rig_sleep(r);
    a = rig_next(r);
    CHECK(a && !rig_next(r));
    rig_say(r, a, reply_ok);
    a = rig_next(r);
    b = rig_next(r);
    CHECK(a && b && !rig_next(r));
    rig_say(r, a, reply_ok);
    rig_say(r, b, reply_ok);
    rig_finish(r);
}

CASE(profiles_and_groups_go_one_by_one) {
    for (int id = MP_LANE_PEOPLE; id <= MP_LANE_GROUPS; id++) {
        rig *r = rig_open((mp_lane_id)id);
        r->settings->max_batch_size = 10;
        rig_add(r, 30);
        mp_batch *batch = rig_next(r);
        CHECK(batch && !rig_next(r));
        rig_say(r, batch, reply_ok);
        rig_finish(r);
    }
}

CASE(order_is_kept_through_failures_and_halving) {
    static const word words[] = {{MP_RESULT_SERVER_ERROR, 503, "x", 0},
                                 {MP_RESULT_REFUSED, 200, "x", 0},
                                 {MP_RESULT_LOST, 0, "x", 0},
                                 {MP_RESULT_TOO_LARGE, 413, "x", 0},
                                 {MP_RESULT_BAD, 400, "x", 0},
                                 {MP_RESULT_UNAUTHORIZED, 401, "x", 0}};
    rig *r = rig_open(MP_LANE_PEOPLE);
    r->settings->max_batch_size = 16;
    rig_add(r, 64);
    uint64_t last = 0;
    for (int i = 0; !mp_lane_empty(r->lane);) {
        mp_batch *batch = rig_next(r);
        if (!batch) {
            r->now_ms = r->next_ms;
            continue;
        }
        bool taken = batch->count == 1 || ++i % 3 == 0;
        CHECK(mp_batch_seq(batch) == last + 1);
        if (taken)
            last = mp_batch_entry(batch, batch->count - 1)->seq;
        rig_say(r, batch, taken ? reply_ok : words[i % 6]);
    }
    CHECK(r->stats.delivered == 64);
    rig_finish(r);
}

/* ---- back-off ---- */

CASE(what_fails_together_counts_once) {
    rig *r = rig_open(MP_LANE_EVENTS);
    mp_batch *batches[4];
    rig_open_window(r, 4);
    r->settings->max_batch_size = 10;
    rig_add(r, 60);
    for (int i = 0; i < 4; i++)
        batches[i] = rig_next(r);
    r->now_ms = 100;
    for (int i = 0; i < 4; i++)
        rig_say(r, batches[i], reply_lost);
    rig_sleep(r);
    CHECK(r->now_ms >= 100 + 3000 && r->now_ms < 100 + 7000);
    int64_t failed_ms = r->now_ms;
    rig_serve(r, reply_lost);
    rig_sleep(r);
    CHECK(r->now_ms >= failed_ms + 5000 && r->now_ms < failed_ms + 9000);
    CHECK(r->stats.ambiguous == 5 && r->stats.retried == 10);
    rig_finish(r);
}

CASE(one_probe_goes_out_after_a_failure) {
    rig *r = rig_open(MP_LANE_EVENTS);
    r->settings->max_batch_size = 10;
    rig_add(r, 40);
    rig_serve(r, reply_429);
    for (int failures = 1; failures < 4; failures++) {
        rig_sleep(r);
        mp_batch *probe = rig_next(r);
        CHECK(probe && mp_batch_seq(probe) == 1);
        CHECK(!rig_next(r) && r->next_ms == INT64_MAX);
        rig_say(r, probe, failures < 3 ? reply_nothing : reply_ok);
    }
    mp_batch *a = rig_next(r), *b = rig_next(r);
    CHECK(a && b);
    rig_say(r, a, reply_ok);
    rig_say(r, b, reply_ok);
    rig_finish(r);
}

CASE(delays_grow_to_the_ceiling_and_start_over) {
    rig *r = rig_open(MP_LANE_PEOPLE);
    for (int pass = 0; pass < 2; pass++) {
        rig_add_due(r, 1);
        int64_t base_ms = 2000;
        for (int i = 0; i < 9; i++) {
            rig_serve(r, reply_429);
            int64_t failed_ms = r->now_ms;
            rig_sleep(r);
            CHECK(r->now_ms >= failed_ms + base_ms + 1000);
            CHECK(r->now_ms < failed_ms + base_ms + 5000);
            base_ms = base_ms > 30000 ? 60000 : base_ms * 2;
        }
        rig_serve(r, reply_ok);
    }
    rig_finish(r);
}

CASE(nothing_shortens_retry_after) {
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_open_window(r, 3);
    r->settings->max_batch_size = 10;
    rig_add(r, 40);
    mp_batch *a = rig_next(r), *b = rig_next(r), *c = rig_next(r);
    rig_say(r, a, checking(reply_429, 10 * MINUTE));
    rig_say(r, b, reply_ok);
    rig_say(r, c, checking(reply_503, 1000));
    mp_lane_flush_up_to(r->lane, r->seqs);
    CHECK(!rig_next(r) && r->next_ms == 10 * MINUTE);
    r->now_ms = MINUTE;
    rig_add_due(r, 20);
    CHECK(!rig_next(r) && r->next_ms == 10 * MINUTE);
    rig_sleep(r);
    rig_finish(r);
}

CASE(a_long_retry_after_ends_within_the_hour) {
    rig *r = rig_open(MP_LANE_GROUPS);
    rig_add_due(r, 1);
    rig_serve(r, checking(reply_503, 24 * HOUR));
    CHECK(!rig_next(r) && r->next_ms == HOUR);
    rig_finish(r);
}

CASE(a_request_that_was_not_made_was_not_sent) {
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_add_due(r, 10);
    mp_batch *batch = rig_next(r);
    for (uint64_t t = 1; t <= 10; t++)
        rig_mark(r, t, WAITING);
    mp_lane_undo(r->lane, batch, r->now_ms);
    rig_check(r);
    CHECK(!rig_next(r) && r->next_ms <= 1000);
    r->now_ms = r->next_ms;
    rig_serve(r, reply_ok);
    CHECK(r->stats.retried == 0);
    rig_finish(r);
}

/* ---- what is given up ---- */

CASE(old_batches_end_at_max_age) {
    rig *r = rig_open(MP_LANE_PEOPLE);
    r->settings->max_age_ms = HOUR;
    rig_add_due(r, 5);
    rig_serve(r, reply_503);
    r->now_ms = MINUTE;
    rig_add_due(r, 3);
    r->now_ms = HOUR - 1;
    rig_serve(r, reply_429);
    r->now_ms = HOUR + 10 * 1000;
    mp_batch *batch = rig_next(r);
    CHECK(r->stats.dropped_expired == 5);
    CHECK(batch && mp_batch_seq(batch) == 6 && batch->count == 3);
    rig_say(r, batch, reply_429);
    r->now_ms += HOUR;
    CHECK(!rig_next(r) && mp_lane_empty(r->lane));
    CHECK(r->stats.dropped_expired == 8 && r->next_ms == INT64_MAX);
    rig_finish(r);
}

CASE(the_oldest_make_room) {
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_open_window(r, 2);
    r->settings->max_batch_size = 10;
    rig_add(r, 45);
    mp_batch *first = rig_next(r), *second = rig_next(r);
    rig_say(r, second, reply_429);
    static const uint64_t left[] = {35, 25, 15, 10, 10};
    for (int i = 0; i < 5; i++) {
        rig_drop_oldest(r);
        CHECK(rig_left(r, UINT64_MAX) == left[i]);
    }
    rig_say(r, first, reply_ok);
    rig_drop_oldest(r);
    CHECK(r->stats.dropped_overflow == 35 && r->stats.delivered == 11);
    rig_finish(r);
}

/* ---- check ---- */

CASE(the_oldest_is_the_first_without_an_outcome) {
    rig *r = rig_open(MP_LANE_PEOPLE);
    r->settings->max_batch_size = 2;
    for (int i = 0; i < 5; i++, r->now_ms += 10)
        rig_add(r, 1);
    static const int64_t oldest[] = {0, 20, 40};
    for (int i = 0; i < 3; i++) {
        CHECK(mp_lane_oldest(r->lane) == oldest[i]);
        mp_lane_flush_up_to(r->lane, r->seqs);
        mp_batch *batch = rig_next(r);
        CHECK(mp_lane_oldest(r->lane) == oldest[i]);
        rig_say(r, batch, reply_gone);
    }
    rig_finish(r);
}

CASE(a_cleared_lane_is_new) {
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_add_due(r, 5);
    rig_serve(r, checking(reply_429, HOUR));
    rig_add(r, 5);
    mp_lane_clear(r->lane, 1);
    memset(&r->stats, 0, sizeof r->stats);
    memset(r->counts, 0, sizeof r->counts);
    r->seqs = 0;
    CHECK(mp_lane_empty(r->lane) && mp_lane_left(r->lane, UINT64_MAX) == 0);
    rig_add_due(r, 3);
    rig_serve(r, reply_ok);
    rig_finish(r);
}

/* In a forked child the parent's segments are not mapped, and what the child
 * has mapped in their place since must outlive the lane's. */
CASE(a_child_forgets_segments_without_touching_them) {
    mp_stats stats = {0};
    mp_settings *settings = mp_settings_new(MP_IN_MEMORY);
    mp_lane *lane = mp_lane_new(MP_LANE_EVENTS, &stats, MP_HOST_MIXPANEL, 1);
    mp_segment *segment = mp_segment_new();
    mp_record record = {.head = "{}", .head_len = 2};
    mp_lane_give(lane, segment);
    mp_lane_add(lane, settings, &record, 1, 0);
    pid_t child = fork();
    if (child == 0) {
        char *mine =
            mmap(segment->data, 4096, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        mp_lane_clear(lane, 2);
        unsigned char resident;
        bool kept = mine != MAP_FAILED && mincore(mine, 4096, &resident) == 0;
        mp_lane_free(lane);
        mp_settings_release(settings);
        _exit(!kept);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    mp_lane_free(lane);
    mp_settings_release(settings);
}

int main(void) {
    RUN(records_linger);
    RUN(the_interval_may_change_while_records_wait);
    RUN(a_flush_ends_the_linger_up_to_its_seq);
    RUN(a_full_batch_goes_at_once);
    RUN(the_record_that_fills_a_batch_says_so);
    RUN(a_lane_that_filled_a_segment_wants_a_spare_until_it_is_given_one);
    RUN(on_disk_a_lane_wants_a_spare_from_its_first_record_on_and_then_a_few);
    RUN(a_smaller_batch_size_cuts_what_is_full);
    RUN(events_go_side_by_side);
    RUN(a_success_lets_one_more_go_at_once);
    RUN(after_a_failure_one_goes_alone);
    RUN(profiles_and_groups_go_one_by_one);
    RUN(order_is_kept_through_failures_and_halving);
    RUN(what_fails_together_counts_once);
    RUN(one_probe_goes_out_after_a_failure);
    RUN(delays_grow_to_the_ceiling_and_start_over);
    RUN(nothing_shortens_retry_after);
    RUN(a_long_retry_after_ends_within_the_hour);
    RUN(a_request_that_was_not_made_was_not_sent);
    RUN(old_batches_end_at_max_age);
    RUN(the_oldest_make_room);
    RUN(the_oldest_is_the_first_without_an_outcome);
    RUN(a_cleared_lane_is_new);
    RUN(a_child_forgets_segments_without_touching_them);
    return unit_result();
}
