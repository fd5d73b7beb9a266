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
 * ordering key of which an earlier one waits. An index of the keys in `ready`
 * and `deferred` says that. What is left of the batch keeps its place; if that
 * was left for its order, the queue has the next turn, so that a key with many
 * updates delays itself and not the others. Nothing is cut for a route that
 * backs off or has its fill of requests; *next_ms then tells when to ask again.
 */
#include "core/lane/lane_state.h"

#include "core/os/clock.h"

#include <stdlib.h>

enum {
    KEY_BITS = 32768,  /* many times the records of a segment */
    LOOKS_MOST = 4000, /* records that are looked at in vain in one call */
    SEGMENT_LOOKS = 64 /* as many is the work on a segment besides */
};

static bool is_backing_off(const mp_lane *lane, int64_t now_ms) {
    return now_ms < lane->resume_ms;
}

/* Two records may share a request only if their classes are equal. What may be
 * sent twice anyway need not travel apart. A bus takes all alike, and whoever
 * forwards from it parts them. */
static int class_of(const mp_lane *lane, const mp_settings *settings,
                    const mp_entry *entry, int64_t now_ms) {
    if (lane->host == MP_HOST_BUS)
        return MP_PLAIN;
    if (lane->endpoint->max_age_ms > 0)
        return mp_lane_is_old(lane, entry, now_ms);
    if (entry->kind == MP_NON_IDEMPOTENT && !settings->report_ambiguous)
        return MP_PLAIN;
    return (int)entry->kind;
}

/* In order, an update waits for earlier ones of its ordering key that wait in
 * memory; what is on disk, and was not read yet, may hold any. */
static bool is_held_up(const mp_lane *lane, const mp_batch *batch,
                       const mp_entry *entry) {
    return lane->endpoint->ordered &&
           (mp_lane_is_disk_before(lane, entry->seq) ||
            mp_key_index_has_earlier(&lane->keys, entry, batch));
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

mp_route *mp_lane_route_for(mp_lane *lane, const mp_entry *entry,
                            int64_t now_ms) {
    bool parted = lane->detour.endpoint && mp_lane_is_old(lane, entry, now_ms);
    return parted ? &lane->detour : &lane->own;
}

/* What of a batch may travel in one request. */
typedef struct fitting {
    bool keep[MP_SEGMENT_RECORDS];
    uint32_t kept;
    mp_route *route; /* that all of them take */
    uint32_t old;    /* looked at that take the detour, sent or not */
    uint32_t held;   /* looked at that wait for an earlier one of their key */
    bool full;       /* no more go into the request */
} fitting;

/* What waits for a route does not hold up what takes the other. */
static void find_fitting(mp_lane *lane, const mp_settings *settings,
                         const mp_batch *batch, int64_t now_ms, fitting *out) {
    uint32_t most = mp_lane_most_records(lane, settings), limit = most;
    size_t bytes = 0;
    int class = -1;
    key_set behind = {{0}};
    *out = (fitting){.kept = 0};
    for (uint32_t i = 0; i < batch->count && out->kept < limit; i++) {
        const mp_entry *entry = mp_batch_entry(batch, i);
        mp_route *route = mp_lane_route_for(lane, entry, now_ms);
        out->old += route == &lane->detour;
        if (!mp_route_is_open(route, now_ms) ||
            (lane->endpoint->ordered && has_key(&behind, entry)))
            continue;
        if (is_held_up(lane, batch, entry)) {
            out->held++;
            continue;
        }
        int own = class_of(lane, settings, entry, now_ms);
        if (class < 0)
            class = own;
        if (own != class) {
            add_key(&behind, entry);
            continue;
        }
        if (out->kept > 0 && bytes + mp_entry_bytes(entry) >
                                 mp_lane_most_bytes(lane, route, now_ms)) {
            out->full = true;
            break;
        }
        limit = route->probing ? 1 : most;
        out->route = route;
        out->keep[i] = true;
        out->kept++;
        bytes += mp_entry_bytes(entry);
    }
    out->full |= out->kept == limit;
}

/* What fits of a batch that is in no list; the rest goes to `ready`. NULL:
 * nothing, or memory ran out and the lane backs off. */
static mp_batch *part_off(mp_lane *lane, mp_batch *batch, const fitting *fit,
                          int64_t now_ms) {
    mp_batch *part = fit->kept > 0 ? batch : NULL;
    if (fit->kept > 0 && fit->kept < batch->count) {
        part = mp_batch_split(batch, fit->keep, fit->kept);
        if (!part)
            mp_lane_back_off(lane, now_ms + MP_LANE_NO_MEMORY_MS);
    }
    if (part != batch)
        mp_lane_insert(lane, &lane->ready, batch);
    if (part)
        part->endpoint = fit->route->endpoint;
    return part;
}

/* Takes from a batch in `ready` what may travel in one request. NULL: all of
 * it is held up, it was read from several files of which only some may travel
 * and is on disk again, or memory ran out and the lane backs off. */
static mp_batch *cut(mp_lane *lane, const mp_settings *settings,
                     mp_batch *batch, int64_t now_ms) {
    fitting fit;
    if (batch->is_old && !mp_route_is_open(&lane->detour, now_ms)) {
        mp_lane_move(lane, batch);
        return NULL;
    }
    find_fitting(lane, settings, batch, now_ms, &fit);
    if (fit.kept == 0) {
        batch->is_old = fit.old == batch->count;
        if (fit.held == batch->count)
            batch->held_since = lane->releases;
        return NULL;
    }
    mp_lane_take_out(lane, &lane->ready, batch);
    if (fit.kept < batch->count && mp_lane_is_gathered(batch)) {
        mp_lane_scatter(lane, batch);
        return NULL;
    }
    lane->fresh_next = fit.kept < batch->count && !fit.full;
    return part_off(lane, batch, &fit, now_ms);
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

/* Takes a segment from the queue, and of its records those that may travel in
 * one request: *part; NULL: none. Adds to *looks how many it looked at. False:
 * no segment is due, or memory ran out and the lane backs off. */
static bool load(mp_lane *lane, const mp_settings *settings, int64_t now_ms,
                 mp_batch **part, uint32_t *looks, int64_t *next_ms) {
    fitting fit;
    mp_segment *segment = find_segment(lane, settings, now_ms, next_ms);
    *part = NULL;
    if (!segment || (lane->endpoint->ordered &&
                     mp_lane_is_disk_before(lane, segment->entries[0].seq)))
        return false;
    mp_batch *batch = mp_batch_new(segment);
    if (!batch) {
        mp_lane_back_off(lane, now_ms + MP_LANE_NO_MEMORY_MS);
        return false;
    }
    *looks += batch->count + SEGMENT_LOOKS;
    mp_queue_remove(&lane->queue, segment);
    mp_lane_drop_aged(lane, settings, &batch, now_ms);
    if (!batch)
        return true;
    fit.kept = 0;
    if (!is_backing_off(lane, now_ms)) {
        find_fitting(lane, settings, batch, now_ms, &fit);
        batch->is_old = fit.kept == 0 && fit.old == batch->count;
    }
    *part = part_off(lane, batch, &fit, now_ms);
    return true;
}

/* True if nothing can have changed since all of it was held up. */
static bool is_still_held(const mp_lane *lane, const mp_batch *batch) {
    return batch->held_since == lane->releases;
}

/* What may travel of the first batch in `ready` of which something does, from
 * one sequence number to another. *looks: records that were looked at in vain.
 */
static mp_batch *look(mp_lane *lane, const mp_settings *settings, uint64_t from,
                      uint64_t to, uint32_t *looks, int64_t now_ms) {
    mp_batch *part = NULL;
    for (mp_batch *b = lane->ready, *next;
         b && !part && !is_backing_off(lane, now_ms); b = next) {
        next = b->next;
        uint64_t seq = mp_batch_seq(b);
        if (seq < from || seq >= to || mp_lane_is_exhausted(b) ||
            is_still_held(lane, b))
            continue;
        *looks += b->count;
        lane->looks_on = *looks > LOOKS_MOST && lane->endpoint->ordered;
        lane->look_from = seq;
        if (lane->looks_on)
            break;
        uint64_t last = mp_batch_entry(b, b->count - 1)->seq;
        part = cut(lane, settings, b, now_ms);
        if (part && lane->fresh_next)
            lane->look_from = last + 1;
    }
    return part;
}

/* Of what is held up it looks at some at a time, and the next call looks on:
 * others wait for the lock. Batches of which something stays behind for its
 * order take turns. */
static mp_batch *choose_ready(mp_lane *lane, const mp_settings *settings,
                              int64_t now_ms) {
    uint64_t from = lane->look_from;
    uint32_t looks = 0;
    lane->looks_on = false;
    mp_batch *part = look(lane, settings, from, UINT64_MAX, &looks, now_ms);
    if (!part && from > 0 && !lane->looks_on)
        part = look(lane, settings, 0, from, &looks, now_ms);
    if (!lane->looks_on && !lane->fresh_next)
        lane->look_from = 0;
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
        mp_lane_take_out(lane, &lane->deferred, due);
        mp_lane_insert(lane, &lane->ready, due);
        part = cut(lane, settings, due, now_ms);
    }
    return part;
}

/* From the queue. */
static mp_batch *choose_fresh(mp_lane *lane, const mp_settings *settings,
                              int64_t now_ms, int64_t *next_ms) {
    mp_batch *part = NULL;
    uint32_t looks = 0;
    bool more = true;
    while (!part && more && !is_backing_off(lane, now_ms) &&
           (looks <= LOOKS_MOST || !lane->endpoint->ordered))
        more = load(lane, settings, now_ms, &part, &looks, next_ms);
    lane->looks_on = !part && lane->endpoint->ordered && looks > LOOKS_MOST;
    return part;
}

static mp_batch *choose(mp_lane *lane, const mp_settings *settings,
                        int64_t now_ms, int64_t *next_ms) {
    /* Not to fill memory in an outage. */
    bool may_read = mp_route_is_open(&lane->own, now_ms);
    mp_batch *part;
    mp_lane_drop_aged(lane, settings, &lane->deferred, now_ms);
    mp_lane_drop_aged(lane, settings, &lane->ready, now_ms);
    lane->wants_disk = may_read && mp_lane_disk_first(lane);
    if (lane->wants_disk)
        return NULL;
    bool fresh_first = lane->fresh_next;
    lane->fresh_next = lane->looks_on = false;
    part = fresh_first ? choose_fresh(lane, settings, now_ms, next_ms) : NULL;
    if (!part && !lane->looks_on)
        part = choose_ready(lane, settings, now_ms);
    if (!part && !fresh_first && !lane->looks_on)
        part = choose_fresh(lane, settings, now_ms, next_ms);
    if (lane->looks_on)
        return part;
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
    mp_lane_link(&lane->sent, batch);
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

static void move_deferred(mp_lane *lane) {
    for (mp_batch *b = lane->moves ? lane->deferred : NULL; b; b = b->next)
        mp_lane_move(lane, b);
    lane->moves = false;
}

mp_batch *mp_lane_next(mp_lane *lane, const mp_settings *settings,
                       int64_t now_ms, uint32_t slots, int64_t *next_ms) {
    mp_batch *batch = NULL;
    int64_t later_ms;
    *next_ms = INT64_MAX;
    lane->wants_disk = lane->looks_on = false;
    mp_lane_bring_back(lane, now_ms, &later_ms);
    move_deferred(lane);
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
    if (lane->looks_on) {
        *next_ms = now_ms + 1;
    } else if (!mp_lane_empty(lane)) {
        *next_ms = mp_clock_earlier(*next_ms, opens_ms(lane, now_ms));
        *next_ms = mp_clock_earlier(*next_ms, later_ms);
        if (is_queue_empty(&lane->queue) && *next_ms != INT64_MAX &&
            !lane->wants_disk)
            lane->blocked_ms = *next_ms;
    }
    return NULL;
}
