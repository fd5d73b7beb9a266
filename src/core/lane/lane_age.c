/* What has grown too old to be sent. */
#include "core/lane/lane_state.h"

#include "core/os/clock.h"

/* max_age is judged whenever a request could be made, by the youngest record
 * of a batch's segment. */
static void drop_expired(mp_lane *lane, const mp_settings *settings,
                         mp_batch **list, int64_t now_ms) {
    if (settings->max_age_ms == 0)
        return;
    for (mp_batch *batch = *list, *next; batch; batch = next) {
        next = batch->next;
        if (batch->segment->last_ms > now_ms - settings->max_age_ms)
            continue;
        mp_lane_take_out(lane, list, batch);
        mp_lane_end(lane, batch, MP_FATE_EXPIRED, 0, NULL);
    }
}

bool mp_lane_is_old(const mp_lane *lane, const mp_entry *entry,
                    int64_t now_ms) {
    return lane->endpoint->max_age_ms > 0 && entry->kind == MP_PLAIN &&
           entry->time_ms < now_ms - lane->endpoint->max_age_ms;
}

/* Takes out of a batch in the list what has grown too old, and ends it. */
static void drop_old_of(mp_lane *lane, mp_batch **list, mp_batch *batch,
                        int64_t now_ms) {
    bool old[MP_SEGMENT_RECORDS] = {false};
    uint32_t n = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        old[i] = mp_lane_is_old(lane, mp_batch_entry(batch, i), now_ms);
        n += old[i];
    }
    if (n == 0)
        return;
    mp_batch *part = batch;
    mp_lane_take_out(lane, list, batch);
    if (mp_lane_is_gathered(batch)) {
        mp_lane_scatter(lane, batch);
        return;
    }
    if (n < batch->count) {
        part = mp_batch_split(batch, old, n);
        mp_lane_insert(lane, list, batch);
    }
    if (part)
        mp_lane_end(lane, part, MP_FATE_EXPIRED, 0,
                    "older than five days, and collected from others");
    else
        mp_lane_back_off(lane, now_ms + MP_LANE_NO_MEMORY_MS);
}

/* Old events of a lane that sends them nowhere else. */
static void drop_old(mp_lane *lane, mp_batch **list, int64_t now_ms) {
    if (lane->endpoint->max_age_ms == 0 || lane->host == MP_HOST_BUS ||
        &mp_endpoints[lane->endpoint->older_lane] != lane->endpoint)
        return;
    for (mp_batch *batch = *list, *next; batch; batch = next) {
        next = batch->next;
        drop_old_of(lane, list, batch, now_ms);
    }
}

void mp_lane_drop_aged(mp_lane *lane, const mp_settings *settings,
                       mp_batch **list, int64_t now_ms) {
    drop_expired(lane, settings, list, now_ms);
    drop_old(lane, list, now_ms);
}

/* False: it is too young, or memory ran out and the lane backs off. */
static bool drop_segment(mp_lane *lane, const mp_settings *settings,
                         mp_segment *segment, int64_t now_ms) {
    if (segment->last_ms > now_ms - settings->max_age_ms)
        return false;
    mp_batch *batch = mp_batch_new(segment);
    if (!batch) {
        mp_lane_back_off(lane, now_ms + MP_LANE_NO_MEMORY_MS);
        return false;
    }
    mp_queue_remove(&lane->queue, segment);
    mp_lane_end(lane, batch, MP_FATE_EXPIRED, 0, NULL);
    return true;
}

/* Of the batch whose youngest record is the oldest; INT64_MAX: there is none.
 */
static int64_t next_of(const mp_batch *list) {
    int64_t last_ms = INT64_MAX;
    for (; list; list = list->next)
        last_ms = mp_clock_earlier(last_ms, list->segment->last_ms);
    return last_ms;
}

static int64_t next_to_expire(const mp_lane *lane) {
    const mp_queue *queue = &lane->queue;
    const mp_segment *segment = queue->sealed ? queue->sealed : queue->open;
    int64_t last_ms =
        segment && segment->count > 0 ? segment->last_ms : INT64_MAX;
    last_ms = mp_clock_earlier(last_ms, next_of(lane->ready));
    return mp_clock_earlier(last_ms, next_of(lane->deferred));
}

int64_t mp_lane_expire(mp_lane *lane, const mp_settings *settings,
                       int64_t now_ms) {
    mp_queue *queue = &lane->queue;
    if (settings->max_age_ms == 0)
        return INT64_MAX;
    drop_expired(lane, settings, &lane->deferred, now_ms);
    drop_expired(lane, settings, &lane->ready, now_ms);
    if (queue->open && queue->open->count > 0 &&
        queue->open->last_ms <= now_ms - settings->max_age_ms)
        mp_queue_seal(queue);
    while (queue->sealed && drop_segment(lane, settings, queue->sealed, now_ms))
        continue;
    int64_t last_ms = next_to_expire(lane);
    if (last_ms == INT64_MAX)
        return INT64_MAX;
    int64_t due_ms = last_ms + settings->max_age_ms;
    return due_ms > now_ms ? due_ms : now_ms + MP_LANE_NO_MEMORY_MS;
}
