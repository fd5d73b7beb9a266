/* Lanes that live through hours of virtual time with hosts that are not well:
 * outages, replies that get lost, 413, 429, replies of others, records that are
 * refused, wall clocks that jump. Each run comes from a seed, the first from 1,
 * so that the same code fares the same each time. SEED=n does that one alone,
 * with RUNS=n so many from there: to look further, take any other. */
#include "lane_servers.h"

enum {
    SECOND = 1000,
    MINUTE = 60 * SECOND,
    HOUR = 60 * MINUTE,
    FLIGHTS = 4,
    PHASES = 4,
    TROUBLE_MS = 2 * HOUR, /* then the host is well */
    LAST_MS = 12 * HOUR,   /* by when all has ended */
    SLOW_MS = 45 * MINUTE, /* by when a slow link has carried what came */
    PROMPT_MS = MINUTE,    /* on a route without trouble: a timeout of the
                            * other's may have all places first */
    LEAST_LATE = 30 * SECOND,
    PATIENCE = 8 /* answers of 5xx, and a record alone is deferred */
};

/* For some time a host says one thing to everything. */
typedef struct phase {
    int64_t from_ms, to_ms;
    const word *reply;
} phase;

/* One way to a host. */
typedef struct road {
    bool well;   /* nothing ever happens on it */
    bool turned; /* the trouble came in the midst of a search */
    bool alone;  /* somebody else spoke: one record at a time */
    phase phases[PHASES + 2];
    uint32_t phase_count;
    bool proven, failed; /* failed: the last reply was no answer, and not the
                          * trouble of a record alone */
    uint32_t in_flight;
    int64_t asked_ms; /* by Retry-After: nothing before */
} road;

typedef struct flight {
    mp_batch *batch;
    road *way;
    int64_t back_ms;
} flight;

typedef struct world {
    rig *r;
    mp_rng dice;
    road own, detour;
    size_t limit, carried; /* bytes that are taken, that get through; 0: all */
    bool only_slow;        /* the link is the only trouble */
    bool refuses_all;      /* for good, for some time */
    word poisoned;         /* what is said to records that it dislikes */
    flight flights[FLIGHTS];
    uint32_t under_way, records;
    int64_t arrival_ms, jump_ms, minute_ms;
    uint32_t minute_requests, minute_ended;
    int64_t born_ms[RIG_RECORDS + 1];
    /* Of a record: the first one of the request that it first was in; of such
     * a first one: requests in a row of which nothing was taken. */
    uint64_t first[RIG_RECORDS + 1];
    uint32_t refused[RIG_RECORDS + 1];
} world;

static uint32_t most_requests; /* in a minute, less those that were of use */

static uint32_t draw(world *w, uint32_t below) {
    return (uint32_t)(mp_rng_unit(&w->dice) * below);
}

static bool chance(world *w, double p) {
    return mp_rng_unit(&w->dice) < p;
}

/* ---- the host ---- */

static void add_phases(world *w, road *way) {
    static const word *const words[] = {
        &reply_503, &reply_lost, &reply_nothing, &reply_cut, &reply_429,
        &reply_405, &reply_what, &reply_401,     &reply_403, &reply_large};
    enum {
        WORDS = sizeof words / sizeof *words
    };
    uint32_t first = draw(w, WORDS), n = way->well ? 0 : draw(w, PHASES + 1);
    for (uint32_t i = 0; i < n; i++) { /* each of them once at the most */
        int64_t from_ms = i == 0 && chance(w, 0.5) ? 0 : draw(w, TROUBLE_MS);
        way->phases[way->phase_count++] =
            (phase){from_ms, from_ms + draw(w, chance(w, 0.5) ? MINUTE : HOUR),
                    words[(first + i * 3) % WORDS]};
    }
}

/* Trouble of its own kind begins while refused records are searched for. */
static void turn(world *w, road *way) {
    if (way->turned || w->only_slow || !chance(w, 0.2))
        return;
    int64_t now_ms = w->r->now_ms;
    bool forbids = chance(w, 0.5);
    for (uint32_t i = 0; i < way->phase_count; i++) /* once at the most */
        forbids &= way->phases[i].reply != &reply_403;
    way->turned = true;
    way->phases[way->phase_count++] = (phase){
        now_ms + 1, now_ms + draw(w, HOUR), forbids ? &reply_403 : &reply_503};
}

static word says(world *w, const mp_batch *batch, road *way) {
    rig *r = w->r;
    if (r->now_ms >= TROUBLE_MS)
        return reply_ok;
    for (uint32_t i = 0; i < way->phase_count; i++) {
        const phase *p = &way->phases[i];
        if (r->now_ms < p->from_ms || r->now_ms >= p->to_ms)
            continue;
        int64_t asks_ms = p->reply == &reply_429 && chance(w, 0.5)
                              ? 1 + draw(w, 2 * HOUR)
                              : 0;
        return checking(*p->reply, asks_ms);
    }
    if (!way->well && w->limit && bytes_of(r, batch) > w->limit)
        return reply_large;
    if (!way->well && w->carried && bytes_of(r, batch) > w->carried)
        return reply_cut;
    if (!poisons_in(r, batch))
        return reply_ok;
    if (batch->count > 2)
        turn(w, way);
    return w->poisoned;
}

/* ---- what is true at each step ---- */

static bool is_no_answer(const word *reply) {
    return reply->status == 0 || reply->status == 429 || reply->status >= 500;
}

/* True if a record alone draws this, for all that one can know. */
static bool is_of_record(const rig *r, const mp_batch *batch,
                         const word *reply) {
    bool patient = reply->status < 500 || batch->server_errors + 1 < PATIENCE;
    return batch->count == 1 && (!patient || poisons_in(r, batch));
}

static uint32_t ended(const rig *r) {
    return (uint32_t)(r->seqs - r->counts[WAITING] - r->counts[TRAVELLING]);
}

/* A minute costs what finds those that end in it, 64 requests for a search that
 * ends without, and what tries whether the host is well. */
static void count_request(world *w) {
    rig *r = w->r;
    if (r->now_ms - w->minute_ms >= MINUTE) {
        w->minute_ms = r->now_ms;
        w->minute_requests = 0;
        w->minute_ended = ended(r);
    }
    uint32_t useful = 2 * (ended(r) - w->minute_ended);
    w->minute_requests++;
    if (w->minute_requests > useful + most_requests)
        most_requests = w->minute_requests - useful;
    CHECK(w->minute_requests <= useful + 2 * 64);
}

static void check_send(world *w, const road *way, const mp_batch *batch) {
    CHECK(w->r->now_ms >= way->asked_ms);
    CHECK(way->in_flight == 0 || (way->proven && !way->failed));
    CHECK(batch->count > 0 && (!way->alone || batch->count == 1));
    for (uint32_t i = 0; i < batch->count; i++)
        if (w->first[mp_batch_entry(batch, i)->seq] == 0)
            w->first[mp_batch_entry(batch, i)->seq] = mp_batch_seq(batch);
    count_request(w);
}

static void check_prompt(const world *w, const flight *back) {
    for (uint32_t i = 0; back->way->well && i < back->batch->count; i++)
        CHECK(w->r->now_ms - w->born_ms[mp_batch_entry(back->batch, i)->seq] <=
              PROMPT_MS);
}

/* A search for the refused records of what once was one request ends after 64
 * of which nothing was taken; what of it goes on may be searched once more. */
static void check_search(world *w, const mp_batch *batch, const word *reply) {
    uint32_t *refused = &w->refused[w->first[mp_batch_seq(batch)]];
    if (reply->result == MP_RESULT_DELIVERED)
        *refused = 0;
    else if (reply->result == MP_RESULT_BAD ||
             reply->result == MP_RESULT_REFUSED)
        *refused += 1;
    CHECK(*refused <= 2 * 64);
}

/* What a link can carry gets through, however much waits. */
static void check_slow(const world *w, const flight *back) {
    if (w->only_slow)
        CHECK(w->r->now_ms - w->born_ms[mp_batch_seq(back->batch)] <= SLOW_MS);
}

/* Whatever a host says for a while, nobody is punished for others. */
static void check_blame(const world *w) {
    const rig *r = w->r;
    if (w->refuses_all)
        return;
    for (uint64_t t = 1; t <= r->seqs; t++) {
        const page *p = &r->book[t];
        bool uncertain =
            p->kind == MP_NON_IDEMPOTENT && r->settings->report_ambiguous;
        CHECK(p->fate != REJECTED || p->poison || uncertain ||
              (w->limit && p->bytes > w->limit));
        CHECK(p->fate != EXPIRED || r->id == MP_LANE_COLLECTED);
    }
}

/* ---- what happens ---- */

static void send_all(world *w) {
    rig *r = w->r;
    mp_batch *batch;
    r->next_ms = INT64_MAX;
    while (w->under_way < FLIGHTS && !unit_bad &&
           (batch = rig_next_of(r, FLIGHTS - w->under_way))) {
        road *way = is_detour(r, batch) ? &w->detour : &w->own;
        check_send(w, way, batch);
        way->in_flight++;
        w->flights[w->under_way++] = (flight){
            batch, way, r->now_ms + 5 + draw(w, way->well ? 200 : 3000)};
        r->next_ms = INT64_MAX;
    }
}

static void come_back(world *w, uint32_t at) {
    rig *r = w->r;
    flight *back = &w->flights[at];
    word reply = says(w, back->batch, back->way);
    road *way = back->way;
    if (reply.result == MP_RESULT_LOST &&
        back->batch->sent_ms + LEAST_LATE > r->now_ms) { /* a timeout */
        back->back_ms = back->batch->sent_ms + LEAST_LATE;
        return;
    }
    way->in_flight--;
    way->failed = is_no_answer(&reply) && !is_of_record(r, back->batch, &reply);
    if (reply.result == MP_RESULT_DELIVERED || reply.result == MP_RESULT_BAD ||
        reply.result == MP_RESULT_REFUSED || reply.result == MP_RESULT_PARTLY)
        way->alone = false;
    else if (!way->proven && (reply.result == MP_RESULT_FOREIGN ||
                              reply.result == MP_RESULT_UNREADABLE))
        way->alone = true;
    way->proven |= reply.status > 0 && reply.result != MP_RESULT_UNREADABLE &&
                   reply.result != MP_RESULT_FOREIGN;
    int64_t asked_ms =
        reply.retry_after_ms > HOUR ? HOUR : reply.retry_after_ms;
    if (asked_ms > 0 && r->now_ms + asked_ms > way->asked_ms)
        way->asked_ms = r->now_ms + asked_ms;
    check_prompt(w, back);
    check_slow(w, back);
    check_search(w, back->batch, &reply);
    mp_batch *batch = back->batch;
    *back = w->flights[--w->under_way];
    rig_say(r, batch, reply);
}

static void arrive(world *w) {
    rig *r = w->r;
    bool event = !mp_endpoints[r->id].profiles;
    uint32_t most = w->refuses_all && r->seqs == 0 ? 600 : 80;
    for (uint32_t n = 1 + draw(w, most == 600 || chance(w, 0.1) ? most : 8);
         n > 0 && r->seqs < w->records; n--) {
        mp_kind kind = MP_PLAIN;
        bool old = event && chance(w, 0.3);
        if (event && !old && chance(w, 0.2))
            kind = MP_IDENTITY;
        else if (r->id == MP_LANE_PEOPLE && chance(w, 0.3))
            kind = MP_NON_IDEMPOTENT;
        int64_t age_ms = (old ? 6 * (int64_t)DAY_MS : 0) + draw(w, HOUR);
        rig_put(r, kind, draw(w, 6), event ? r->wall_ms - age_ms : 0,
                20 + draw(w, chance(w, 0.05) ? 5000 : 300));
        bool well = old ? w->detour.well : w->own.well;
        r->book[r->seqs].poison = !well && chance(w, 0.02);
        w->born_ms[r->seqs] = r->now_ms;
    }
    w->arrival_ms =
        r->seqs < w->records ? r->now_ms + draw(w, 6 * MINUTE) : INT64_MAX;
}

/* The wall clock is set; what waits is no older for it. */
static void jump(world *w) {
    w->r->wall_ms += (int64_t)(14.0 * DAY_MS * (mp_rng_unit(&w->dice) - 0.5));
    w->jump_ms += 1 + draw(w, 2 * HOUR);
}

static int64_t next_event(const world *w) {
    int64_t at_ms = w->r->next_ms;
    for (uint32_t i = 0; i < w->under_way; i++)
        if (w->flights[i].back_ms < at_ms)
            at_ms = w->flights[i].back_ms;
    if (w->arrival_ms < at_ms)
        at_ms = w->arrival_ms;
    return at_ms;
}

static void pass_time(world *w, int64_t to_ms) {
    rig *r = w->r;
    r->wall_ms += to_ms - r->now_ms;
    r->now_ms = to_ms;
    while (w->jump_ms <= to_ms)
        jump(w);
    for (uint32_t i = 0; i < w->under_way && !unit_bad;)
        if (w->flights[i].back_ms <= to_ms)
            come_back(w, i);
        else
            i++;
    if (w->arrival_ms <= to_ms)
        arrive(w);
}

/* ---- a run ---- */

static void create(world *w, uint64_t seed) {
    static const word *const refusals[] = {&reply_no, &reply_bad, &reply_503,
                                           &reply_partly};
    w->dice.state = seed;
    mp_lane_id id = (mp_lane_id)draw(w, MP_LANES);
    w->r = chance(w, 0.5) ? rig_open(id) : rig_open_custom(id);
    w->r->settings->report_ambiguous = chance(w, 0.5);
    w->r->settings->max_batch_size = 5 + draw(w, chance(w, 0.5) ? 20 : 300);
    w->records = 20 + draw(w, 120);
    w->refuses_all = chance(w, 0.05);
    if (id == MP_LANE_EVENTS && chance(w, 0.6))
        *(chance(w, 0.5) ? &w->own.well : &w->detour.well) = true;
    if (w->refuses_all) { /* a search without an end has the route pause */
        w->own.well = false;
        w->records += 600;
        w->r->settings->max_batch_size = 600;
        w->own.phases[w->own.phase_count++] = (phase){0, HOUR, &reply_bad};
    } else {
        add_phases(w, &w->own);
    }
    add_phases(w, &w->detour);
    if (chance(w, 0.2)) {
        w->limit = 500 + draw(w, 4000);
    } else if (chance(w, 0.2)) {
        w->carried = 5100 + draw(w, 500);
        w->only_slow = !w->refuses_all && chance(w, 0.5);
        if (w->only_slow)
            w->own.phase_count = w->detour.phase_count = 0;
    }
    w->poisoned = *refusals[draw(w, id == MP_LANE_IMPORT ? 4 : 3)];
    if (w->only_slow)
        w->poisoned = reply_no;
    w->jump_ms = draw(w, 2 * HOUR);
}

static void simulate(uint64_t seed) {
    static world w;
    w = (world){.r = NULL};
    create(&w, seed);
    while (!unit_bad) {
        send_all(&w);
        int64_t at_ms = next_event(&w);
        if (mp_lane_empty(w.r->lane) && w.arrival_ms == INT64_MAX)
            break;
        CHECK(at_ms < INT64_MAX && at_ms <= LAST_MS);
        if (!unit_bad)
            pass_time(&w, at_ms);
    }
    check_blame(&w);
    while (w.under_way > 0)
        rig_say(w.r, w.flights[--w.under_way].batch, reply_ok);
    rig_close(w.r);
}

CASE(every_run_keeps_what_delivery_promises) {
    const char *given = getenv("SEED"), *number = getenv("RUNS");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
    unsigned long runs =
        number ? strtoul(number, NULL, 10) : (given ? 1 : 10000);
    for (unsigned long i = 0; i < runs && !unit_bad; i++) {
        simulate(seed + i);
        if (unit_bad)
            printf("lane_simulation_spec: again with SEED=%llu\n",
                   (unsigned long long)(seed + i));
    }
    if (getenv("SHOW"))
        printf("%u requests in a minute, beside the useful\n", most_requests);
}

int main(void) {
    RUN(every_run_keeps_what_delivery_promises);
    return unit_result();
}
