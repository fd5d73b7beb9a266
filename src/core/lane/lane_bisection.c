/* The end of searches for the records at fault in a batch. */
#include "core/lane/lane_state.h"

#include <stdlib.h>

enum {
    BISECTION_REQUESTS = 64 /* spent on the refused records of one batch */
};

static bool shares_bisection(const mp_batch *list,
                             const mp_bisection *bisection) {
    for (; list; list = list->next)
        if (list->bisection == bisection)
            return true;
    return false;
}

bool mp_lane_is_exhausted(const mp_batch *batch) {
    return batch->bisection && batch->bisection->requests >= BISECTION_REQUESTS;
}

/* Joins the parts of the same segment that share the bisection of *first into
 * one batch, which is in `ready`; others, which were deferred once, stay apart.
 * None of them is under the bisection any more. False: out of memory, some may
 * be joined. */
static bool reunite(mp_lane *lane, mp_batch **first) {
    const mp_bisection *bisection = (*first)->bisection;
    mp_lane_take_out(lane, &lane->ready, *first);
    bool whole = true;
    for (mp_batch *part = lane->ready, *next; part && whole; part = next) {
        next = part->next;
        if (part->bisection != bisection)
            continue;
        if (part->segment != (*first)->segment) {
            mp_batch_leave_bisection(part);
            continue;
        }
        mp_lane_take_out(lane, &lane->ready, part);
        whole = mp_batch_join(first, part);
        if (!whole)
            mp_lane_insert(lane, &lane->ready, part);
    }
    if (whole)
        mp_batch_leave_bisection(*first);
    mp_lane_insert(lane, &lane->ready, *first);
    return whole;
}

static void reject_bisection(mp_lane *lane, mp_bisection *bisection) {
    bisection->refs++; /* it is compared with to the end of the loop */
    for (mp_batch *part = lane->ready, *next; part; part = next) {
        next = part->next;
        if (part->bisection != bisection)
            continue;
        mp_lane_take_out(lane, &lane->ready, part);
        mp_lane_end(lane, part, MP_FATE_REJECTED, bisection->status,
                    bisection->text);
    }
    if (--bisection->refs == 0)
        free(bisection);
}

/* Ends a bisection that spent its requests.
 *
 * If some record was taken the rest starts over as a batch like any other.
 * Else the fault is not in single records. When somebody stands between us and
 * the API, for now, the rest goes behind the others, and no batch is halved for
 * this until one is taken again. When Mixpanel itself wrote every refusal the
 * rest is rejected. Either way the route backs off. */
static void conclude(mp_lane *lane, const mp_settings *settings,
                     mp_batch *first, int64_t now_ms) {
    mp_bisection *bisection = first->bisection;
    int status = bisection->status;
    mp_route *route = mp_lane_route(lane, first);
    bool forbidden = bisection->foreign && !bisection->accepted;
    if (!forbidden && !bisection->accepted) {
        mp_lane_report_pause(lane, route, NULL, status, bisection->text);
        reject_bisection(lane, bisection);
        mp_route_back_off(route, now_ms + settings->max_retry_delay_ms);
        return;
    }
    if (forbidden)
        mp_lane_report_pause(lane, route, first, status, bisection->text);
    if (!reunite(lane, &first)) {
        mp_lane_back_off(lane, now_ms + MP_LANE_NO_MEMORY_MS);
    } else if (forbidden) {
        route->trusted = false;
        mp_lane_take_out(lane, &lane->ready, first);
        first->resume_ms = now_ms + settings->max_retry_delay_ms;
        mp_lane_insert(lane, &lane->deferred, first);
        mp_route_back_off(route, first->resume_ms);
    }
}

void mp_lane_conclude_bisections(mp_lane *lane, const mp_settings *settings,
                                 int64_t now_ms) {
    for (mp_batch *batch = lane->ready; batch;) {
        if (mp_lane_is_exhausted(batch) &&
            !mp_route_backs_off(mp_lane_route(lane, batch), now_ms) &&
            !shares_bisection(lane->sent, batch->bisection)) {
            conclude(lane, settings, batch, now_ms);
            if (now_ms < lane->resume_ms)
                return;
            batch = lane->ready;
        } else {
            batch = batch->next;
        }
    }
}
