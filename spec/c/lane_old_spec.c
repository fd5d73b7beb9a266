#include "lane_helper.h"

/* Events that are too old for /track. */

enum {
    MINUTE = 60 * 1000,
    HOUR = 60 * MINUTE
};

static const int64_t old_ms = RIG_WALL_MS - 6 * (int64_t)DAY_MS;

/* `n` events, every other one six days old. */
static rig *open_with_old_events(bool custom_host, uint32_t n) {
    rig *r = custom_host ? rig_open_custom(MP_LANE_EVENTS)
                         : rig_open(MP_LANE_EVENTS);
    for (uint32_t i = 0; i < n; i++)
        rig_put(r, MP_PLAIN, 0, i % 2 ? old_ms : RIG_WALL_MS, 50);
    mp_lane_flush_up_to(r->lane, r->seqs);
    return r;
}

CASE(old_events_travel_to_import) {
    rig *r = open_with_old_events(false, 10);
    mp_batch *young = rig_next(r), *old = rig_next(r);
    CHECK(young && young->count == 5 && !is_detour(r, young));
    CHECK(old && old->count == 5 && is_detour(r, old));
    r->book[2].poison = true;
    rig_say(r, old, reply_partly);
    rig_say(r, young, reply_ok);
    CHECK(r->stats.rejected == 1 && r->stats.delivered == 9);
    rig_finish(r);
}

CASE(five_days_less_an_hour_is_old) {
    rig *r = rig_open(MP_LANE_EVENTS);
    int64_t edge_ms = r->wall_ms - 5 * (int64_t)DAY_MS + HOUR;
    rig_put(r, MP_PLAIN, 0, edge_ms, 50);
    rig_put(r, MP_PLAIN, 0, edge_ms - 1, 50);
    rig_put(r, MP_IDENTITY, 0, edge_ms - DAY_MS, 50);
    rig_put(r, MP_PLAIN, 0, 0, 50);
    mp_lane_flush_up_to(r->lane, r->seqs);
    mp_batch *young = rig_next(r), *old = rig_next(r);
    CHECK(young && young->count == 3 && old && old->count == 1);
    rig_say(r, young, reply_ok);
    rig_say(r, old, reply_ok);
    rig_finish(r);
}

CASE(events_grow_old_between_tries) {
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_put(r, MP_PLAIN, 0, r->wall_ms, 50);
    mp_lane_flush_up_to(r->lane, r->seqs);
    mp_batch *batch = rig_next(r);
    CHECK(batch && !is_detour(r, batch));
    rig_say(r, batch, reply_429);
    rig_sleep(r);
    r->now_ms += 5 * (int64_t)DAY_MS;
    batch = rig_next(r);
    CHECK(batch && is_detour(r, batch));
    rig_say(r, batch, reply_ok);
    rig_finish(r);
}

/* Else a clock that is ahead for one request would end live events. */
CASE(a_jump_of_the_wall_clock_ages_nothing) {
    static const mp_lane_id lanes[] = {MP_LANE_EVENTS, MP_LANE_COLLECTED};
    for (int i = 0; i < 2; i++) {
        rig *r = rig_open(lanes[i]);
        rig_put(r, MP_PLAIN, 0, r->wall_ms, 50);
        r->wall_ms += 6 * (int64_t)DAY_MS;
        rig_put(r, MP_PLAIN, 0, r->wall_ms, 50);
        rig_put(r, MP_PLAIN, 0, r->wall_ms - 6 * (int64_t)DAY_MS, 50);
        r->wall_ms -= 6 * (int64_t)DAY_MS;
        rig_put(r, MP_PLAIN, 0, r->wall_ms, 50);
        mp_lane_flush_up_to(r->lane, r->seqs);
        mp_batch *batch = rig_next(r);
        CHECK(batch && batch->count == 3 && !is_detour(r, batch));
        if (batch)
            rig_say(r, batch, reply_ok);
        CHECK(r->stats.delivered == 3);
        rig_finish(r);
    }
}

CASE(deferred_events_grow_old_too) {
    rig *r = rig_open(MP_LANE_EVENTS);
    rig_put(r, MP_PLAIN, 0, r->wall_ms, 50);
    mp_lane_flush_up_to(r->lane, r->seqs);
    for (int i = 0; i < 9; i++) {
        rig_serve(r, reply_503);
        rig_sleep(r);
    }
    r->now_ms += 5 * (int64_t)DAY_MS;
    mp_batch *batch = rig_next(r);
    CHECK(batch && is_detour(r, batch));
    if (batch)
        rig_say(r, batch, reply_ok);
    rig_finish(r);
}

CASE(collected_events_that_grow_old_end) {
    rig *r = rig_open(MP_LANE_COLLECTED);
    int64_t edge_ms = r->wall_ms - 5 * (int64_t)DAY_MS + HOUR;
    for (int i = 0; i < 3; i++)
        rig_put(r, MP_PLAIN, 0, edge_ms - (i == 1), 50);
    rig_put(r, MP_IDENTITY, 0, edge_ms - DAY_MS, 50);
    mp_lane_flush_up_to(r->lane, r->seqs);
    mp_batch *batch = rig_next(r);
    CHECK(batch && batch->count == 3 && !is_detour(r, batch));
    CHECK(r->stats.dropped_expired == 1);
    rig_say(r, batch, reply_429);
    rig_sleep(r);
    r->now_ms += DAY_MS;
    batch = rig_next(r);
    CHECK(batch && batch->count == 1 && !is_detour(r, batch));
    CHECK(r->stats.dropped_expired == 3);
    rig_say(r, batch, reply_ok);
    CHECK(r->stats.delivered == 1);
    rig_finish(r);
}

CASE(deferred_collected_events_end_too) {
    rig *r = rig_open(MP_LANE_COLLECTED);
    rig_put(r, MP_PLAIN, 0, r->wall_ms, 50);
    mp_lane_flush_up_to(r->lane, r->seqs);
    for (int i = 0; i < 9; i++) {
        rig_serve(r, reply_503);
        rig_sleep(r);
    }
    r->now_ms += 5 * (int64_t)DAY_MS;
    CHECK(!rig_next(r));
    CHECK(r->stats.dropped_expired == 1 && r->stats.queued == 0);
    rig_finish(r);
}

CASE(a_custom_host_without_import_drops_old_events) {
    rig *r = open_with_old_events(true, 10);
    rig_serve(r, reply_ok);
    rig_serve(r, reply_404);
    CHECK(r->stats.dropped_expired == 5 && r->stats.delivered == 5);
    rig_add_due(r, 1);
    rig_serve(r, reply_ok);
    rig_finish(r);
}

CASE(what_import_refuses_does_not_stop_young_events) {
    static const word *const words[] = {&reply_401, &reply_403, &reply_404};
    for (int i = 0; i < 3; i++) {
        rig *r = open_with_old_events(false, 10);
        mp_batch *young = rig_next(r), *old = rig_next(r);
        rig_say(r, old, *words[i]);
        rig_say(r, young, reply_ok);
        rig_add_due(r, 2);
        rig_serve(r, reply_ok);
        CHECK(r->stats.delivered == 7 && r->stats.rejected == 0);
        CHECK(!rig_next(r) && r->next_ms == MINUTE);
        rig_finish(r);
    }
}

/* Nothing that happens on the way to /import touches that to /track. */
CASE(trouble_of_old_events_is_theirs_alone) {
    static const word *const words[] = {&reply_429, &reply_503, &reply_lost,
                                        &reply_nothing, &reply_what};
    for (int i = 0; i < 5; i++) {
        rig *r = open_with_old_events(i % 2, 10);
        mp_batch *young = rig_next(r), *old = rig_next(r);
        CHECK(is_detour(r, old) && !is_detour(r, young));
        rig_say(r, old, checking(*words[i], HOUR));
        rig_say(r, young, reply_ok);
        for (int k = 0; k < 3; k++, r->now_ms += 100) {
            rig_put(r, MP_PLAIN, 0, old_ms, 50);
            rig_add_due(r, 2);
            rig_serve(r, reply_ok);
        }
        CHECK(r->stats.delivered == 5 + 6);
        CHECK(!rig_next(r) && !mp_lane_waits(r->lane));
        CHECK(mp_lane_backoff_until(r->lane) == r->next_ms);
        CHECK(r->next_ms >= (i == 0 || i == 1 ? HOUR : 1000));
        r->now_ms = r->next_ms;
        old = rig_next(r);
        CHECK(old && is_detour(r, old) && !rig_next(r));
        rig_say(r, old, reply_ok);
        rig_finish(r);
    }
}

CASE(old_events_do_not_wait_for_track) {
    rig *r = open_with_old_events(false, 10);
    mp_batch *young = rig_next(r), *old = rig_next(r);
    rig_say(r, young, checking(reply_429, HOUR));
    rig_say(r, old, reply_ok);
    for (int k = 1; k < 4; k++) {
        rig_put(r, MP_PLAIN, 0, old_ms, 50);
        rig_add_due(r, 2);
        rig_serve(r, reply_ok);
        CHECK(r->stats.delivered == 5 + (uint64_t)k);
        CHECK(!rig_next(r) && mp_lane_waits(r->lane) && r->next_ms == HOUR);
    }
    rig_finish(r);
}

int main(void) {
    RUN(old_events_travel_to_import);
    RUN(five_days_less_an_hour_is_old);
    RUN(events_grow_old_between_tries);
    RUN(a_jump_of_the_wall_clock_ages_nothing);
    RUN(deferred_events_grow_old_too);
    RUN(collected_events_that_grow_old_end);
    RUN(deferred_collected_events_end_too);
    RUN(a_custom_host_without_import_drops_old_events);
    RUN(what_import_refuses_does_not_stop_young_events);
    RUN(trouble_of_old_events_is_theirs_alone);
    RUN(old_events_do_not_wait_for_track);
    return unit_result();
}
