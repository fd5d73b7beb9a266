/* How long one record that draws errors may wait behind the others. */
#include "lane_servers.h"

enum {
    MINUTE = 60 * 1000,
    HOUR = 60 * MINUTE
};

static word breaks_on_poison(rig *r, const mp_batch *batch) {
    return poisons_in(r, batch) ? reply_503 : reply_ok;
}

static word breaks(rig *r, const mp_batch *batch) {
    (void)r, (void)batch;
    return reply_503;
}

/* Serves for so long, with another record to be sent each minute. */
static void serve_beside_others(rig *r, server serve, int64_t ms) {
    for (int64_t end_ms = r->now_ms + ms; r->now_ms < end_ms;) {
        rig_add(r, 1);
        mp_lane_flush_up_to(r->lane, r->seqs);
        int64_t next_ms = r->now_ms + MINUTE;
        mp_batch *batch;
        while ((batch = rig_next(r)) || r->next_ms <= next_ms) {
            if (batch)
                rig_say(r, batch, serve(r, batch));
            else
                r->now_ms = r->next_ms;
        }
        r->now_ms = next_ms;
    }
}

static rig *open_with_poison(mp_lane_id id) {
    rig *r = open_with(id, 10);
    r->book[5].poison = true;
    return r;
}

CASE(one_that_is_stuck_ends_as_rejected_once_others_passed_for_so_long) {
    static const mp_lane_id lanes[] = {MP_LANE_EVENTS, MP_LANE_PEOPLE};
    for (int i = 0; i < 2; i++) {
        rig *r = open_with_poison(lanes[i]);
        r->settings->max_stuck_ms = HOUR;
        serve_beside_others(r, breaks_on_poison, HOUR);
        CHECK(r->stats.rejected == 0 && fate_of(r, 5) == WAITING);
        serve_beside_others(r, breaks_on_poison, HOUR / 2);
        CHECK(r->stats.rejected == 1 && is_sorted_out(r));
        rig_finish(r);
    }
}

CASE(as_what_may_have_been_applied) {
    rig *r = open_with_poison(MP_LANE_EVENTS);
    mp_reports *reports = mp_reports_new();
    mp_lane_report_to(r->lane, reports);
    r->settings->max_stuck_ms = MINUTE;
    serve_beside_others(r, breaks_on_poison, HOUR);
    mp_report report = {0};
    bool found = false;
    while (!found && mp_reports_take(reports, &report)) {
        found = report.outcome == MP_REPORT_REJECTED;
        if (found) {
            CHECK(report.uncertain && report.status == 503);
            CHECK(report.shown == 1 && report.records[0].seq == 5);
            CHECK(strcmp(report.message, "HTTP 503") == 0);
        }
        mp_report_free(&report);
    }
    CHECK(found);
    mp_lane_report_to(r->lane, NULL);
    mp_reports_free(reports);
    rig_finish(r);
}

CASE(without_a_limit_it_waits_for_ever) {
    rig *r = open_with_poison(MP_LANE_EVENTS);
    serve_beside_others(r, breaks_on_poison, 48 * (int64_t)HOUR);
    CHECK(r->stats.rejected == 0 && r->stats.queued == 1);
    rig_finish(r);
}

/* Each record is alone in the end, and none is at fault. */
CASE(an_outage_of_any_length_ends_none) {
    static const mp_lane_id lanes[] = {MP_LANE_EVENTS, MP_LANE_PEOPLE};
    for (int i = 0; i < 2; i++) {
        rig *r = open_with(lanes[i], 4);
        r->settings->max_stuck_ms = HOUR;
        serve_beside_others(r, breaks, 24 * (int64_t)HOUR);
        CHECK(r->stats.rejected == 0);
        for (int k = 0; k < 4; k++) { /* now and then it is back for a moment */
            rig_add(r, 1);
            serve_beside_others(r, server_ok, 1);
            serve_beside_others(r, breaks, 2 * HOUR);
        }
        CHECK(r->stats.rejected == 0);
        CHECK(rig_run(r, server_ok, 10000));
        CHECK(is_sorted_out(r));
        rig_finish(r);
    }
}

int main(void) {
    RUN(one_that_is_stuck_ends_as_rejected_once_others_passed_for_so_long);
    RUN(as_what_may_have_been_applied);
    RUN(without_a_limit_it_waits_for_ever);
    RUN(an_outage_of_any_length_ends_none);
    return unit_result();
}
