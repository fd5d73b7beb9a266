/* Batches whose memory goes, since their files can bring them back: where
 * memory is short, and where what was read together must travel apart. */
#include "core/lane/lane_state.h"

/* True if its files could bring it back. What once was said of a single batch
 * must not be said again, nor its own pause forgotten. */
static bool is_whole(const mp_batch *batch) {
    const mp_batch_file *files = batch->segment->place.sealed;
    return files && batch->segment->refs == 1 && !batch->bisection &&
           batch->count == mp_lane_count_files(files) &&
           !batch->reported_deferred;
}

bool mp_lane_is_gathered(const mp_batch *batch) {
    const mp_batch_file *files = batch->segment->place.sealed;
    return files && files->next && is_whole(batch);
}

/* The last of a list. */
static mp_batch *find_whole(mp_batch *list) {
    mp_batch *last = NULL;
    for (mp_batch *b = list; b; b = b->next)
        if (is_whole(b))
            last = b;
    return last;
}

/* Adds up those parts of a segment that its file could bring back. */
static void count_parts(const mp_batch *list, const mp_segment *segment,
                        uint32_t *parts, uint32_t *records) {
    for (; list; list = list->next) {
        if (list->segment != segment || list->bisection ||
            list->reported_deferred)
            continue;
        *parts += 1;
        *records += list->count;
    }
}

static bool waits_in_parts(const mp_lane *lane, const mp_segment *segment) {
    uint32_t parts = 0, records = 0;
    count_parts(lane->ready, segment, &parts, &records);
    count_parts(lane->deferred, segment, &parts, &records);
    return segment->place.sealed && parts > 1 && parts == segment->refs &&
           records == segment->count;
}

/* Joins to *whole all parts of its segment that are in the list. False: out of
 * memory. */
static bool join_parts(mp_lane *lane, mp_batch **list, mp_batch **whole) {
    for (mp_batch *b = *list, *next; b; b = next) {
        next = b->next;
        if (b->segment != (*whole)->segment)
            continue;
        mp_lane_take_out(lane, list, b);
        if (!mp_batch_join(whole, b)) {
            mp_lane_insert(lane, list, b);
            return false;
        }
    }
    return true;
}

/* Makes one batch of the parts into which probes cut a segment, so that its
 * file can stand for it. */
static void join_one(mp_lane *lane) {
    mp_batch *b = lane->deferred;
    while (b && !waits_in_parts(lane, b->segment))
        b = b->next;
    if (!b)
        return;
    mp_lane_take_out(lane, &lane->deferred, b);
    if (join_parts(lane, &lane->ready, &b))
        join_parts(lane, &lane->deferred, &b);
    mp_lane_insert(lane, &lane->deferred, b);
}

/* The files of a whole batch, which is queued and in no list, stand for it. */
static void put_on_disk(mp_lane *lane, mp_batch *batch, bool alone) {
    mp_batch_file *files = batch->segment->place.sealed;
    batch->segment->place.sealed = NULL;
    lane->stats->queued -= batch->count;
    for (mp_batch_file *file = files; file; file = file->next) {
        /* Or what always draws a 5xx would never be halved. */
        file->sends = batch->sends;
        file->server_errors = batch->server_errors;
        file->alone |= alone;
        mp_lane_add_file(lane, file);
    }
    mp_lane_retire(lane, mp_batch_free(batch));
}

void mp_lane_scatter(mp_lane *lane, mp_batch *batch) {
    put_on_disk(lane, batch, true);
}

bool mp_lane_unload(mp_lane *lane) {
    mp_batch *last = find_whole(lane->ready);
    mp_batch **list = last ? &lane->ready : &lane->deferred;
    if (!last)
        last = find_whole(lane->deferred);
    if (!last) {
        join_one(lane);
        last = find_whole(lane->deferred);
    }
    if (!last)
        return false;
    mp_lane_take_out(lane, list, last);
    put_on_disk(lane, last, last->sends > 0);
    return true;
}
