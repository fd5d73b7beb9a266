/* Many ids on a lane: what a step costs does not grow with them. */
#include "core/lane/lane.h"
#include "unit.h"

#include <stdlib.h>
#include <time.h>

static mp_stats stats;
static mp_settings *settings;

static double cpu_s(void) {
    return (double)clock() / CLOCKS_PER_SEC;
}

/* What each call of `add` took in the fastest of several rounds: one that the
 * machine delayed was not slow for what it does. NULL: not asked. */
static double *fastest_s;
static size_t adds; /* in this round */

static void note(double took_s) {
    if (fastest_s && (fastest_s[adds] == 0 || took_s < fastest_s[adds]))
        fastest_s[adds] = took_s;
    adds++;
}

static void add(mp_lane *lane, uint64_t seq, uint64_t key, int64_t now_ms) {
    static const char json[100] = "{}";
    double start_s = fastest_s ? cpu_s() : 0;
    mp_record record = {.head = json,
                        .head_len = 20,
                        .ordering_key = key * UINT64_C(0x9e3779b97f4a7c15)};
    if (mp_lane_missing(lane, settings, &record, 1))
        mp_lane_give(lane, mp_segment_new());
    mp_lane_add(lane, settings, &record, seq, now_ms);
    if (fastest_s)
        note(cpu_s() - start_s);
}

static void sweep(mp_lane *lane) {
    for (mp_segment *s = mp_lane_garbage(lane), *next; s; s = next) {
        next = s->next;
        mp_segment_free(s);
    }
}

typedef struct life {
    mp_lane *lane;
    int64_t now_ms;
    double most_s; /* of one request */
} life;

/* The next request, NULL: none is left. */
static mp_batch *next(life *l) {
    mp_batch *batch = NULL;
    while (!batch && !mp_lane_empty(l->lane)) {
        int64_t next_ms;
        double start = cpu_s();
        batch = mp_lane_next(l->lane, settings, l->now_ms, 1, &next_ms);
        double took = cpu_s() - start;
        if (took > l->most_s)
            l->most_s = took;
        if (!batch)
            l->now_ms = next_ms;
    }
    if (batch)
        mp_lane_fits(l->lane, batch, 20 * batch->count, l->now_ms);
    return batch;
}

static void say(life *l, mp_batch *batch, mp_result result, int status) {
    mp_response response = {.result = result, .status = status};
    mp_lane_handle_reply(l->lane, settings, batch, &response, 0, l->now_ms);
    sweep(l->lane);
}

/* `n` ids behind a host that forbids everything: a record after the other is
 * tried, and deferred with what came with it, until a tenth of all are. Then
 * the host takes all of them, and one more update of each; further ones, of
 * every tenth, come meanwhile. */
static double live(uint64_t n, double *most_s) {
    life l = {.lane = mp_lane_new(MP_LANE_PEOPLE, &stats, MP_HOST_MIXPANEL, 1)};
    uint64_t seq = 0;
    double start = cpu_s();
    for (int pass = 0; pass < 2; pass++)
        for (uint64_t i = 0; i < n; i++)
            add(l.lane, ++seq, i, 0);
    mp_lane_flush_up_to(l.lane, seq);
    for (uint64_t i = 0; i < n / 20000; i++)
        say(&l, next(&l), MP_RESULT_FORBIDDEN, 403);
    uint64_t more = n / 10;
    for (uint64_t i = 0; i < more; i++)
        add(l.lane, ++seq, 10 * i, l.now_ms);
    for (mp_batch *batch; (batch = next(&l));)
        say(&l, batch, MP_RESULT_DELIVERED, 200);
    CHECK(stats.delivered == 2 * n + more);
    stats = (mp_stats){.delivered = 0};
    mp_lane_free(l.lane);
    *most_s = l.most_s;
    return cpu_s() - start;
}

CASE(ten_times_as_many_ids_cost_hardly_more_each) {
    double least = 1e9, most_s;
    for (int i = 0; i < 3 && least > 20; i++) {
        double few = live(20000, &most_s), many = live(200000, &most_s);
        if (getenv("SHOW"))
            printf("%.3f s, ten times as many %.3f s, the longest step %.2f "
                   "ms\n",
                   few, many, most_s * 1000);
        if (many / few < least)
            least = many / few;
    }
    CHECK(least < 20); /* a walk for each of them: 100 */
}

CASE(a_million_ids_are_delivered) {
    if (!getenv("SHOW"))
        return;
    enum {
        MANY = 1000000
    };
    double most_s, took_s, slowest_s = 0;
    fastest_s = calloc(3 * MANY, sizeof *fastest_s);
    for (int round = 0; round < 3; round++) {
        adds = 0;
        took_s = live(MANY, &most_s);
    }
    for (size_t i = 0; i < adds; i++)
        if (fastest_s[i] > slowest_s)
            slowest_s = fastest_s[i];
    printf("a million: %.3f s, the longest step %.2f ms, the slowest of %zu "
           "calls that add %.3f ms\n",
           took_s, most_s * 1000, adds, slowest_s * 1000);
    free(fastest_s);
    fastest_s = NULL;
}

int main(void) {
    settings = mp_settings_new(MP_IN_MEMORY);
    RUN(ten_times_as_many_ids_cost_hardly_more_each);
    RUN(a_million_ids_are_delivered);
    mp_settings_release(settings);
    return unit_result();
}
