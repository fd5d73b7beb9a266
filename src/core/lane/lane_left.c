/* Records of a lane that have no outcome yet: how many, and since when. */
#include "core/lane/lane_state.h"

#include "core/os/clock.h"

/* Sequence numbers rise within a batch and within a segment, so mostly their
 * ends say it all: a flush asks this after every reply, with the lock held. */

static uint64_t left_in_batches(const mp_batch *batch, uint64_t seq) {
    uint64_t left = 0;
    for (; batch; batch = batch->next) {
        uint32_t n = batch->count;
        while (n > 0 && mp_batch_entry(batch, n - 1)->seq > seq)
            n = mp_batch_seq(batch) > seq ? 0 : n - 1;
        left += n;
    }
    return left;
}

static uint64_t left_in_segments(const mp_segment *segment, uint64_t seq) {
    uint64_t left = 0;
    for (; segment; segment = segment->next) {
        uint32_t n = segment->count;
        while (n > 0 && segment->entries[n - 1].seq > seq)
            n = segment->entries[0].seq > seq ? 0 : n - 1;
        left += n;
    }
    return left;
}

/* The sequence numbers between the first and the last of a batch on disk are
 * not known: at most so many. */
static uint64_t left_of_file(const mp_batch_file *file, uint64_t seq) {
    if (file->first > seq)
        return 0;
    uint64_t most = seq - file->first + 1;
    return file->last > seq && most < file->count ? most : file->count;
}

static uint64_t left_on_disk(const mp_lane *lane, uint64_t seq) {
    uint64_t left = mp_tree_weight(&lane->files, seq);
    const mp_batch_file *last =
        MP_TREE_THING(mp_tree_last(&lane->files, seq), mp_batch_file, order);
    if (last)
        left -= last->count - left_of_file(last, seq);
    for (const mp_node *node = mp_tree_first(&lane->later); node;
         node = mp_tree_next(node))
        left += left_of_file(MP_TREE_THING(node, mp_batch_file, order), seq);
    for (const mp_batch_file *file = lane->reading; file; file = file->next)
        left += left_of_file(file, seq);
    return left;
}

uint64_t mp_lane_left(const mp_lane *lane, uint64_t seq) {
    return left_on_disk(lane, seq) + left_in_segments(lane->writing, seq) +
           left_in_batches(lane->ready, seq) +
           left_in_batches(lane->deferred, seq) +
           left_in_batches(lane->sent, seq) +
           left_in_segments(lane->queue.sealed, seq) +
           left_in_segments(lane->queue.open, seq);
}

static int64_t oldest_batch(const mp_batch *batch) {
    int64_t oldest = INT64_MAX;
    for (; batch; batch = batch->next)
        oldest = mp_clock_earlier(oldest, batch->segment->born_ms);
    return oldest;
}

static int64_t oldest_read(const mp_batch_file *file) {
    int64_t oldest = INT64_MAX;
    for (; file; file = file->next)
        oldest = mp_clock_earlier(oldest, file->last_ms);
    return oldest;
}

int64_t mp_lane_oldest(const mp_lane *lane) {
    const mp_segment *open = lane->queue.open;
    const mp_batch_file *file = mp_lane_oldest_file(lane);
    int64_t candidates[] = {
        oldest_batch(lane->ready),
        oldest_batch(lane->deferred),
        oldest_batch(lane->sent),
        lane->queue.sealed ? lane->queue.sealed->born_ms : INT64_MAX,
        open && open->count > 0 ? open->born_ms : INT64_MAX,
        file ? file->last_ms : INT64_MAX,
        oldest_read(lane->reading),
        lane->writing ? lane->writing->born_ms : INT64_MAX,
    };
    int64_t oldest = INT64_MAX;
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++)
        oldest = mp_clock_earlier(oldest, candidates[i]);
    return oldest;
}
