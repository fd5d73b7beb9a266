/* Batches on disk in numbers: what a lane does with one of them costs hardly
 * more when there are many. */
#include "core/lane/lane.h"
#include "unit.h"

#include <stdlib.h>
#include <time.h>

static mp_stats stats;

static double cpu_s(void) {
    return (double)clock() / CLOCKS_PER_SEC;
}

static mp_batch_file *make(uint64_t first, int64_t last_ms) {
    mp_batch_file *file = calloc(1, sizeof *file);
    file->lane = MP_LANE_PEOPLE;
    file->count = 10;
    file->bytes = 4096;
    file->first = first;
    file->last = first + 9;
    file->last_ms = last_ms;
    return file;
}

/* What a process of its own put on disk, then what others left, then all of it
 * is evicted. */
static double live(int n) {
    const uint64_t base = UINT64_C(1) << 40;
    mp_lane *lane = mp_lane_new(MP_LANE_PEOPLE, &stats, MP_HOST_MIXPANEL, 1);
    double start = cpu_s();
    mp_lane_add_file(lane, make(base + 1, n));
    for (int i = 0; i < n; i++)
        mp_lane_adopt(lane, make(0, (i * 7919) % n - n / 2));
    CHECK(mp_lane_left(lane, UINT64_MAX) == 10 * ((uint64_t)n + 1));
    CHECK(mp_lane_left(lane, 25) == 25);
    CHECK(mp_lane_left(lane, base + 1) == 10 * (uint64_t)n + 1);
    CHECK(mp_lane_oldest(lane) == -n / 2);
    int64_t last_ms = INT64_MIN;
    mp_batch_file *file;
    while ((file = mp_lane_oldest_file(lane))) {
        CHECK(file->last_ms >= last_ms);
        last_ms = file->last_ms;
        mp_lane_evict(lane, file);
        free(file);
    }
    double took = cpu_s() - start;
    CHECK(mp_lane_empty(lane));
    CHECK(stats.spooled == 0 && stats.spooled_bytes == 0);
    mp_lane_free(lane);
    return took;
}

CASE(ten_times_as_many_cost_hardly_more_each) {
    double least = 1e9;
    for (int i = 0; i < 3; i++) {
        double few = live(3000), many = live(30000);
        if (many / few < least)
            least = many / few;
    }
    CHECK(least < 30); /* a walk for each of them: 100 */
}

int main(void) {
    RUN(ten_times_as_many_cost_hardly_more_each);
    return unit_result();
}
