/* What of a lane stands on disk. */
#include "core/lane/lane_state.h"

#include <stdlib.h>

enum {
    READY_MOST = 32, /* batches in memory that keep others from being read */
    WASTED_MOST = 8, /* files of open segments, half empty or more */

    /* What cannot be read is tried again after so long. */
    FIRST_DELAY_MS = 1000,
    LAST_DELAY_MS = 60 * 1000
};

void mp_lane_on_disk(mp_lane *lane, mp_buf *rejected) {
    lane->on_disk = true;
    lane->rejected = rejected;
}

/* ---- batches on disk ---- */

/* Of what came first, whichever side of zero its time is. */
static uint64_t age_key(int64_t last_ms) {
    return (uint64_t)last_ms + (UINT64_C(1) << 63);
}

static mp_tree *ages_of(mp_lane *lane, const mp_batch_file *file) {
    return file->users ? &lane->adopted_by_age : &lane->by_age;
}

void mp_lane_keep_file(mp_lane *lane, mp_batch_file *file) {
    file->age.key = age_key(file->last_ms);
    file->order.key = file->first;
    file->order.weight = file->count;
    mp_tree_add(ages_of(lane, file), &file->age);
    mp_tree_add(&lane->files, &file->order);
}

void mp_lane_add_file(mp_lane *lane, mp_batch_file *file) {
    mp_lane_keep_file(lane, file);
    lane->stats->spooled += file->count;
    lane->stats->spooled_bytes += file->bytes;
}

void mp_lane_take_file(mp_lane *lane, mp_batch_file *file) {
    mp_tree_remove(ages_of(lane, file), &file->age);
    mp_tree_remove(file->later ? &lane->later : &lane->files, &file->order);
    file->later = false;
    lane->releases++;
}

mp_batch_file *mp_lane_first_file(const mp_lane *lane) {
    return MP_TREE_THING(mp_tree_first(&lane->files), mp_batch_file, order);
}

/* No longer on disk only. */
static void count_out(mp_lane *lane, const mp_batch_file *file) {
    lane->stats->spooled -= file->count;
    lane->stats->spooled_bytes -= file->bytes;
}

void mp_lane_adopt(mp_lane *lane, mp_batch_file *file) {
    file->first = lane->adopted + 1;
    lane->adopted += file->count;
    file->last = lane->adopted;
    if (!lane->endpoint->ordered) { /* behind what this process accepts */
        file->first += MP_LANE_LATER;
        file->last += MP_LANE_LATER;
    }
    lane->stats->adopted += file->count;
    mp_lane_add_file(lane, file);
}

/* ---- reading them back ---- */

static bool comes_before(const mp_batch_file *file, const mp_segment *segment) {
    return !segment || segment->count == 0 ||
           file->first < segment->entries[0].seq;
}

bool mp_lane_disk_first(const mp_lane *lane) {
    const mp_batch_file *first = mp_lane_first_file(lane);
    return first &&
           (!lane->ready || first->first < mp_batch_seq(lane->ready)) &&
           (lane->queue.sealed || lane->queue.open || lane->ready) &&
           comes_before(first, lane->queue.sealed) &&
           comes_before(first, lane->queue.open);
}

bool mp_lane_is_disk_before(const mp_lane *lane, uint64_t seq) {
    const mp_batch_file *first = mp_lane_first_file(lane);
    return first && first->first < seq;
}

bool mp_lane_disk_next(const mp_lane *lane) {
    uint32_t n = 0;
    for (const mp_batch *b = lane->ready; b; b = b->next)
        n++;
    return lane->files.root && n < READY_MOST;
}

mp_batch_file *mp_lane_wanted(mp_lane *lane) {
    if (!lane->wants_disk)
        return NULL;
    lane->wants_disk = false;
    mp_batch_file *file = mp_lane_first_file(lane);
    mp_lane_take_file(lane, file);
    file->next = NULL;
    lane->reading = file;
    return file;
}

/* A process that died sent these and may not be sent twice. */
static void resolve_in_doubt(mp_lane *lane, const mp_settings *settings,
                             mp_batch *batch) {
    static const char why[] =
        "the process that sent these died before the reply";
    mp_lane_report_ambiguous(lane, batch, 0, why);
    if (settings->report_ambiguous)
        mp_lane_end(lane, batch, MP_FATE_UNCERTAIN, 0, why);
    else
        mp_lane_insert(lane, &lane->ready, batch);
}

bool mp_lane_restore(mp_lane *lane, const mp_settings *settings,
                     mp_segment *segment) {
    mp_batch *batch = mp_batch_new(segment), *part = NULL;
    mp_batch_file *first = lane->reading;
    if (!batch)
        return false;
    batch->sends = first->sends;
    batch->server_errors = first->server_errors;
    if (segment->adopted && first->sends == 0 && /* else it is known here */
        first->in_doubt == MP_IN_DOUBT_NON_IDEMPOTENT &&
        !mp_batch_part_non_idempotent(&batch, &part)) {
        mp_segment_retain(segment); /* the caller's, which the batch has */
        mp_batch_free(batch);
        return false;
    }
    lane->reading = NULL;
    uint32_t foreign = mp_lane_count_files(first) - segment->count;
    for (mp_batch_file *file = first; file; file = file->next) {
        file->failures = 0;
        count_out(lane, file);
    }
    if (foreign > 0)
        mp_lane_end_unread(lane, MP_FATE_QUARANTINED, foreign);
    lane->stats->queued += segment->count;
    lane->stats->queue_bytes += segment->used;
    if (batch)
        mp_lane_insert(lane, &lane->ready, batch);
    if (part)
        resolve_in_doubt(lane, settings, part);
    return true;
}

void mp_lane_put_back(mp_lane *lane, int64_t until_ms) {
    mp_batch_file *file = lane->reading;
    lane->reading = NULL;
    for (; file; file = file->next)
        mp_lane_keep_file(lane, file);
    mp_lane_back_off(lane, until_ms);
}

static int64_t delay_after(uint32_t failures) {
    int64_t delay_ms = FIRST_DELAY_MS;
    while (failures-- > 1 && delay_ms < LAST_DELAY_MS)
        delay_ms *= 2;
    return delay_ms < LAST_DELAY_MS ? delay_ms : LAST_DELAY_MS;
}

void mp_lane_put_off(mp_lane *lane, int64_t now_ms) {
    mp_batch_file *file = lane->reading;
    int64_t until_ms = now_ms + delay_after(++file->failures);
    mp_lane_put_back(lane, INT64_MIN);
    if (lane->endpoint->ordered && file->failures <= MP_BATCH_FILE_TRIES) {
        mp_lane_back_off(lane, until_ms);
        return;
    }
    mp_tree_remove(&lane->files, &file->order);
    file->later = true;
    file->order.key = (uint64_t)until_ms;
    mp_tree_add(&lane->later, &file->order);
}

void mp_lane_bring_back(mp_lane *lane, int64_t now_ms, int64_t *next_ms) {
    for (mp_node *node; (node = mp_tree_first(&lane->later));) {
        mp_batch_file *file = MP_TREE_THING(node, mp_batch_file, order);
        if ((int64_t)node->key > now_ms) {
            *next_ms = (int64_t)node->key;
            return;
        }
        mp_lane_take_file(lane, file);
        mp_lane_keep_file(lane, file);
    }
    *next_ms = INT64_MAX;
}

void mp_lane_lose(mp_lane *lane, mp_fate fate) {
    const mp_batch_file *file = lane->reading;
    lane->reading = NULL;
    count_out(lane, file);
    mp_lane_end_unread(lane, fate, file->count);
}

/* ---- sealed segments that leave memory ---- */

mp_segment *mp_lane_spill(mp_lane *lane) {
    lane->writing = mp_queue_take(&lane->queue);
    return lane->writing;
}

void mp_lane_spilled(mp_lane *lane, mp_batch_file *file) {
    mp_segment *segment = lane->writing;
    lane->writing = NULL;
    if (!file) {
        mp_queue_untake(&lane->queue, segment);
        return;
    }
    lane->stats->queued -= segment->count;
    mp_lane_add_file(lane, file);
    if (mp_segment_release(segment))
        mp_lane_retire(lane, segment);
}

void mp_lane_seal(mp_lane *lane) {
    mp_queue_seal(&lane->queue);
}

/* ---- eviction ---- */

static mp_batch_file *first_of(const mp_tree *by_age) {
    return MP_TREE_THING(mp_tree_first(by_age), mp_batch_file, age);
}

mp_batch_file *mp_lane_oldest_file(const mp_lane *lane) {
    mp_batch_file *own = first_of(&lane->by_age),
                  *adopted = first_of(&lane->adopted_by_age);
    return !own || (adopted && adopted->age.key < own->age.key) ? adopted : own;
}

mp_batch_file *mp_lane_oldest_adopted(const mp_lane *lane) {
    return first_of(&lane->adopted_by_age);
}

void mp_lane_evict(mp_lane *lane, mp_batch_file *oldest) {
    mp_lane_take_file(lane, oldest);
    count_out(lane, oldest);
    mp_fate_count(MP_FATE_EVICTED, lane->stats, oldest->count);
}

/* ---- all segments ---- */

static void visit_list(mp_segment *list,
                       void (*visit)(mp_segment *segment, void *user),
                       void *user) {
    for (mp_segment *next; list; list = next) {
        next = list->next;
        visit(list, user);
    }
}

static void visit_batches(const mp_batch *list,
                          void (*visit)(mp_segment *segment, void *user),
                          void *user) {
    for (; list; list = list->next)
        visit(list->segment, user);
}

void mp_lane_each_segment(mp_lane *lane,
                          void (*visit)(mp_segment *segment, void *user),
                          void *user) {
    visit_batches(lane->sent, visit, user);
    visit_batches(lane->ready, visit, user);
    visit_batches(lane->deferred, visit, user);
    visit_list(lane->queue.sealed, visit, user);
    if (lane->queue.open)
        visit(lane->queue.open, user);
    visit_list(lane->queue.spares, visit, user);
    if (lane->writing)
        visit(lane->writing, user);
}

mp_segment *mp_lane_last_segment(const mp_lane *lane) {
    const mp_queue *queue = &lane->queue;
    return queue->open && queue->open->count > 0 ? queue->open
                                                 : queue->last_sealed;
}

const mp_segment *mp_lane_oldest_sealed(const mp_lane *lane) {
    return lane->queue.sealed;
}

bool mp_lane_wastes_disk(const mp_lane *lane) {
    uint32_t n = 0;
    const mp_segment *s = lane->queue.sealed;
    while (s && n <= WASTED_MOST && s->place.open &&
           s->used < MP_SEGMENT_BYTES / 2) {
        n++;
        s = s->next;
    }
    return n > WASTED_MOST;
}

static int64_t later(int64_t a_ms, int64_t b_ms) {
    return a_ms > b_ms ? a_ms : b_ms;
}

int64_t mp_lane_backoff_until(const mp_lane *lane) {
    return later(later(lane->own.resume_ms, lane->resume_ms), lane->blocked_ms);
}
