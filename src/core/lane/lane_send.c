/* Which records travel next.
 *
 * A record waits in one of four places: on disk, in the queue's segments, in
 * `ready`, or in `deferred`, of batches that a route put off. Each call makes
 * one request at most. It looks at `ready` first, and moves a segment there
 * that is full or due only when nothing in `ready` may travel; then at what is
 * deferred and due again; last it asks for a batch from the disk. So the oldest
 * records go first unless something stands in their way, and memory holds few
 * batches besides the queue.
 *
 * Of a batch those records are cut out that may share a request: one route, one
 * class, within the route's limits, and, where order counts, no record of an
 * ordering key of which an earlier one waits. What is left of the batch keeps
 * its place. Nothing is cut for a route that backs off or has its fill of
 * requests; *next_ms then tells when to ask again. */
#include "core/lane/lane_state.h"

#include "core/os/clock.h"

#include <stdlib.h>

enum {
    KEY_BITS = 32768 /* many times the records of a segment */
};

static bool is_backing_off(const mp_lane *lane, int64_t now_ms) {
    return now_ms < lane->resume_ms;
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

/* Two records may share a request only if their classes are equal. What may be
 * sent twice anyway need not travel apart. */
static int class_of(const mp_lane *lane, const mp_settings *settings,
                    const mp_entry *entry, int64_t now_ms) {
    if (lane->endpoint->max_age_ms > 0)
        return is_old(lane, entry, now_ms);
    if (entry->kind == MP_NON_IDEMPOTENT && !settings->report_ambiguous)
        return MP_PLAIN;
    return (int)entry->kind;
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

/* The route that a record would take now. */
static mp_route *route_for(mp_lane *lane, const mp_entry *entry,
                           int64_t now_ms) {
    bool parted = lane->detour.endpoint && is_old(lane, entry, now_ms);
    return parted ? &lane->detour : &lane->own;
}

/* What of a batch may travel in one request. */
typedef struct fitting {
    bool keep[MP_SEGMENT_RECORDS];
    uint32_t kept;
    mp_route *route; /* that all of them take */
    uint32_t old;    /* looked at that take the detour, sent or not */
} fitting;

/* What waits for a route does not hold up what takes the other. */
static void find_fitting(mp_lane *lane, const mp_settings *settings,
                         const mp_batch *batch, int64_t now_ms, fitting *out) {
    uint32_t most = mp_lane_batch_limit(lane, settings), limit = most;
    size_t bytes = 0;
    int class = -1;
    key_set behind = {{0}};
    *out = (fitting){.kept = 0};
    for (uint32_t i = 0; i < batch->count && out->kept < limit; i++) {
        const mp_entry *entry = mp_batch_entry(batch, i);
        mp_route *route = route_for(lane, entry, now_ms);
        out->old += route == &lane->detour;
        if (!mp_route_is_open(route, now_ms) ||
            is_held_up(lane, batch, entry) ||
            (lane->endpoint->ordered && has_key(&behind, entry)))
            continue;
        int own = class_of(lane, settings, entry, now_ms);
        if (class < 0)
            class = own;
        if (own != class) {
            add_key(&behind, entry);
            continue;
        }
        if (out->kept > 0 &&
            bytes + mp_entry_bytes(entry) > mp_route_most_bytes(route, now_ms))
            break;
        limit = route->probing ? 1 : most;
        out->route = route;
        out->keep[i] = true;
        out->kept++;
        bytes += mp_entry_bytes(entry);
    }
}

/* Takes from a batch in `ready` what may travel in one request. NULL: all of
 * it is held up, or memory ran out and the lane backs off. */
static mp_batch *cut(mp_lane *lane, const mp_settings *settings,
                     mp_batch *batch, int64_t now_ms) {
    fitting fit;
    if (batch->is_old && !mp_route_is_open(&lane->detour, now_ms)) {
        mp_lane_trim(lane, batch);
        return NULL;
    }
    find_fitting(lane, settings, batch, now_ms, &fit);
    if (fit.kept == 0) {
        batch->is_old = fit.old == batch->count;
        return NULL;
    }
    mp_batch *part = batch;
    mp_lane_take_out(&lane->ready, batch);
    if (fit.kept < batch->count) {
        part = mp_batch_split(batch, fit.keep, fit.kept);
        mp_lane_insert(&lane->ready, batch);
    }
    if (part)
        part->endpoint = fit.route->endpoint;
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

static bool is_detour_open(const mp_lane *lane, int64_t now_ms) {
    return lane->detour.endpoint && mp_route_is_open(&lane->detour, now_ms);
}

static bool holds_old(const mp_lane *lane, const mp_segment *segment,
                      int64_t now_ms) {
    return segment && segment->count > 0 &&
           segment->oldest_ms < now_ms - lane->endpoint->max_age_ms;
}

/* The next segment that is full or due. While the lane's own route is closed
 * the open one goes on filling, and only old events are looked for. */
static mp_segment *find_segment(mp_lane *lane, const mp_settings *settings,
                                int64_t now_ms, int64_t *next_ms) {
    mp_queue *queue = &lane->queue;
    bool any = mp_route_is_open(&lane->own, now_ms);
    mp_segment *segment = queue->sealed;
    int64_t due_ms = INT64_MAX;
    if (!any && !is_detour_open(lane, now_ms))
        return NULL;
    while (segment && !any && !holds_old(lane, segment, now_ms))
        segment = segment->next;
    if (segment || (!any && !holds_old(lane, queue->open, now_ms)))
        return segment;
    if (!is_due(lane, settings, now_ms, &due_ms)) {
        *next_ms = mp_clock_earlier(*next_ms, due_ms);
        return NULL;
    }
    mp_queue_seal(queue);
    return queue->last_sealed;
}

/* Moves a segment from the queue to `ready`. */
static mp_batch *load(mp_lane *lane, const mp_settings *settings,
                      int64_t now_ms, int64_t *next_ms) {
    mp_segment *segment = find_segment(lane, settings, now_ms, next_ms);
    mp_batch *batch = segment ? mp_batch_new(segment) : NULL;
    if (batch) {
        mp_queue_remove(&lane->queue, segment);
        mp_lane_insert(&lane->ready, batch);
    } else if (segment) {
        mp_lane_back_off(lane, now_ms + MP_LANE_NO_MEMORY_MS);
    }
    return batch;
}

/* The first batch in `ready` of which something may travel. */
static mp_batch *choose_ready(mp_lane *lane, const mp_settings *settings,
                              int64_t now_ms) {
    mp_batch *part = NULL;
    for (mp_batch *b = lane->ready, *next;
         b && !part && !is_backing_off(lane, now_ms); b = next) {
        next = b->next;
        if (!mp_lane_is_exhausted(b))
            part = cut(lane, settings, b, now_ms);
    }
    return part;
}

/* The one that is due longest, of those whose route is open. */
static mp_batch *find_due(mp_lane *lane, int64_t now_ms, int64_t *next_ms) {
    mp_batch *longest = NULL;
    for (mp_batch *b = lane->deferred; b; b = b->next) {
        if (b->resume_ms > now_ms)
            *next_ms = mp_clock_earlier(*next_ms, b->resume_ms);
        else if (mp_route_is_open(mp_lane_route(lane, b), now_ms) &&
                 (!longest || b->resume_ms < longest->resume_ms))
            longest = b;
    }
    return longest;
}

/* What is due again travels like anything else: it may have grown old. They
 * take turns, or the first would be tried again and again; one that is held up
 * by another gives its turn to the next. */
static mp_batch *choose_deferred(mp_lane *lane, const mp_settings *settings,
                                 int64_t now_ms, int64_t *next_ms) {
    mp_batch *part = NULL, *due;
    while (!part && !is_backing_off(lane, now_ms) &&
           (due = find_due(lane, now_ms, next_ms))) {
        mp_lane_take_out(&lane->deferred, due);
        mp_lane_insert(&lane->ready, due);
        part = cut(lane, settings, due, now_ms);
    }
    return part;
}

static mp_batch *choose(mp_lane *lane, const mp_settings *settings,
                        int64_t now_ms, int64_t *next_ms) {
    /* Not to fill memory in an outage. */
    bool may_read = mp_route_is_open(&lane->own, now_ms);
    mp_batch *part;
    drop_expired(lane, settings, &lane->deferred, now_ms);
    drop_old(lane, &lane->deferred, now_ms);
    do {
        drop_expired(lane, settings, &lane->ready, now_ms);
        drop_old(lane, &lane->ready, now_ms);
        lane->wants_disk = may_read && mp_lane_disk_first(lane);
        if (lane->wants_disk)
            return NULL;
        part = choose_ready(lane, settings, now_ms);
    } while (!part && !is_backing_off(lane, now_ms) &&
             load(lane, settings, now_ms, next_ms));
    if (!part && !is_backing_off(lane, now_ms))
        part = choose_deferred(lane, settings, now_ms, next_ms);
    if (!part && !is_backing_off(lane, now_ms))
        lane->wants_disk = may_read && mp_lane_disk_next(lane);
    return part;
}

/* When to ask again though no record is due: once a route that is waited for
 * opens. A reply of what is under way on it comes by itself. */
static int64_t opens_ms(const mp_lane *lane, int64_t now_ms) {
    int64_t next_ms = INT64_MAX;
    if (is_backing_off(lane, now_ms))
        return lane->resume_ms;
    if (mp_route_backs_off(&lane->own, now_ms))
        next_ms = lane->own.resume_ms;
    if (mp_route_backs_off(&lane->detour, now_ms))
        next_ms = mp_clock_earlier(next_ms, lane->detour.resume_ms);
    return next_ms;
}

/* True if nothing that is added now can leave before a reply or a pause. */
static bool is_closed(const mp_lane *lane, int64_t now_ms) {
    return is_backing_off(lane, now_ms) ||
           !mp_route_is_open(&lane->own, now_ms);
}

static void start(mp_lane *lane, mp_batch *batch, int64_t now_ms) {
    mp_lane_insert(&lane->sent, batch);
    lane->in_flight++;
    mp_lane_route(lane, batch)->in_flight++;
    lane->stats->queued -= batch->count;
    lane->stats->in_flight += batch->count;
    if (batch->sends++ > 0)
        lane->stats->retried += batch->count;
    if (batch->bisection)
        batch->bisection->requests++;
    batch->sent_ms = now_ms;
    batch->plain = mp_lane_route(lane, batch)->plain;
}

static bool is_queue_empty(const mp_queue *queue) {
    return !queue->sealed && (!queue->open || queue->open->count == 0);
}

mp_batch *mp_lane_next(mp_lane *lane, const mp_settings *settings,
                       int64_t now_ms, uint32_t slots, int64_t *next_ms) {
    mp_batch *batch = NULL;
    int64_t later_ms;
    *next_ms = INT64_MAX;
    lane->wants_disk = false;
    mp_lane_bring_back(lane, now_ms, &later_ms);
    lane->waits =
        slots == 0 || (lane->in_flight > 0 && lane->endpoint->ordered);
    if (lane->waits)
        return NULL;
    if (!is_backing_off(lane, now_ms)) {
        mp_lane_conclude_bisections(lane, settings, now_ms);
        mp_lane_count_overflow(lane, 0, now_ms);
    }
    if (!is_closed(lane, now_ms) ||
        (!is_backing_off(lane, now_ms) && is_detour_open(lane, now_ms)))
        batch = choose(lane, settings, now_ms, next_ms);
    lane->blocked_ms = INT64_MIN;
    if (batch) {
        start(lane, batch, now_ms);
        return batch;
    }
    lane->waits = is_closed(lane, now_ms) && !mp_lane_empty(lane);
    if (!mp_lane_empty(lane)) {
        *next_ms = mp_clock_earlier(*next_ms, opens_ms(lane, now_ms));
        *next_ms = mp_clock_earlier(*next_ms, later_ms);
        if (is_queue_empty(&lane->queue) && *next_ms != INT64_MAX &&
            !lane->wants_disk)
            lane->blocked_ms = *next_ms;
    }
    return NULL;
}
