#include "core/os/random.h"
#include "failing.h"
#include "lane_servers.h"

/* ---- at random ---- */

static mp_rng dice;

static bool chance(double p) {
    return mp_rng_unit(&dice) < p;
}

static word says_anything(rig *r, const mp_batch *batch) {
    static const word *const words[] = {
        &reply_no,  &reply_bad, &reply_large, &reply_what, &reply_401,
        &reply_403, &reply_404, &reply_405,   &reply_429,  &reply_503,
        &reply_503, &reply_503, &reply_lost,  &reply_lost, &reply_nothing};
    size_t n = sizeof words / sizeof *words;
    bool import = batch->endpoint == &mp_endpoints[MP_LANE_IMPORT];
    if (chance(0.01))
        return reply_gone;
    if (import && chance(0.3))
        return reply_partly;
    if (poisons_in(r, batch) && chance(0.9))
        return r->book[mp_batch_seq(batch)].bytes % 2 ? reply_no : reply_503;
    if (chance(0.5))
        return reply_ok;
    word reply = *words[(size_t)(mp_rng_unit(&dice) * (double)n)];
    if (reply.result == MP_RESULT_BUSY && chance(0.3))
        reply.retry_after_ms = (int64_t)(mp_rng_unit(&dice) * 100000);
    return reply;
}

static void add_anything(rig *r, uint32_t n) {
    for (; n > 0 && r->seqs < 1500; n--) {
        mp_kind kind = MP_PLAIN;
        bool event = !mp_endpoints[r->id].profiles;
        if (chance(0.2) && event)
            kind = MP_IDENTITY;
        else if (chance(0.2) && r->id == MP_LANE_PEOPLE)
            kind = MP_NON_IDEMPOTENT;
        int64_t age_ms = (int64_t)(mp_rng_unit(&dice) * 7 * DAY_MS);
        rig_put(r, kind, (uint32_t)(mp_rng_unit(&dice) * 6),
                event ? r->wall_ms - age_ms : 0,
                (size_t)(mp_rng_unit(&dice) * (chance(0.02) ? 300000 : 300)));
        r->book[r->seqs].poison = chance(0.01);
    }
}

/* A long life of a lane; from time to time some changes its settings. */
static void live(mp_lane_id id) {
    rig *r = chance(0.5) ? rig_open(id) : rig_open_custom(id);
    mp_batch *under_way[4];
    uint32_t n = 0;
    for (int step = 0; step < 1200; step++) {
        if (chance(0.1))
            add_anything(r, (uint32_t)(mp_rng_unit(&dice) * 60));
        if (chance(0.02))
            mp_lane_flush_up_to(
                r->lane, (uint64_t)(mp_rng_unit(&dice) * (double)r->seqs));
        if (chance(0.002))
            rig_drop_oldest(r);
        if (chance(0.01))
            r->settings->report_ambiguous = chance(0.3);
        if (chance(0.01))
            r->settings->max_batch_size =
                (uint32_t)(mp_rng_unit(&dice) * 100) + 1;
        mp_batch *batch = n < 4 ? rig_next_of(r, 4 - n) : NULL;
        if (batch) {
            under_way[n++] = batch;
        } else if (n > 0 && chance(0.7)) {
            uint32_t at = (uint32_t)(mp_rng_unit(&dice) * n);
            batch = under_way[at];
            under_way[at] = under_way[--n];
            rig_say(r, batch, says_anything(r, batch));
        } else {
            int64_t ms = (int64_t)(mp_rng_unit(&dice) * 20000);
            r->now_ms += ms;
            r->wall_ms += ms;
        }
    }
    while (n > 0)
        rig_say(r, under_way[--n], reply_ok);
    rig_finish(r);
}

CASE(any_life_ends_every_record_once) {
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : mp_random_bits();
    printf("lane_life_spec seed %llu\n", (unsigned long long)seed);
    dice.state = seed;
    for (int life = 0; life < 4 * MP_LANES && !unit_bad; life++)
        live((mp_lane_id)(life % MP_LANES));
}

/* ---- without memory ---- */

static word takes_little(rig *r, const mp_batch *batch) {
    return bytes_of(r, batch) > 4500 ? reply_large : refuses_poison(r, batch);
}

/* All ways a batch is cut, parted and joined; true if the failure came. */
static bool act_without(uint32_t nth, mp_lane_id id) {
    rig *r = rig_open(id);
    r->settings->max_batch_size = 40;
    mp_kind other = id == MP_LANE_PEOPLE   ? MP_NON_IDEMPOTENT
                    : id == MP_LANE_GROUPS ? MP_PLAIN
                                           : MP_IDENTITY;
    for (uint32_t i = 0; i < 100; i++) {
        mp_kind kind = i / 8 % 2 ? other : MP_PLAIN;
        rig_put(r, kind, i % 5, i % 2 ? RIG_WALL_MS : 1,
                i % 40 < 15 ? 250 : 50);
        r->book[r->seqs].poison = i % 7 == 3 || i >= 60;
    }
    mp_lane_flush_up_to(r->lane, r->seqs);
    failing_arm(FAILING_OWN, (long)nth, 1);
    CHECK(rig_run(r, takes_little, 1000));
    bool came = failing_disarm();
    for (uint64_t t = 1; t <= r->seqs; t++)
        CHECK(r->book[t].poison || id == MP_LANE_PEOPLE ||
              r->book[t].fate ==
                  (id == MP_LANE_COLLECTED && is_aged(r, &r->book[t])
                       ? EXPIRED
                       : DELIVERED));
    rig_finish(r);
    return came;
}

CASE(no_record_is_lost_when_memory_is) {
    for (int id = 0; id < MP_LANES; id++) {
        uint32_t nth = 1;
        while (nth < 1000 && act_without(nth, (mp_lane_id)id))
            nth++;
        CHECK(nth > 10 && nth < 1000);
    }
}

int main(void) {
    RUN(any_life_ends_every_record_once);
    RUN(no_record_is_lost_when_memory_is);
    return unit_result();
}
