/* A lane on virtual time with a book of every record that was ever added:
 * what became of each is worked out from the replies, apart from the lane,
 * and compared with the lane's counters after every step. */
#ifndef MP_LANE_HELPER_H
#define MP_LANE_HELPER_H

#include "lane_book.h"
#include "lane_words.h"

/* ---- batches out ---- */

static inline bool is_aged(const rig *r, const page *p) {
    return p->kind == MP_PLAIN &&
           p->time_ms < r->now_ms - 5 * DAY_MS + 3600 * 1000;
}

/* Collected events that were too old to be sent, as many as the lane says. */
static inline void rig_notice_old(rig *r) {
    for (uint64_t t = 1; t <= r->seqs; t++)
        if (r->stats.dropped_expired > r->counts[EXPIRED] &&
            r->book[t].fate == WAITING && is_aged(r, &r->book[t]) &&
            mp_lane_left(r->lane, t) == mp_lane_left(r->lane, t - 1))
            rig_mark(r, t, EXPIRED);
}

/* Records that the lane gave up by itself. */
static inline void rig_notice_gone(rig *r, fate fate_now) {
    for (uint64_t t = 1; t <= r->seqs; t++)
        if (r->book[t].fate == WAITING &&
            mp_lane_left(r->lane, t) == mp_lane_left(r->lane, t - 1))
            rig_mark(r, t, fate_now);
}

/* The end of a bisection, or of patience. */
static inline void rig_notice_given_up(rig *r) {
    if (r->id == MP_LANE_COLLECTED)
        rig_notice_old(r);
    if (r->stats.rejected != r->counts[REJECTED])
        rig_notice_gone(r, REJECTED);
    else if (r->stats.dropped_expired != r->counts[EXPIRED])
        rig_notice_gone(r, EXPIRED);
}

/* Makes room; what goes must be the oldest that is not in a request. */
static inline void rig_drop_oldest(rig *r) {
    uint64_t oldest = 1;
    while (oldest <= r->seqs && r->book[oldest].fate != WAITING)
        oldest++;
    bool some = oldest <= r->seqs;
    CHECK(mp_lane_droppable(r->lane) == (some ? oldest : UINT64_MAX));
    CHECK(mp_lane_drop_oldest(r->lane, r->now_ms) == some);
    rig_sweep(r);
    rig_notice_gone(r, DROPPED);
    CHECK(!some || r->book[oldest].fate == DROPPED);
    rig_check(r);
}

static inline bool is_old(const rig *r, const page *p) {
    return r->id == MP_LANE_EVENTS && is_aged(r, p);
}

static inline bool is_detour(const rig *r, const mp_batch *batch) {
    return batch->endpoint != &mp_endpoints[r->id];
}

static inline uint32_t rig_limit(const rig *r) {
    uint32_t most = r->settings->max_batch_size;
    return r->id == MP_LANE_GROUPS && most > 200 ? 200 : most;
}

/* What every batch must be like. */
static inline void rig_check_batch(rig *r, const mp_batch *batch) {
    bool ordered = mp_endpoints[r->id].ordered;
    bool mixed = mp_endpoints[r->id].max_age_ms > 0 || /* kinds may be */
                 (r->id != MP_LANE_IMPORT && !r->settings->report_ambiguous);
    uint64_t last = 0;
    uint32_t bytes = 0;
    CHECK(batch->count > 0 && batch->count <= rig_limit(r));
    const page *first = &r->book[mp_batch_seq(batch)];
    for (uint32_t i = 0; i < batch->count; i++) {
        uint64_t seq = mp_batch_entry(batch, i)->seq;
        const page *p = &r->book[seq];
        CHECK(seq > last);
        last = seq;
        CHECK(p->fate == WAITING);
        CHECK(is_detour(r, batch) == is_old(r, p));
        CHECK(mixed || p->kind == first->kind);
        CHECK(r->id != MP_LANE_COLLECTED || !is_aged(r, p));
        bytes += (uint32_t)p->bytes;
        rig_mark(r, seq, TRAVELLING);
        if (ordered && p->before > 0)
            CHECK(fate_of(r, p->before) != WAITING);
    }
    if (bytes > r->most_bytes)
        r->most_bytes = bytes;
}

static inline mp_batch *rig_find(rig *r, uint32_t slots) {
    mp_batch *batch =
        mp_lane_next(r->lane, r->settings, r->now_ms, slots, &r->next_ms);
    rig_sweep(r);
    rig_notice_given_up(r);
    if (batch) {
        r->requests++;
        rig_check_batch(r, batch);
        if (mp_endpoints[r->id].ordered)
            CHECK(mp_lane_in_flight(r->lane) == 1);
    } else {
        CHECK(r->next_ms > r->now_ms);
    }
    rig_check(r);
    return batch;
}

static inline size_t rig_body_bytes(const rig *r, const mp_batch *batch) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        bytes += r->book[mp_batch_entry(batch, i)->seq].bytes;
    return r->packed ? bytes / r->packed + 1 : bytes;
}

/* Makes requests until one fits. */
static inline mp_batch *rig_next_of(rig *r, uint32_t slots) {
    mp_batch *batch = rig_find(r, slots);
    while (batch && r->packed) { /* else the lane knows how many there are */
        uint64_t seqs[MP_SEGMENT_RECORDS];
        uint32_t n = batch->count;
        for (uint32_t i = 0; i < n; i++)
            seqs[i] = mp_batch_entry(batch, i)->seq;
        if (mp_lane_fits(r->lane, batch, rig_body_bytes(r, batch), r->now_ms))
            return batch;
        for (uint32_t i = 0; i < n; i++)
            rig_mark(r, seqs[i], WAITING);
        r->requests--;
        batch = rig_find(r, slots);
    }
    if (batch)
        CHECK(
            mp_lane_fits(r->lane, batch, rig_body_bytes(r, batch), r->now_ms));
    return batch;
}

static inline mp_batch *rig_next(rig *r) {
    return rig_next_of(r, 20);
}

/* True if what may have been taken is not to be sent again. */
static inline bool is_ended_in_doubt(const rig *r, const page *p,
                                     const word *reply) {
    return (reply->result == MP_RESULT_LOST ||
            reply->result == MP_RESULT_UNREADABLE ||
            reply->result == MP_RESULT_SERVER_ERROR) &&
           r->settings->report_ambiguous && p->kind == MP_NON_IDEMPOTENT;
}

/* True if others were taken since this one was last forbidden. */
static inline bool is_singled_out(const rig *r, const mp_batch *batch) {
    return batch->forbidden_since > 0 &&
           mp_lane_route(r->lane, batch)->taken >= batch->forbidden_since;
}

/* True if others were taken since it was too large alone, or since it was part
 * of what was if it is larger than they are. */
static inline bool is_too_large(const rig *r, const mp_batch *batch) {
    const mp_route *route = mp_lane_route(r->lane, batch);
    return batch->large_since > 0 && route->taken >= batch->large_since &&
           (batch->large_alone || batch->body_bytes > route->most_taken);
}

/* True if it was stuck for max_stuck, and others were taken since its last try.
 */
static inline bool is_given_up(const rig *r, const mp_batch *batch) {
    return r->settings->max_stuck_ms > 0 && batch->stuck &&
           r->now_ms - batch->stuck_ms >= r->settings->max_stuck_ms &&
           mp_lane_route(r->lane, batch)->taken > batch->passed_by;
}

/* What becomes of one record of a batch by this word. */
static inline fate rig_judge(const rig *r, const mp_batch *batch, const page *p,
                             const word *reply) {
    bool alone = batch->count == 1,
         trusted = mp_lane_route(r->lane, batch)->trusted;
    if (is_ended_in_doubt(r, p, reply))
        return REJECTED;
    switch (reply->result) {
    case MP_RESULT_DELIVERED:
        return DELIVERED;
    case MP_RESULT_PARTLY:
        return p->poison ? REJECTED : DELIVERED;
    case MP_RESULT_REJECTED:
        return REJECTED;
    case MP_RESULT_REFUSED:
        if (r->settings->report_ambiguous && p->kind == MP_NON_IDEMPOTENT)
            return REJECTED;
        return alone ? REJECTED : WAITING;
    case MP_RESULT_BAD:
        return alone ? REJECTED : WAITING;
    case MP_RESULT_TOO_LARGE:
        return alone && is_too_large(r, batch) ? REJECTED : WAITING;
    case MP_RESULT_FORBIDDEN:
        if (is_detour(r, batch) && !trusted && reply->status == 404 &&
            r->custom_host)
            return EXPIRED;
        return alone && trusted && is_singled_out(r, batch) ? REJECTED
                                                            : WAITING;
    case MP_RESULT_SERVER_ERROR:
        return alone && is_given_up(r, batch) ? REJECTED : WAITING;
    case MP_RESULT_UNREADABLE:
    case MP_RESULT_FOREIGN:
    case MP_RESULT_UNAUTHORIZED:
    case MP_RESULT_BUSY:
    case MP_RESULT_NOTHING:
    case MP_RESULT_LOST:
        break;
    }
    return WAITING;
}

static inline void rig_say(rig *r, mp_batch *batch, word reply) {
    static mp_failed failed[MP_SEGMENT_RECORDS];
    mp_response response = {.result = reply.result, .status = reply.status};
    response.begun =
        reply.result == MP_RESULT_LOST || reply.text == reply_cut.text;
    response.foreign = reply.result == MP_RESULT_UNREADABLE ||
                       reply.result == MP_RESULT_FOREIGN;
    strcpy(response.text, reply.text);
    for (uint32_t i = 0; i < batch->count; i++) {
        uint64_t seq = mp_batch_entry(batch, i)->seq;
        if (reply.result == MP_RESULT_PARTLY && r->book[seq].poison)
            failed[response.failed_count++] = (mp_failed){.index = i};
        rig_mark(r, seq, rig_judge(r, batch, &r->book[seq], &reply));
    }
    response.failed = response.failed_count ? failed : NULL;
    mp_lane_handle_reply(r->lane, r->settings, batch, &response,
                         reply.retry_after_ms, r->now_ms);
    rig_sweep(r);
    rig_check(r);
}

/* Sends the next batch, which must be there, and answers it. */
static inline void rig_serve(rig *r, word reply) {
    mp_batch *batch = rig_next(r);
    CHECK(batch != NULL);
    if (batch)
        rig_say(r, batch, reply);
}

/* Sleeps until the lane wants to be asked again, and not a moment less. */
static inline void rig_sleep(rig *r) {
    CHECK(rig_next(r) == NULL);
    CHECK(r->next_ms < INT64_MAX);
    r->now_ms = r->next_ms - 1;
    CHECK(rig_next(r) == NULL);
    r->now_ms++;
}

typedef word (*server)(rig *, const mp_batch *);

static inline word server_ok(rig *r, const mp_batch *batch) {
    (void)r, (void)batch;
    return reply_ok;
}

/* Serves until nothing is left, one request at a time; false if that takes
 * more than `requests`. */
static inline bool rig_run(rig *r, server serve, uint32_t requests) {
    for (uint32_t most = r->requests + requests, idle = 0;
         !mp_lane_empty(r->lane); idle++) {
        mp_batch *batch = rig_next(r);
        if (batch) {
            rig_say(r, batch, serve(r, batch));
            idle = 0;
        } else if (mp_lane_empty(r->lane)) {
            break;
        } else if (r->next_ms == INT64_MAX || idle > 3) {
            CHECK("the lane sleeps though records wait" && false);
            return false;
        } else {
            r->wall_ms += r->next_ms - r->now_ms;
            r->now_ms = r->next_ms;
        }
        if (r->requests > most)
            return false;
    }
    return true;
}

/* The end: all that is left is taken, and every counter says so. */
static inline void rig_finish(rig *r) {
    mp_lane_flush_up_to(r->lane, r->seqs);
    CHECK(rig_run(r, server_ok, RIG_RECORDS));
    CHECK(r->stats.queue_bytes == 0 && mp_lane_empty(r->lane));
    CHECK(mp_lane_in_flight(r->lane) == 0);
    rig_close(r);
}

#endif
