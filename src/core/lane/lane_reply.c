/* What becomes of a batch once it is known what the API said. */
#include "core/lane/lane_state.h"

#include <string.h>

enum {
    BROKEN_MOST = 2 /* in a row, before requests are made smaller */
};

static void deliver(mp_lane *lane, mp_batch *batch,
                    const mp_response *response) {
    mp_bisection *bisection = batch->bisection;
    if (bisection && response->failed_count < batch->count) {
        bisection->accepted = true;
        bisection->passed |= bisection->barred;
    }
    mp_lane_end_delivered(lane, batch, response);
}

static void reject(mp_lane *lane, mp_batch *batch, mp_fate fate,
                   const mp_response *response) {
    mp_lane_end(lane, batch, fate, response->status, response->text);
}

/* Parts a batch in the middle. Out of memory it stays whole, which costs only
 * a request more. */
static void split_in_middle(mp_lane *lane, mp_batch *batch) {
    bool keep[MP_SEGMENT_RECORDS] = {false};
    uint32_t half = batch->count / 2;
    memset(keep, true, half);
    mp_batch *part = half > 0 ? mp_batch_split(batch, keep, half) : NULL;
    mp_lane_insert(lane, &lane->ready, batch);
    if (part)
        mp_lane_insert(lane, &lane->ready, part);
}

static void note_refusal(mp_bisection *bisection, const mp_response *response) {
    if (bisection->status == 0) {
        bisection->status = response->status;
        memcpy(bisection->text, response->text, MP_MESSAGE);
    }
    bisection->barred |= response->result == MP_RESULT_FORBIDDEN;
    bisection->foreign |=
        response->foreign || response->result == MP_RESULT_FORBIDDEN;
}

/* The fault of the host, as far as one knows. */
static bool is_outage(const mp_response *response) {
    return response->result == MP_RESULT_SERVER_ERROR ||
           response->result == MP_RESULT_FOREIGN;
}

static void halve(mp_lane *lane, const mp_route *route, mp_batch *batch,
                  const mp_response *response, bool alone) {
    bool too_large = response->result == MP_RESULT_TOO_LARGE;
    if (batch->bisection && !too_large)
        note_refusal(batch->bisection, response);
    if (alone) {
        reject(lane, batch, MP_FATE_REJECTED, response);
        return;
    }
    if (response->result == MP_RESULT_FORBIDDEN)
        batch->forbidden_since = route->taken + 1;
    if (too_large) {
        if (batch->large_since == 0)
            batch->large_since = route->taken + 1;
    } else if (is_outage(response)) {
        batch->server_errors = 0;
    } else if (!batch->bisection && mp_batch_start_bisection(batch)) {
        batch->bisection->requests = 1;
        note_refusal(batch->bisection, response);
    }
    split_in_middle(lane, batch);
}

/* True if others were taken since a record was too large, alone or, if they are
 * all smaller, as part of more. */
static bool is_too_large_alone(const mp_route *route, const mp_batch *batch) {
    return batch->large_since > 0 && route->taken >= batch->large_since &&
           (batch->large_alone || batch->body_bytes > route->most_taken);
}

static bool is_singled_out(const mp_route *route, const mp_batch *batch,
                           const mp_response *response) {
    if (response->result == MP_RESULT_TOO_LARGE)
        return is_too_large_alone(route, batch);
    return batch->forbidden_since > 0 && route->taken >= batch->forbidden_since;
}

static mp_decision judge(mp_lane *lane, const mp_route *route,
                         const mp_settings *settings, const mp_batch *batch,
                         const mp_response *response, int64_t retry_after_ms) {
    uint32_t before = route->failures;
    if (before > 0 && !mp_route_is_news(route, batch->sent_ms))
        before--;
    mp_attempt attempt = {
        .result = response->result,
        .records = batch->count,
        .failures = before,
        .server_errors = batch->server_errors,
        .unreadable = route->unreadable,
        .foreign = response->foreign,
        .proven = route->proven,
        .trusted = route->trusted,
        .singled_out = is_singled_out(route, batch, response),
        .retry_after_ms = retry_after_ms,
        .max_delay_ms = settings->max_retry_delay_ms,
        .random = mp_rng_unit(&lane->rng),
    };
    return mp_retry(&attempt);
}

/* True if the batch goes again, and at once, without compression. */
static bool lets_be_plain(mp_route *route, const mp_batch *batch) {
    route->plain |= route->endpoint->gzip;
    return route->plain && !batch->plain;
}

/* A host of one's own may have no place for old events. */
static bool takes_no_old(const mp_lane *lane, const mp_route *route,
                         const mp_response *response) {
    return route == &lane->detour && !route->trusted &&
           lane->host == MP_HOST_CUSTOM && response->status == 404;
}

/* What was answered says nothing of any of them by itself. */
static void follow_apart(mp_lane *lane, mp_route *route, mp_batch *batch,
                         const mp_response *response,
                         const mp_decision *decision) {
    if (decision->action == MP_DO_PAUSE)
        mp_lane_report_pause(lane, route, batch, response->status,
                             response->text);
    mp_lane_scatter(lane, batch);
}

static void follow(mp_lane *lane, const mp_settings *settings, mp_route *route,
                   mp_batch *batch, const mp_response *response,
                   const mp_decision *decision, bool alone, int64_t now_ms) {
    switch (decision->action) {
    case MP_DO_DELIVER:
    case MP_DO_DELIVER_PARTLY:
        deliver(lane, batch, response);
        break;
    case MP_DO_REJECT:
        reject(lane, batch, MP_FATE_REJECTED, response);
        break;
    case MP_DO_HALVE:
        halve(lane, route, batch, response, alone);
        break;
    case MP_DO_DEFER:
        if (mp_lane_gives_up(route, settings, batch, now_ms))
            reject(lane, batch,
                   decision->ambiguous ? MP_FATE_UNCERTAIN : MP_FATE_REJECTED,
                   response);
        else
            mp_lane_defer_alone(lane, route, batch, response, now_ms,
                                now_ms + decision->defer_ms);
        break;
    case MP_DO_PAUSE:
        mp_lane_report_pause(lane, route, batch, response->status,
                             response->text);
        if (response->result != MP_RESULT_UNAUTHORIZED) /* maybe the body */
            mp_lane_defer_all(lane, route, batch, now_ms,
                              now_ms + decision->delay_ms);
        else
            mp_lane_insert(lane, &lane->ready, batch);
        break;
    case MP_DO_RETRY:
        mp_lane_insert(lane, &lane->ready, batch);
        break;
    }
}

/* A page of a captive portal is a 200 too, and earns no trust. */
static bool speaks_mixpanel(mp_result outcome) {
    return outcome == MP_RESULT_DELIVERED || outcome == MP_RESULT_PARTLY ||
           outcome == MP_RESULT_REFUSED;
}

static void note_response(mp_lane *lane, mp_route *route, mp_batch *batch,
                          const mp_response *response, int64_t now_ms) {
    route->trusted |= !response->foreign && speaks_mixpanel(response->result);
    route->proven |= !response->foreign && response->status > 0;
    if (response->result == MP_RESULT_UNREADABLE)
        route->unreadable++;
    else
        route->unreadable = 0;
    if (is_outage(response))
        batch->server_errors++;
    if (response->result != MP_RESULT_DELIVERED) {
        memcpy(lane->stats->last_error, response->text, MP_MESSAGE);
        lane->stats->last_error_ms = now_ms;
    }
}

/* Twice may be chance; then the link may be too slow for so much. What was read
 * together is not sent a second time. */
static void note_broken(mp_route *route, mp_batch *batch,
                        const mp_response *response) {
    uint32_t most = mp_lane_is_gathered(batch) ? 1 : BROKEN_MOST;
    batch->broken = response->begun ? batch->broken + 1 : 0;
    if (batch->broken >= most)
        mp_route_shrink(route, batch->body_bytes);
}

static void note_size(mp_route *route, const mp_batch *batch,
                      const mp_response *response, int64_t now_ms) {
    if (response->result == MP_RESULT_TOO_LARGE) {
        mp_route_refused_size(route, batch->body_bytes, now_ms);
    } else if (response->result == MP_RESULT_DELIVERED ||
               response->result == MP_RESULT_PARTLY) {
        mp_route_grow(route);
        mp_route_took_size(route, batch->body_bytes, now_ms);
    }
}

static void take_back(mp_lane *lane, mp_batch *batch) {
    mp_lane_unlink(&lane->sent, batch);
    lane->in_flight--;
    mp_lane_route(lane, batch)->in_flight--;
    lane->stats->in_flight -= batch->count;
    lane->stats->queued += batch->count;
}

/* Some of it may have been taken, though nobody said so: a refusal of several
 * names none. */
static bool is_in_doubt(const mp_batch *batch, const mp_response *response,
                        const mp_decision *decision) {
    return decision->ambiguous ||
           (response->result == MP_RESULT_REFUSED &&
            decision->action == MP_DO_HALVE && batch->count > 1 &&
            mp_batch_has_non_idempotent(batch));
}

/* What is left of the batch to go on: what is not to be sent again ends. NULL:
 * nothing is. Out of memory all goes on, and is reported all the same. */
static mp_batch *end_uncertain(mp_lane *lane, const mp_settings *settings,
                               mp_batch *batch, const mp_response *response) {
    mp_batch *part = NULL;
    mp_lane_report_ambiguous(lane, batch, response->status, response->text);
    if (settings->report_ambiguous &&
        mp_batch_part_non_idempotent(&batch, &part) && part)
        reject(lane, part, MP_FATE_UNCERTAIN, response);
    return batch;
}

static void note_health(mp_route *route, mp_batch *batch,
                        const mp_response *response,
                        const mp_decision *decision, int64_t now_ms) {
    bool body_may_be_why = response->result != MP_RESULT_UNAUTHORIZED;
    bool too_large = response->result == MP_RESULT_TOO_LARGE;
    bool failed = decision->action == MP_DO_RETRY ||
                  (decision->action == MP_DO_DEFER && too_large) ||
                  decision->action == MP_DO_PAUSE ||
                  (decision->action == MP_DO_HALVE && decision->delay_ms > 0);
    route->probing |= decision->action == MP_DO_PAUSE && body_may_be_why;
    if (failed)
        mp_route_failed(route, batch->sent_ms, now_ms);
    else if (decision->action != MP_DO_DEFER && !too_large)
        mp_route_succeeded(route);
    if (decision->delay_ms > 0)
        mp_route_back_off(route, now_ms + decision->delay_ms);
    /* An outage says nothing of the records and is no part of a search, nor
     * is a size. */
    if (batch->bisection && (too_large || is_outage(response) ||
                             (decision->action != MP_DO_HALVE && failed)))
        batch->bisection->requests--;
}

void mp_lane_handle_reply(mp_lane *lane, const mp_settings *settings,
                          mp_batch *batch, const mp_response *response,
                          int64_t retry_after_ms, int64_t now_ms) {
    mp_route *route = mp_lane_route(lane, batch);
    lane->blocked_ms = INT64_MIN;
    take_back(lane, batch);
    if (takes_no_old(lane, route, response)) {
        mp_lane_end(lane, batch, MP_FATE_NO_IMPORT, 404, NULL);
        return;
    }
    note_response(lane, route, batch, response, now_ms);
    note_broken(route, batch, response);
    if (response->status == 415 && response->foreign &&
        lets_be_plain(route, batch)) {
        mp_lane_insert(lane, &lane->ready, batch);
        return;
    }
    mp_decision decision =
        judge(lane, route, settings, batch, response, retry_after_ms);
    note_health(route, batch, response, &decision, now_ms);
    note_size(route, batch, response, now_ms);
    bool alone = batch->count == 1;
    if (is_in_doubt(batch, response, &decision))
        batch = end_uncertain(lane, settings, batch, response);
    if (!batch)
        return;
    if (mp_lane_is_gathered(batch) && decision.action != MP_DO_DELIVER &&
        decision.action != MP_DO_DELIVER_PARTLY)
        follow_apart(lane, route, batch, response, &decision);
    else
        follow(lane, settings, route, batch, response, &decision, alone,
               now_ms);
}

static void undo(mp_lane *lane, mp_batch *batch) {
    take_back(lane, batch);
    if (--batch->sends > 0)
        lane->stats->retried -= batch->count;
    if (batch->bisection)
        batch->bisection->requests--;
}

bool mp_lane_fits(mp_lane *lane, mp_batch *batch, size_t bytes,
                  int64_t now_ms) {
    mp_route *route = mp_lane_route(lane, batch);
    batch->body_bytes = bytes;
    route->ratio = (double)bytes / (double)mp_batch_bytes(batch);
    if (batch->count == 1 || !mp_route_is_too_large(route, bytes, now_ms))
        return true;
    undo(lane, batch);
    if (mp_lane_is_gathered(batch))
        mp_lane_scatter(lane, batch);
    else
        split_in_middle(lane, batch);
    return false;
}

void mp_lane_undo(mp_lane *lane, mp_batch *batch, int64_t now_ms) {
    undo(lane, batch);
    mp_lane_insert(lane, &lane->ready, batch);
    mp_lane_back_off(lane, now_ms + MP_LANE_NO_MEMORY_MS);
}
