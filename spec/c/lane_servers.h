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

#endif
