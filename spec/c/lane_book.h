/* A lane on virtual time, and the book of every record that was ever added to
 * it, which lane_helper.h keeps. */
#ifndef MP_LANE_BOOK_H
#define MP_LANE_BOOK_H

#include "core/lane/lane_state.h"
#include "core/os/rng.h"
#include "unit.h"

#include <stdlib.h>

enum {
    RIG_RECORDS = 8192, /* at the most, per rig */
    RIG_KEYS = 64,
    DAY_MS = 24 * 3600 * 1000
};

static const int64_t RIG_WALL_MS = INT64_C(1800000000000);

typedef enum fate {
    WAITING,
    TRAVELLING,
    DELIVERED,
    REJECTED,
    EXPIRED,
    DROPPED,
    FATES
} fate;

/* A record in the book, by its sequence number. */
typedef struct page {
    fate fate;
    bool poison; /* for model servers */
    mp_kind kind;
    int64_t time_ms; /* on the monotonic clock; MP_NO_TIME */
    uint64_t before; /* the sequence number of the ordering key's record before;
                        0: none */
    size_t bytes;
} page;

typedef struct rig {
    mp_lane_id id;
    mp_lane *lane;
    mp_settings *settings;
    mp_stats stats;
    bool custom_host;
    int64_t now_ms, wall_ms, next_ms;
    uint64_t seqs;
    uint32_t requests, most_bytes; /* most_bytes: of one request since reset */
    uint32_t packed; /* bodies are so many times smaller as sent; 0: not */
    uint64_t counts[FATES];
    uint64_t last_of[RIG_KEYS];
    page book[RIG_RECORDS + 1];
} rig;

/* ---- life ---- */

static inline rig *rig_open(mp_lane_id id) {
    rig *r = calloc(1, sizeof *r);
    r->id = id;
    r->wall_ms = RIG_WALL_MS;
    r->settings = mp_settings_new(MP_IN_MEMORY);
    r->lane = mp_lane_new(id, &r->stats, MP_HOST_MIXPANEL, 42);
    return r;
}

static inline rig *rig_open_custom(mp_lane_id id) {
    rig *r = rig_open(id);
    mp_lane_free(r->lane);
    r->custom_host = true;
    r->lane = mp_lane_new(id, &r->stats, MP_HOST_CUSTOM, 42);
    return r;
}

static inline void rig_sweep(rig *r) {
    mp_segment *s = mp_lane_garbage(r->lane);
    while (s) {
        mp_segment *next = s->next;
        mp_segment_free(s);
        s = next;
    }
}

static inline void rig_close(rig *r) {
    mp_lane_free(r->lane);
    mp_settings_release(r->settings);
    free(r);
}

/* ---- the book ---- */

static inline uint64_t rig_left(const rig *r, uint64_t seq) {
    uint64_t left = 0;
    for (uint64_t t = 1; t <= seq && t <= r->seqs; t++)
        left += r->book[t].fate <= TRAVELLING;
    return left;
}

static inline void rig_check(const rig *r) {
    const mp_stats *s = &r->stats;
    CHECK(s->accepted == s->delivered + s->rejected + s->dropped_expired +
                             s->dropped_overflow + s->queued + s->in_flight);
    CHECK(s->queued == r->counts[WAITING]);
    CHECK(s->in_flight == r->counts[TRAVELLING]);
    CHECK(s->delivered == r->counts[DELIVERED]);
    CHECK(s->rejected == r->counts[REJECTED]);
    CHECK(s->dropped_expired == r->counts[EXPIRED]);
    CHECK(s->dropped_overflow == r->counts[DROPPED]);
    bool empty = s->queued + s->in_flight == 0;
    CHECK(mp_lane_empty(r->lane) == empty);
    CHECK((mp_lane_oldest(r->lane) == INT64_MAX) == empty);
    CHECK((s->queue_bytes == 0) == empty);
    CHECK(mp_lane_left(r->lane, UINT64_MAX) == s->queued + s->in_flight);
    uint64_t some = r->seqs * 2 / 3;
    CHECK(mp_lane_left(r->lane, some) == rig_left(r, some));
}

static inline void rig_mark(rig *r, uint64_t seq, fate fate_now) {
    CHECK(r->book[seq].fate <= TRAVELLING);
    r->counts[r->book[seq].fate]--;
    r->counts[fate_now]++;
    r->book[seq].fate = fate_now;
}

static inline fate fate_of(const rig *r, uint64_t seq) {
    return r->book[seq].fate;
}

/* ---- records in ---- */

/* Adds a record of `bytes` bytes of JSON; true if that filled a batch. */
static inline bool rig_put(rig *r, mp_kind kind, uint32_t ordering_key,
                           int64_t time_ms, size_t bytes) {
    static char json[MP_RECORD_MAX];
    mp_record record = {.head = json,
                        .head_len = bytes,
                        .time_ms = time_ms,
                        .ordering_key = ordering_key,
                        .kind = kind};
    uint32_t missing = mp_lane_missing(r->lane, r->settings, &record, 1);
    CHECK(missing <= 1 && r->seqs < RIG_RECORDS);
    if (missing)
        mp_lane_give(r->lane, mp_segment_new());
    int64_t ahead_ms = r->wall_ms - r->now_ms;
    mp_lane_set_ahead(r->lane, ahead_ms);
    r->stats.accepted++;
    r->counts[WAITING]++;
    r->book[++r->seqs] =
        (page){.kind = kind,
               .time_ms = time_ms ? time_ms - ahead_ms : MP_NO_TIME,
               .before = r->last_of[ordering_key],
               .bytes = bytes + 2};
    r->last_of[ordering_key] = r->seqs;
    return mp_lane_add(r->lane, r->settings, &record, r->seqs, r->now_ms);
}

/* `n` plain records, each with a key of its own as far as there are any. */
static inline void rig_add(rig *r, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        rig_put(r, MP_PLAIN, (uint32_t)(r->seqs + 1) % RIG_KEYS, 0, 98);
    rig_check(r);
}

/* The same, as a batch that is due. */
static inline void rig_add_due(rig *r, uint32_t n) {
    rig_add(r, n);
    mp_lane_flush_up_to(r->lane, r->seqs);
}

#endif
