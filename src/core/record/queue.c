#include "core/record/queue.h"

enum {
    SPARES = 4 /* what a lane has under way at once, by default */
};

static bool is_full(const mp_segment *segment, uint32_t limit) {
    return segment->count >= limit;
}

uint32_t mp_queue_missing(const mp_queue *queue, const mp_record *records,
                          size_t n, uint32_t limit) {
    uint32_t need = 0, count = 0;
    size_t used = MP_SEGMENT_BYTES;
    if (queue->open) {
        count = queue->open->count;
        used = queue->open->used;
    }
    for (size_t i = 0; i < n; i++) {
        size_t bytes = records[i].head_len + records[i].body_len + 2;
        if (count >= limit || bytes > MP_SEGMENT_BYTES - used) {
            need++;
            count = 0;
            used = 0;
        }
        count++;
        used += bytes;
    }
    for (const mp_segment *s = queue->spares; s && need > 0; s = s->next)
        need--;
    return need;
}

bool mp_queue_add(mp_queue *queue, const mp_record *record, uint64_t seq,
                  uint32_t limit, int64_t now_ms) {
    bool sealed = false;
    if (queue->open &&
        (is_full(queue->open, limit) ||
         !mp_segment_fits(queue->open, record->head_len + record->body_len))) {
        mp_queue_seal(queue);
        sealed = true;
    }
    if (!queue->open) {
        queue->open = queue->spares;
        queue->spares = queue->open->next;
        queue->open->next = NULL;
    }
    if (queue->open->count == 0)
        queue->open->born_ms = now_ms;
    queue->open->last_ms = now_ms;
    queue->open->ahead_ms = queue->ahead_ms;
    mp_segment_add(queue->open, record, seq);
    if (is_full(queue->open, limit)) {
        mp_queue_seal(queue);
        sealed = true;
    }
    return sealed;
}

static void learn(mp_queue *queue, const mp_segment *segment) {
    queue->records -= queue->records / 4;
    if (segment->count > queue->records)
        queue->records = segment->count;
    queue->bytes -= queue->bytes / 4;
    if (segment->used > queue->bytes)
        queue->bytes = segment->used;
}

void mp_queue_seal(mp_queue *queue) {
    mp_segment *segment = queue->open;
    if (!segment || segment->count == 0)
        return;
    learn(queue, segment);
    queue->open = NULL;
    if (queue->last_sealed)
        queue->last_sealed->next = segment;
    else
        queue->sealed = segment;
    queue->last_sealed = segment;
}

mp_segment *mp_queue_take(mp_queue *queue) {
    mp_segment *segment = queue->sealed;
    if (segment)
        mp_queue_remove(queue, segment);
    return segment;
}

void mp_queue_remove(mp_queue *queue, mp_segment *segment) {
    mp_segment **at = &queue->sealed, *before = NULL;
    while (*at != segment) {
        before = *at;
        at = &before->next;
    }
    *at = segment->next;
    if (queue->last_sealed == segment)
        queue->last_sealed = before;
    segment->next = NULL;
}

void mp_queue_untake(mp_queue *queue, mp_segment *segment) {
    segment->next = queue->sealed;
    queue->sealed = segment;
    if (!queue->last_sealed)
        queue->last_sealed = segment;
}

bool mp_queue_has_spares(const mp_queue *queue) {
    int n = 0;
    for (const mp_segment *s = queue->spares; s && n < SPARES; s = s->next)
        n++;
    return n == SPARES;
}

void mp_queue_give(mp_queue *queue, mp_segment *segment) {
    segment->next = queue->spares;
    queue->spares = segment;
}

/* Counted from the first look at it, which `last_ms` of a spare holds. Those
 * that came last are taken first. */
mp_segment *mp_queue_expire(mp_queue *queue, int64_t now_ms, int least,
                            int64_t *next_ms) {
    mp_segment *expired = NULL;
    *next_ms = INT64_MAX;
    for (mp_segment **at = &queue->spares; *at;) {
        mp_segment *spare = *at;
        if (spare->last_ms == 0)
            spare->last_ms = now_ms;
        int64_t due_ms = spare->last_ms + MP_SPARE_MS;
        if (least-- > 0 || due_ms > now_ms) {
            if (least < 0 && due_ms < *next_ms)
                *next_ms = due_ms;
            at = &spare->next;
        } else {
            *at = spare->next;
            spare->next = expired;
            expired = spare;
        }
    }
    return expired;
}

static void drop_list(mp_segment *segment, void (*drop)(mp_segment *)) {
    while (segment) {
        mp_segment *next = segment->next;
        drop(segment);
        segment = next;
    }
}

static void drop_all(mp_queue *queue, void (*drop)(mp_segment *)) {
    drop(queue->open);
    drop_list(queue->sealed, drop);
    drop_list(queue->spares, drop);
    *queue = (mp_queue){0};
}

void mp_queue_free(mp_queue *queue) {
    drop_all(queue, mp_segment_free);
}

void mp_queue_abandon(mp_queue *queue) {
    drop_all(queue, mp_segment_abandon);
}
