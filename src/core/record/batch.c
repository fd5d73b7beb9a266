#include "core/record/batch.h"

#include <stdlib.h>
#include <string.h>

static mp_batch *allocate(uint32_t count) {
    return malloc(sizeof(mp_batch) + count * sizeof(mp_item));
}

mp_batch *mp_batch_new(mp_segment *segment) {
    mp_batch *batch = allocate(segment->count);
    if (!batch)
        return NULL;
    *batch = (mp_batch){.segment = segment, .count = segment->count};
    for (uint32_t i = 0; i < segment->count; i++)
        batch->items[i] = (mp_item){.entry = &segment->entries[i]};
    return batch;
}

mp_batch *mp_batch_split(mp_batch *batch, const bool *keep, uint32_t kept) {
    mp_batch *part = allocate(kept);
    if (!part)
        return NULL;
    *part = *batch;
    part->next = NULL;
    part->count = 0;
    uint32_t left = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        if (keep[i])
            part->items[part->count++] = batch->items[i];
        else
            batch->items[left++] = batch->items[i];
    }
    batch->count = left;
    mp_segment_retain(part->segment);
    if (part->bisection)
        part->bisection->refs++;
    return part;
}

bool mp_batch_is_whole(const mp_batch *batch) {
    return batch->count == batch->segment->count;
}

bool mp_batch_has_non_idempotent(const mp_batch *batch) {
    for (uint32_t i = 0; i < batch->count; i++)
        if (mp_batch_entry(batch, i)->kind == MP_NON_IDEMPOTENT)
            return true;
    return false;
}

bool mp_batch_part_non_idempotent(mp_batch **batch, mp_batch **part) {
    bool keep[MP_SEGMENT_RECORDS];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < (*batch)->count; i++) {
        keep[i] = mp_batch_entry(*batch, i)->kind == MP_NON_IDEMPOTENT;
        kept += keep[i];
    }
    *part = NULL;
    if (kept == 0)
        return true;
    if (kept < (*batch)->count) {
        *part = mp_batch_split(*batch, keep, kept);
        return *part != NULL;
    }
    *part = *batch;
    *batch = NULL;
    return true;
}

bool mp_batch_join(mp_batch **batch, mp_batch *other) {
    mp_batch *a = *batch;
    mp_batch *joined = allocate(a->count + other->count);
    if (!joined)
        return false;
    *joined = *a;
    joined->count = 0;
    joined->is_old &= other->is_old;
    for (uint32_t i = 0, k = 0; i < a->count || k < other->count;) {
        bool first =
            k == other->count ||
            (i < a->count && a->items[i].entry < other->items[k].entry);
        joined->items[joined->count++] =
            first ? a->items[i++] : other->items[k++];
    }
    free(a);
    *batch = joined;
    mp_batch_free(other); /* not the last reference: `joined` has one */
    return true;
}

bool mp_batch_start_bisection(mp_batch *batch) {
    if (batch->bisection)
        return true;
    batch->bisection = calloc(1, sizeof *batch->bisection);
    if (!batch->bisection)
        return false;
    batch->bisection->refs = 1;
    return true;
}

void mp_batch_leave_bisection(mp_batch *batch) {
    if (batch->bisection && --batch->bisection->refs == 0)
        free(batch->bisection);
    batch->bisection = NULL;
}

mp_segment *mp_batch_free(mp_batch *batch) {
    mp_segment *segment = batch->segment;
    mp_batch_leave_bisection(batch);
    free(batch);
    return mp_segment_release(segment) ? segment : NULL;
}

const mp_entry *mp_batch_entry(const mp_batch *batch, uint32_t i) {
    return batch->items[i].entry;
}

uint64_t mp_batch_seq(const mp_batch *batch) {
    return mp_batch_entry(batch, 0)->seq;
}

size_t mp_batch_bytes(const mp_batch *batch) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        bytes += mp_entry_bytes(mp_batch_entry(batch, i));
    return bytes;
}

bool mp_batch_move(mp_batch *batch, mp_segment **left) {
    mp_segment *from = batch->segment;
    mp_segment *to =
        mp_segment_small(from, batch->count, mp_batch_bytes(batch));
    *left = NULL;
    if (!to)
        return false;
    for (uint32_t i = 0; i < batch->count; i++)
        batch->items[i].entry =
            mp_segment_copy(to, from, batch->items[i].entry);
    batch->segment = to;
    if (mp_segment_release(from))
        *left = from;
    return true;
}

mp_err mp_batch_body(const mp_batch *batch, mp_buf *out) {
    if (!mp_buf_reserve(out, mp_batch_bytes(batch) + 2))
        return out->err;
    char *at = out->data + out->len;
    *at++ = '[';
    for (uint32_t i = 0; i < batch->count;) {
        /* Neighbours are copied at once: mostly that is the whole segment. */
        const mp_entry *first = mp_batch_entry(batch, i);
        uint32_t end = i + 1;
        while (end < batch->count &&
               batch->items[end].entry == batch->items[end - 1].entry + 1)
            end++;
        const mp_entry *last = mp_batch_entry(batch, end - 1);
        size_t n = last->offset + mp_entry_bytes(last) - first->offset;
        memcpy(at, batch->segment->data + first->offset, n);
        at += n;
        i = end;
    }
    at -= 2; /* the last ",\n" */
    *at++ = ']';
    out->len = (size_t)(at - out->data);
    return MP_OK;
}
