/* Records that wait behind the others, until when or for how long. */
#include "core/lane/lane_state.h"

static void defer(mp_lane *lane, mp_batch *batch, int64_t resume_ms) {
    batch->resume_ms = resume_ms;
    lane->moves = true;
    mp_lane_insert(lane, &lane->deferred, batch);
}

/* Defers what of a batch in `ready` would take the route. What there is no
 * memory for stays. */
static void defer_for(mp_lane *lane, const mp_route *route, mp_batch *batch,
                      int64_t now_ms, int64_t resume_ms) {
    bool takes[MP_SEGMENT_RECORDS] = {false};
    uint32_t n = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        const mp_entry *entry = mp_batch_entry(batch, i);
        takes[i] = mp_lane_route_for(lane, entry, now_ms) == route;
        n += takes[i];
    }
    if (n == 0)
        return;
    mp_lane_take_out(lane, &lane->ready, batch);
    mp_batch *part = n < batch->count ? mp_batch_split(batch, takes, n) : batch;
    if (part != batch)
        mp_lane_insert(lane, &lane->ready, batch);
    if (part)
        defer(lane, part, resume_ms);
}

void mp_lane_defer_all(mp_lane *lane, const mp_route *route, mp_batch *batch,
                       int64_t now_ms, int64_t resume_ms) {
    for (mp_batch *b = lane->ready, *next; b; b = next) {
        next = b->next;
        if (b->segment == batch->segment)
            defer_for(lane, route, b, now_ms, resume_ms);
    }
    defer(lane, batch, resume_ms);
}

/* Once a record: it may stay so for days. */
static void report_deferred(mp_lane *lane, mp_batch *batch,
                            const mp_response *response) {
    if (!batch->reported_deferred)
        mp_lane_report(lane, batch, MP_REPORT_STUCK, response->status,
                       response->text);
    batch->reported_deferred = true;
}

/* The door may be closed to all, and in the middle of a search. Once others
 * pass, a record that still does not is at fault: in a search those that are
 * left tell soon. */
static void defer_forbidden(mp_lane *lane, mp_route *route, mp_batch *batch,
                            const mp_response *response, int64_t now_ms,
                            int64_t resume_ms) {
    bool soon = batch->bisection && batch->bisection->passed;
    if (!soon) {
        report_deferred(lane, batch, response);
        route->trusted = false;
    }
    mp_batch_leave_bisection(batch);
    batch->forbidden_since = route->taken + 1;
    defer(lane, batch, soon ? now_ms : resume_ms);
}

void mp_lane_defer_alone(mp_lane *lane, mp_route *route, mp_batch *batch,
                         const mp_response *response, int64_t now_ms,
                         int64_t resume_ms) {
    if (response->result == MP_RESULT_FORBIDDEN) {
        defer_forbidden(lane, route, batch, response, now_ms, resume_ms);
        return;
    }
    report_deferred(lane, batch, response);
    if (response->result == MP_RESULT_TOO_LARGE) {
        batch->large_since = route->taken + 1;
        batch->large_alone = true;
    }
    defer(lane, batch, resume_ms);
}

/* What others passed between two of its tries, and only that, speaks against
 * the record: in an outage of hours all are alone in the end. */
bool mp_lane_gives_up(const mp_route *route, const mp_settings *settings,
                      mp_batch *batch, int64_t now_ms) {
    bool passed = batch->reported_deferred && route->taken > batch->passed_by;
    batch->passed_by = route->taken;
    if (!passed)
        return false;
    if (!batch->stuck)
        batch->stuck_ms = now_ms;
    batch->stuck = true;
    return settings->max_stuck_ms > 0 &&
           now_ms - batch->stuck_ms >= settings->max_stuck_ms;
}
