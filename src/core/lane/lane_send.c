/* Which records travel next. */
#include "core/lane/lane_state.h"

#include "core/os/clock.h"

#include <stdlib.h>

enum {
    BISECTION_REQUESTS = 64, /* spent on the refused records of one batch */
    KEY_BITS = 32768         /* many times the records of a segment */
};

static bool is_backing_off(const mp_lane *lane, int64_t now_ms) {
    return now_ms < lane->resume_ms;
}

static bool shares_bisection(const mp_batch *list,
                             const mp_bisection *bisection) {
    for (; list; list = list->next)
        if (list->bisection == bisection)
            return true;
    return false;
}

static bool is_exhausted(const mp_batch *batch) {
    return batch->bisection && batch->bisection->requests >= BISECTION_REQUESTS;
}

/* Joins all parts that share the bisection of *first into one batch without a
 * bisection, which is in `ready`. False: out of memory, some may be joined. */
static bool reunite(mp_lane *lane, mp_batch **first) {
    const mp_bisection *bisection = (*first)->bisection;
    mp_lane_take_out(&lane->ready, *first);
    bool whole = true;
    for (mp_batch *part = lane->ready, *next; part && whole; part = next) {
        next = part->next;
        if (part->bisection != bisection)
            continue;
        mp_lane_take_out(&lane->ready, part);
        whole = mp_batch_join(first, part);
        if (!whole)
            mp_lane_insert(&lane->ready, part);
    }
    if (whole)
        mp_batch_leave_bisection(*first);
    mp_lane_insert(&lane->ready, *first);
    return whole;
}

static void reject_bisection(mp_lane *lane, mp_bisection *bisection) {
    bisection->refs++; /* it is compared with to the end of the loop */
    for (mp_batch *part = lane->ready, *next; part; part = next) {
        next = part->next;
        if (part->bisection != bisection)
            continue;
        mp_lane_take_out(&lane->ready, part);
        mp_lane_end(lane, part, MP_FATE_REJECTED, bisection->status,
                    bisection->text);
    }
    if (--bisection->refs == 0)
        free(bisection);
}

/* Ends a bisection that spent its requests.
 *
 * If some record was taken, or the refusals differ, the rest starts over as a
 * batch like any other. Else the fault is not in single records. When all was
 * forbidden somebody stands between us and the API, for now: the rest goes
 * behind the others, and no batch is halved for this until one is taken
 * again. Otherwise the rest is rejected. Either way the lane backs off. */
static void conclude(mp_lane *lane, const mp_settings *settings,
                     mp_batch *first, int64_t now_ms) {
    mp_bisection *bisection = first->bisection;
    int status = bisection->status;
    bool forbidden = (status == 403 || status == 404) && !bisection->accepted;
    if (!forbidden && !bisection->accepted && !bisection->mixed) {
        mp_lane_report_pause(lane, NULL, status, bisection->text);
        reject_bisection(lane, bisection);
        mp_lane_back_off(lane, now_ms + settings->max_retry_delay_ms);
        return;
    }
    if (forbidden)
        mp_lane_report_pause(lane, first, status, bisection->text);
    if (!reunite(lane, &first)) {
        mp_lane_back_off(lane, now_ms + MP_LANE_NO_MEMORY_MS);
    } else if (forbidden) {
        lane->trusted = false;
        mp_lane_take_out(&lane->ready, first);
        first->resume_ms = now_ms + settings->max_retry_delay_ms;
        mp_lane_insert(&lane->deferred, first);
        mp_lane_back_off(lane, first->resume_ms);
    }
}

static void conclude_bisections(mp_lane *lane, const mp_settings *settings,
                                int64_t now_ms) {
    for (mp_batch *batch = lane->ready; batch;) {
        if (is_exhausted(batch) &&
            !shares_bisection(lane->sent, batch->bisection)) {
            conclude(lane, settings, batch, now_ms);
            if (is_backing_off(lane, now_ms))
                return;
            batch = lane->ready;
        } else {
            batch = batch->next;
        }
    }
}

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
        mp_lane_take_out(list, batch);
        mp_lane_end(lane, batch, MP_FATE_EXPIRED, 0, NULL);
    }
}

/* True if the event is too old for the lane's own endpoint. */
static bool is_old(const mp_lane *lane, const mp_entry *entry, int64_t now_ms) {
    return lane->endpoint->max_age_ms > 0 && entry->kind == MP_PLAIN &&
           entry->time_ms < now_ms - lane->endpoint->max_age_ms;
}

/* Takes out of a batch in the list what has grown too old, and ends it. */
static void drop_old_of(mp_lane *lane, mp_batch **list, mp_batch *batch,
                        int64_t now_ms) {
    bool old[MP_SEGMENT_RECORDS] = {false};
    uint32_t n = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        old[i] = is_old(lane, mp_batch_entry(batch, i), now_ms);
        n += old[i];
    }
    if (n == 0)
        return;
    mp_batch *part = batch;
    mp_lane_take_out(list, batch);
    if (n < batch->count) {
        part = mp_batch_split(batch, old, n);
        mp_lane_insert(list, batch);
    }
    if (part)
        mp_lane_end(lane, part, MP_FATE_EXPIRED, 0,
                    "older than five days, and collected from others");
    else
        mp_lane_back_off(lane, now_ms + MP_LANE_NO_MEMORY_MS);
}

/* Old events of a lane that sends them nowhere else. */
static void drop_old(mp_lane *lane, mp_batch **list, int64_t now_ms) {
    if (lane->endpoint->max_age_ms == 0 ||
        &mp_endpoints[lane->endpoint->older_lane] != lane->endpoint)
        return;
    for (mp_batch *batch = *list, *next; batch; batch = next) {
        next = batch->next;
        drop_old_of(lane, list, batch, now_ms);
    }
}

/* Two records may share a request only if their classes are equal. */
static int class_of(const mp_lane *lane, const mp_entry *entry,
                    int64_t now_ms) {
    return lane->endpoint->max_age_ms > 0 ? is_old(lane, entry, now_ms)
                                          : (int)entry->kind;
}

/* True if the batch holds an update of the same ordering key that came before.
 */
static bool precedes(const mp_batch *batch, const mp_entry *entry) {
    for (uint32_t i = 0; i < batch->count; i++) {
        const mp_entry *other = mp_batch_entry(batch, i);
        if (other->seq >= entry->seq)
            return false;
        if (other->ordering_key == entry->ordering_key)
            return true;
    }
    return false;
}

/* In order, an update waits for earlier ones of its ordering key: those that
 * are deferred, and those that were cut out of the middle of its batch, were
 * sent and came back, and so stand behind it in `ready`. */
static bool is_held_up(const mp_lane *lane, const mp_batch *batch,
                       const mp_entry *entry) {
    if (!lane->endpoint->ordered)
        return false;
    for (const mp_batch *b = lane->deferred; b; b = b->next)
        if (precedes(b, entry))
            return true;
    for (const mp_batch *b = batch->next; b && mp_batch_seq(b) < entry->seq;
         b = b->next)
        if (precedes(b, entry))
            return true;
    return false;
}

/* Those of which an update stays behind, so that later ones must too. Two may
 * share a bit: then one of them travels a request later than it could. */
typedef struct key_set {
    uint8_t bits[KEY_BITS / 8];
} key_set;

static bool has_key(const key_set *set, const mp_entry *entry) {
    uint32_t bit = entry->ordering_key % KEY_BITS;
    return set->bits[bit / 8] >> bit % 8 & 1;
}

static void add_key(key_set *set, const mp_entry *entry) {
    uint32_t bit = entry->ordering_key % KEY_BITS;
    set->bits[bit / 8] |= (uint8_t)(1u << bit % 8);
}

/* Marks in `keep` what of a batch may travel in one request, and returns how
 * many records that are. */
static uint32_t mark_fitting(const mp_lane *lane, const mp_settings *settings,
                             const mp_batch *batch, int64_t now_ms,
                             bool keep[]) {
    uint32_t limit = mp_lane_batch_limit(lane, settings), kept = 0;
    size_t bytes = 0;
    int class = -1;
    key_set behind = {{0}};
    for (uint32_t i = 0; i < batch->count && kept < limit; i++) {
        const mp_entry *entry = mp_batch_entry(batch, i);
        if (is_held_up(lane, batch, entry) ||
            (lane->endpoint->ordered && has_key(&behind, entry)))
            continue;
        int own = class_of(lane, entry, now_ms);
        if (class < 0)
            class = own;
        if (own != class) {
            add_key(&behind, entry);
            continue;
        }
        if (kept > 0 && bytes + mp_entry_bytes(entry) > lane->limit_bytes)
            break;
        keep[i] = true;
        kept++;
        bytes += mp_entry_bytes(entry);
    }
    return kept;
}

/* Takes from a batch in `ready` what may travel in one request. NULL: all of
 * it is held up, or memory ran out and the lane backs off. */
static mp_batch *cut(mp_lane *lane, const mp_settings *settings,
                     mp_batch *batch, int64_t now_ms) {
    bool keep[MP_SEGMENT_RECORDS] = {false};
    uint32_t kept = mark_fitting(lane, settings, batch, now_ms, keep);
    if (kept == 0)
        return NULL;
    mp_batch *part = batch;
    mp_lane_take_out(&lane->ready, batch);
    if (kept < batch->count) {
        part = mp_batch_split(batch, keep, kept);
        mp_lane_insert(&lane->ready, batch);
    }
    if (part)
        part->endpoint = is_old(lane, mp_batch_entry(part, 0), now_ms)
                             ? &mp_endpoints[lane->endpoint->older_lane]
                             : lane->endpoint;
    else
        mp_lane_back_off(lane, now_ms + MP_LANE_NO_MEMORY_MS);
    return part;
}

static bool is_due(const mp_lane *lane, const mp_settings *settings,
                   int64_t now_ms, int64_t *due_ms) {
    const mp_segment *open = lane->queue.open;
    if (!open || open->count == 0)
        return false;
    *due_ms = open->entries[0].seq <= lane->flush_up_to
                  ? now_ms
                  : open->born_ms + settings->flush_interval_ms;
    return *due_ms <= now_ms;
}

/* Moves the next segment that is full or due from the queue to `ready`. */
static mp_batch *load(mp_lane *lane, const mp_settings *settings,
                      int64_t now_ms, int64_t *next_ms) {
    int64_t due_ms = INT64_MAX;
    if (!lane->queue.sealed) {
        if (is_due(lane, settings, now_ms, &due_ms))
            mp_queue_seal(&lane->queue);
        else
            *next_ms = mp_clock_earlier(*next_ms, due_ms);
    }
    mp_segment *segment = mp_queue_take(&lane->queue);
    if (!segment)
        return NULL;
    mp_batch *batch = mp_batch_new(segment);
    if (!batch) {
        mp_queue_untake(&lane->queue, segment);
        mp_lane_back_off(lane, now_ms + MP_LANE_NO_MEMORY_MS);
        return NULL;
    }
    mp_lane_insert(&lane->ready, batch);
    return batch;
}

/* The first batch in `ready` of which something may travel. */
static mp_batch *choose_ready(mp_lane *lane, const mp_settings *settings,
                              int64_t now_ms) {
    mp_batch *part = NULL;
    for (mp_batch *b = lane->ready, *next;
         b && !part && !is_backing_off(lane, now_ms); b = next) {
        next = b->next;
        if (!is_exhausted(b))
            part = cut(lane, settings, b, now_ms);
    }
    return part;
}

/* What is due again travels like anything else: it may have grown old. */
static mp_batch *choose_deferred(mp_lane *lane, const mp_settings *settings,
                                 int64_t now_ms, int64_t *next_ms) {
    for (mp_batch *b = lane->deferred; b; b = b->next) {
        if (b->resume_ms <= now_ms) {
            mp_lane_take_out(&lane->deferred, b);
            mp_lane_insert(&lane->ready, b);
            return cut(lane, settings, b, now_ms);
        }
        *next_ms = mp_clock_earlier(*next_ms, b->resume_ms);
    }
    return NULL;
}

static mp_batch *choose(mp_lane *lane, const mp_settings *settings,
                        int64_t now_ms, int64_t *next_ms) {
    mp_batch *part;
    drop_expired(lane, settings, &lane->deferred, now_ms);
    drop_old(lane, &lane->deferred, now_ms);
    do {
        drop_expired(lane, settings, &lane->ready, now_ms);
        drop_old(lane, &lane->ready, now_ms);
        lane->wants_disk = mp_lane_disk_first(lane);
        if (lane->wants_disk)
            return NULL;
        part = choose_ready(lane, settings, now_ms);
    } while (!part && !is_backing_off(lane, now_ms) &&
             load(lane, settings, now_ms, next_ms));
    if (!part && !is_backing_off(lane, now_ms))
        part = choose_deferred(lane, settings, now_ms, next_ms);
    if (!part && !is_backing_off(lane, now_ms))
        lane->wants_disk = mp_lane_disk_next(lane);
    return part;
}

mp_batch *mp_lane_next(mp_lane *lane, const mp_settings *settings,
                       int64_t now_ms, uint32_t slots, int64_t *next_ms) {
    *next_ms = INT64_MAX;
    lane->wants_disk = false;
    lane->waits =
        slots == 0 || (lane->in_flight > 0 &&
                       (lane->endpoint->ordered || lane->failures > 0));
    if (lane->waits)
        return NULL;
    mp_batch *batch = NULL;
    if (now_ms >= lane->limit_ms)
        lane->limit_bytes = SIZE_MAX;
    if (!is_backing_off(lane, now_ms)) {
        conclude_bisections(lane, settings, now_ms);
        mp_lane_count_overflow(lane, 0, now_ms);
    }
    if (!is_backing_off(lane, now_ms))
        batch = choose(lane, settings, now_ms, next_ms);
    if (!batch) {
        lane->waits = is_backing_off(lane, now_ms) && !mp_lane_empty(lane);
        if (lane->waits)
            *next_ms = lane->resume_ms;
        return NULL;
    }
    mp_lane_insert(&lane->sent, batch);
    lane->in_flight++;
    lane->stats->queued -= batch->count;
    lane->stats->in_flight += batch->count;
    if (batch->sends++ > 0)
        lane->stats->retried += batch->count;
    if (batch->bisection)
        batch->bisection->requests++;
    batch->sent_ms = now_ms;
    return batch;
}
