#include "core/lane/lane_state.h"

#include "core/os/clock.h"

#include <stdlib.h>

/* What a lane is before its first record. */
static void start(mp_lane *lane, uint64_t seed) {
    *lane = (mp_lane){
        .endpoint = lane->endpoint,
        .stats = lane->stats,
        .host = lane->host,
        .batch_limit = lane->host == MP_HOST_BUS ? MP_SEGMENT_RECORDS
                                                 : lane->endpoint->batch_limit,
        .most_records = UINT32_MAX,
        .most_bytes = SIZE_MAX,
        .reports = lane->reports,
        .on_disk = lane->on_disk,
        .rejected = lane->rejected,
        .reported_drops_ms = INT64_MIN,
        .rng.state = seed,
        .resume_ms = INT64_MIN,
        .blocked_ms = INT64_MIN,
        .releases = 1,
        .queue = {.records = MP_SEGMENT_RECORDS, .bytes = MP_SEGMENT_BYTES},
    };
    const mp_endpoint *older = &mp_endpoints[lane->endpoint->older_lane];
    bool parts = lane->endpoint->max_age_ms > 0 && older != lane->endpoint &&
                 lane->host != MP_HOST_BUS;
    mp_route_start(&lane->own, lane->endpoint);
    mp_route_start(&lane->detour, parts ? older : NULL);
}

mp_lane *mp_lane_new(mp_lane_id id, mp_stats *stats, mp_host_kind host,
                     uint64_t seed) {
    mp_lane *lane = malloc(sizeof *lane);
    if (!lane)
        return NULL;
    lane->endpoint = &mp_endpoints[id];
    lane->stats = stats;
    lane->host = host;
    lane->reports = NULL;
    lane->on_disk = false;
    lane->rejected = NULL;
    start(lane, seed);
    return lane;
}

void mp_lane_report_to(mp_lane *lane, mp_reports *reports) {
    lane->reports = reports;
}

/* ---- lists ---- */

void mp_lane_link(mp_batch **list, mp_batch *batch) {
    uint64_t seq = mp_batch_seq(batch);
    while (*list && mp_batch_seq(*list) < seq)
        list = &(*list)->next;
    batch->next = *list;
    *list = batch;
}

void mp_lane_unlink(mp_batch **list, mp_batch *batch) {
    while (*list != batch)
        list = &(*list)->next;
    *list = batch->next;
    batch->next = NULL;
}

void mp_lane_insert(mp_lane *lane, mp_batch **list, mp_batch *batch) {
    mp_lane_link(list, batch);
    if (lane->endpoint->ordered)
        mp_key_index_add(&lane->keys, batch);
}

void mp_lane_take_out(mp_lane *lane, mp_batch **list, mp_batch *batch) {
    if (lane->endpoint->ordered)
        mp_key_index_remove(&lane->keys, batch);
    lane->releases++;
    mp_lane_unlink(list, batch);
}

static void free_files(mp_tree *by_age) {
    for (mp_node *node; (node = mp_tree_first(by_age));) {
        mp_tree_remove(by_age, node);
        free(MP_TREE_THING(node, mp_batch_file, age));
    }
}

static void free_batches(mp_batch *batch, void (*drop)(mp_segment *)) {
    while (batch) {
        mp_batch *next = batch->next;
        drop(mp_batch_free(batch));
        batch = next;
    }
}

/* All but what the queue holds. */
static void free_contents(mp_lane *lane, void (*drop)(mp_segment *)) {
    mp_key_index_free(&lane->keys);
    free_batches(lane->ready, drop);
    free_batches(lane->deferred, drop);
    free_batches(lane->sent, drop);
    free_files(&lane->by_age);
    free_files(&lane->adopted_by_age);
    for (mp_batch_file *file = lane->reading, *next; file; file = next) {
        next = file->next;
        free(file);
    }
    if (lane->writing)
        drop(lane->writing);
    for (mp_segment *s = lane->garbage, *next; s; s = next) {
        next = s->next;
        drop(s);
    }
}

void mp_lane_clear(mp_lane *lane, uint64_t seed) {
    free_contents(lane, mp_segment_abandon);
    mp_queue_abandon(&lane->queue);
    start(lane, seed);
}

void mp_lane_free(mp_lane *lane) {
    if (!lane)
        return;
    free_contents(lane, mp_segment_free);
    mp_queue_free(&lane->queue);
    free(lane);
}

mp_route *mp_lane_route(mp_lane *lane, const mp_batch *batch) {
    bool own = !batch->endpoint || batch->endpoint == lane->endpoint;
    return own ? &lane->own : &lane->detour;
}

/* ---- records in ---- */

uint32_t mp_lane_batch_limit(const mp_lane *lane, const mp_settings *settings) {
    uint32_t limit = lane->batch_limit;
    return settings->max_batch_size < limit ? settings->max_batch_size : limit;
}

void mp_lane_limit(mp_lane *lane, uint32_t records, size_t bytes) {
    lane->most_records = records;
    lane->most_bytes = bytes;
}

uint32_t mp_lane_most_records(const mp_lane *lane,
                              const mp_settings *settings) {
    uint32_t limit = mp_lane_batch_limit(lane, settings);
    return lane->most_records < limit ? lane->most_records : limit;
}

size_t mp_lane_most_bytes(const mp_lane *lane, const mp_route *route,
                          int64_t now_ms) {
    size_t most = mp_route_most_bytes(route, now_ms);
    return lane->most_bytes < most ? lane->most_bytes : most;
}

uint32_t mp_lane_missing(const mp_lane *lane, const mp_settings *settings,
                         const mp_record *records, size_t n) {
    return mp_queue_missing(&lane->queue, records, n,
                            mp_lane_batch_limit(lane, settings));
}

void mp_lane_give(mp_lane *lane, mp_segment *segment) {
    mp_queue_give(&lane->queue, segment);
}

void mp_lane_give_spare(mp_lane *lane, mp_segment *spare) {
    mp_queue_give(&lane->queue, spare);
    lane->filled &= lane->on_disk && !mp_queue_has_spares(&lane->queue);
}

void mp_lane_set_ahead(mp_lane *lane, int64_t ahead_ms) {
    lane->queue.ahead_ms = ahead_ms;
}

bool mp_lane_add(mp_lane *lane, const mp_settings *settings,
                 const mp_record *record, uint64_t seq, int64_t now_ms) {
    bool full = mp_queue_add(&lane->queue, record, seq,
                             mp_lane_batch_limit(lane, settings), now_ms);
    lane->filled |= full;
    lane->used = true;
    if (!lane->waits)
        lane->blocked_ms = INT64_MIN;
    lane->stats->queued++;
    lane->stats->queue_bytes += record->head_len + record->body_len + 2;
    return full;
}

/* ---- records out ---- */

void mp_lane_retire(mp_lane *lane, mp_segment *segment) {
    lane->stats->queue_bytes -= segment->used;
    if (lane->on_disk || segment->small || mp_queue_has_spares(&lane->queue)) {
        segment->next = lane->garbage;
        lane->garbage = segment;
    } else { /* its pages are warm: a fresh one costs 60 ns for each record */
        mp_segment_reset(segment);
        mp_queue_give(&lane->queue, segment);
    }
}

/* On disk the file goes with the records, so none of the others may need it,
 * nor the file of the open segment. */
static bool may_move(const mp_lane *lane, const mp_batch *batch) {
    const mp_segment *segment = batch->segment;
    return batch->count < segment->count &&
           (!lane->on_disk || (segment->refs == 1 && segment->place.sealed &&
                               !segment->place.open));
}

void mp_lane_move(mp_lane *lane, mp_batch *batch) {
    mp_segment *from = batch->segment, *left;
    if (!may_move(lane, batch) || !mp_batch_move(batch, &left))
        return;
    lane->stats->queue_bytes += batch->segment->used;
    if (!left)
        return;
    batch->segment->place.sealed = from->place.sealed;
    from->place.sealed = NULL;
    mp_lane_retire(lane, left);
}

/* The list, `ready` or `deferred`, whose first batch is older than what the
 * other and the queue hold; NULL: neither is. */
static mp_batch **oldest_list(mp_lane *lane) {
    mp_batch **list = &lane->ready;
    if (lane->deferred && (!lane->ready || mp_batch_seq(lane->deferred) <
                                               mp_batch_seq(lane->ready)))
        list = &lane->deferred;
    return *list && mp_batch_seq(*list) == mp_lane_droppable(lane) ? list
                                                                   : NULL;
}

/* The next sealed segment of the queue, which seals the open one for it. */
static mp_segment *take_segment(mp_queue *queue) {
    if (!queue->sealed)
        mp_queue_seal(queue);
    return mp_queue_take(queue);
}

bool mp_lane_drop_oldest(mp_lane *lane, int64_t now_ms) {
    mp_batch **list = oldest_list(lane);
    if (list) {
        mp_batch *batch = *list;
        mp_lane_take_out(lane, list, batch);
        if (mp_lane_is_gathered(batch)) { /* its files are on disk still */
            mp_lane_scatter(lane, batch);
            return true;
        }
        mp_lane_count_overflow(lane, batch->count, now_ms);
        mp_lane_forget(lane, batch);
        return true;
    }
    mp_segment *segment = take_segment(&lane->queue);
    if (!segment)
        return false;
    lane->stats->queued -= segment->count;
    mp_lane_count_overflow(lane, segment->count, now_ms);
    if (mp_segment_release(segment))
        mp_lane_retire(lane, segment);
    return true;
}

uint64_t mp_lane_droppable(const mp_lane *lane) {
    const mp_queue *queue = &lane->queue;
    uint64_t seqs[] = {
        lane->ready ? mp_batch_seq(lane->ready) : UINT64_MAX,
        lane->deferred ? mp_batch_seq(lane->deferred) : UINT64_MAX,
        queue->sealed ? queue->sealed->entries[0].seq : UINT64_MAX,
        queue->open && queue->open->count > 0 ? queue->open->entries[0].seq
                                              : UINT64_MAX,
    };
    uint64_t oldest = UINT64_MAX;
    for (size_t i = 0; i < sizeof seqs / sizeof *seqs; i++)
        if (seqs[i] < oldest)
            oldest = seqs[i];
    return oldest;
}

void mp_lane_back_off(mp_lane *lane, int64_t until_ms) {
    if (until_ms > lane->resume_ms)
        lane->resume_ms = until_ms;
}

void mp_lane_flush_up_to(mp_lane *lane, uint64_t seq) {
    if (seq > lane->flush_up_to)
        lane->flush_up_to = seq;
}

/* ---- check ---- */

bool mp_lane_waits(const mp_lane *lane) {
    return lane->waits;
}

void mp_lane_set_waits(mp_lane *lane, bool waits) {
    lane->waits = waits;
}

uint32_t mp_lane_in_flight(const mp_lane *lane) {
    return lane->in_flight;
}

bool mp_lane_empty(const mp_lane *lane) {
    const mp_queue *queue = &lane->queue;
    return !lane->ready && !lane->deferred && !lane->sent &&
           !lane->by_age.root && !lane->adopted_by_age.root && !lane->reading &&
           !lane->writing && !queue->sealed &&
           (!queue->open || queue->open->count == 0);
}

bool mp_lane_wants_spare(const mp_lane *lane) {
    if (!lane->on_disk)
        return lane->filled && !lane->queue.spares;
    return lane->used && (lane->filled ? !mp_queue_has_spares(&lane->queue)
                                       : !lane->queue.spares);
}

/* Nor are there to be more until the lane is busy again. */
int64_t mp_lane_expire_spares(mp_lane *lane, int64_t now_ms) {
    int64_t next_ms;
    int least = lane->on_disk ? 1 : 0;
    mp_segment *spare = mp_queue_expire(&lane->queue, now_ms, least, &next_ms);
    lane->filled &= !spare;
    while (spare) {
        mp_segment *next = spare->next;
        spare->next = lane->garbage;
        lane->garbage = spare;
        spare = next;
    }
    return next_ms;
}

/* Batches may be small: pages beyond them would be memory that nobody counts,
 * for as long as an outage lasts. */
void mp_lane_expects(const mp_lane *lane, uint32_t *records, size_t *bytes) {
    const mp_queue *queue = &lane->queue;
    *records = queue->records;
    *bytes = queue->bytes + queue->bytes / 4; /* it varies */
    if (*bytes > MP_SEGMENT_BYTES)
        *bytes = MP_SEGMENT_BYTES;
}

mp_segment *mp_lane_garbage(mp_lane *lane) {
    mp_segment *garbage = lane->garbage;
    lane->garbage = NULL;
    return garbage;
}
