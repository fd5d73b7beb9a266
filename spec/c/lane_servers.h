/* Model servers that more than one spec of the lane needs. */
#ifndef MP_LANE_SERVERS_H
#define MP_LANE_SERVERS_H

#include "lane_helper.h"

static inline uint32_t poisons_in(const rig *r, const mp_batch *batch) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        n += r->book[mp_batch_entry(batch, i)->seq].poison;
    return n;
}

static inline word refuses_poison(rig *r, const mp_batch *batch) {
    return poisons_in(r, batch) ? reply_no : reply_ok;
}

static inline size_t bytes_of(const rig *r, const mp_batch *batch) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        bytes += r->book[mp_batch_entry(batch, i)->seq].bytes;
    return bytes;
}

/* Lets the route to the lane's own endpoint carry `n` requests at once. */
static inline void rig_open_window(rig *r, uint32_t n) {
    for (uint32_t i = 1; i < n; i++) {
        rig_add_due(r, 1);
        rig_serve(r, reply_ok);
    }
}

/* A lane with `n` records that are due. */
static inline rig *open_with(mp_lane_id id, uint32_t n) {
    rig *r = rig_open(id);
    rig_add_due(r, n);
    return r;
}

/* True if exactly the poisonous were rejected and all else delivered. */
static inline bool is_sorted_out(const rig *r) {
    for (uint64_t t = 1; t <= r->seqs; t++)
        if (r->book[t].fate != (r->book[t].poison ? REJECTED : DELIVERED))
            return false;
    return true;
}

#endif
