/* How much may be sent in a minute: each window of runs on virtual time. */
#include "core/os/rng.h"
#include "core/project/budget.h"
#include "core/record/segment.h"
#include "window_helper.h"

static mp_rng dice;
static history records, bytes;

static void begin(uint64_t seed) {
    dice.state = seed;
    records.count = bytes.count = 0;
}

static uint32_t draw(uint32_t below) {
    return (uint32_t)(mp_rng_unit(&dice) * below);
}

static double smaller(double a, double b) {
    return a < b ? a : b;
}

/* A request of the largest size, or of any. */
static void take(mp_budget *budget, int64_t now_ms, bool largest) {
    double most = smaller(mp_budget_most_records(budget), MP_SEGMENT_RECORDS);
    double wide =
        smaller((double)mp_budget_most_bytes(budget), (double)MP_SEGMENT_BYTES);
    uint32_t n = largest ? (uint32_t)most : 1 + draw((uint32_t)most);
    size_t size = largest ? (size_t)wide : 1 + draw((uint32_t)wide);
    mp_budget_take(budget, n, size);
    note(&records, now_ms, n);
    note(&bytes, now_ms, (double)size);
}

/* Takes as soon as that may be, until then; now and then somebody is late, and
 * some of what was taken is given back. */
static void run(mp_budget *budget, int64_t from_ms, int64_t to_ms, bool eager) {
    for (int64_t now_ms = from_ms; now_ms < to_ms;) {
        int64_t at_ms = mp_budget_opens(budget, now_ms);
        CHECK(at_ms >= now_ms);
        CHECK(at_ms <= now_ms + MINUTE_MS);
        if (at_ms > now_ms && at_ms < to_ms) {
            CHECK(mp_budget_opens(budget, at_ms - 1) == at_ms);
            CHECK(mp_budget_opens(budget, at_ms) == at_ms);
        }
        now_ms = at_ms;
        if (!eager && draw(4) == 0)
            now_ms += draw(draw(10) == 0 ? 3 * MINUTE_MS : 2000);
        if (now_ms >= to_ms)
            break;
        mp_budget_opens(budget, now_ms);
        if (!eager && draw(5) == 0) {
            mp_budget_take(budget, 1, 1);
            mp_budget_give_back(budget, 1, 1);
        }
        take(budget, now_ms, eager);
        now_ms += !eager && draw(3) == 0;
    }
}

static const double rates[] = {0.1, 0.11,  0.5,   1,   1.7, 9.99,
                               50,  666.6, 30000, 1e6, 1e9};
static const double byte_rates[] = {65536, 65537.5, 1e5, 1e6, 33e6, 1e9};

enum {
    RATES = sizeof rates / sizeof *rates,
    BYTE_RATES = sizeof byte_rates / sizeof *byte_rates
};

/* So long that there is room for all that is taken. */
static int64_t span_ms(double rate, double most) {
    double ms = TAKEN / 4.0 * most / rate * 1000;
    return (int64_t)smaller(ms, 20.0 * MINUTE_MS);
}

CASE(no_minute_has_more_records) {
    for (int i = 0; i < 2 * RATES; i++) {
        double rate = rates[i / 2];
        mp_budget budget = {.ms = 0};
        begin((uint64_t)i);
        mp_budget_set(&budget, rate, 0, 5);
        CHECK(mp_budget_most_records(&budget) >= 1);
        CHECK(mp_budget_most_bytes(&budget) == SIZE_MAX);
        int64_t ms = span_ms(rate, mp_budget_most_records(&budget));
        run(&budget, 5, ms, i % 2 == 0);
        CHECK(most_in_a_minute(&records, 0) <= 60 * rate);
        CHECK(records.count > 1 || i % 2 == 1);
    }
}

CASE(no_minute_has_more_bytes) {
    for (int i = 0; i < 2 * BYTE_RATES; i++) {
        double rate = byte_rates[i / 2];
        mp_budget budget = {.ms = 0};
        begin((uint64_t)i);
        mp_budget_set(&budget, 0, rate, -7);
        CHECK(mp_budget_most_records(&budget) == UINT32_MAX);
        CHECK(mp_budget_most_bytes(&budget) >= MP_RECORD_MAX + 2);
        int64_t ms = span_ms(rate, (double)mp_budget_most_bytes(&budget));
        run(&budget, -7, ms, i % 2 == 0);
        CHECK(most_in_a_minute(&bytes, -7) <= 60 * rate);
        CHECK(bytes.count > 1 || i % 2 == 1);
    }
}

CASE(both_hold_together) {
    for (int i = 0; i < RATES * BYTE_RATES; i++) {
        double rate = rates[i % RATES], byte_rate = byte_rates[i / RATES];
        mp_budget budget = {.ms = 0};
        begin((uint64_t)i);
        mp_budget_set(&budget, rate, byte_rate, 0);
        run(&budget, 0, MINUTE_MS * 3 / 2, false);
        CHECK(most_in_a_minute(&records, 0) <= 60 * rate);
        CHECK(most_in_a_minute(&bytes, 0) <= 60 * byte_rate);
    }
}

CASE(most_of_it_can_be_used) {
    for (int i = 0; i < RATES; i++) {
        mp_budget budget = {.ms = 0};
        begin(1);
        mp_budget_set(&budget, rates[i], 0, 0);
        int64_t ms = span_ms(rates[i], mp_budget_most_records(&budget));
        run(&budget, 0, ms, true);
        double sent = sum_between(&records, 0, ms);
        double part = rates[i] < 1 ? 0.75 : 0.9;
        if (ms >= 10 * MINUTE_MS)
            CHECK(sent >= part * rates[i] * (double)ms / 1000);
    }
}

/* The second takes the place of the first, which did not spare. */
CASE(one_after_another_keep_it_together) {
    for (int i = 0; i < RATES; i++) {
        for (int64_t after_ms = 0; after_ms <= 3000; after_ms += 1500) {
            mp_budget first = {.ms = 0}, second = {.ms = 0};
            int64_t change_ms = 2 * MINUTE_MS;
            begin((uint64_t)i);
            if (rates[i] > 1e6)
                continue;
            mp_budget_set(&first, rates[i], 0, 0);
            mp_budget_opens(&first,
                            MINUTE_MS + 1); /* the level is at its top */
            run(&first, 2 * MINUTE_MS - 20000, change_ms, true);
            mp_budget_set(&second, rates[i], 0, change_ms + after_ms);
            run(&second, change_ms + after_ms, 3 * MINUTE_MS + 500, true);
            CHECK(most_in_a_minute(&records, 0) <= 60 * rates[i]);
        }
    }
}

CASE(a_new_rate_holds_from_then_on) {
    for (int i = 0; i < RATES - 1; i++) {
        for (int j = 0; j < RATES - 1; j++) {
            mp_budget budget = {.ms = 0};
            double higher = rates[i > j ? i : j];
            int64_t change_ms = MINUTE_MS / 2 + (int64_t)draw(1000);
            begin((uint64_t)(i * RATES + j));
            mp_budget_set(&budget, rates[i], 0, 0);
            run(&budget, 0, change_ms, draw(2));
            mp_budget_set(&budget, rates[j], 0, change_ms);
            run(&budget, change_ms, 2 * MINUTE_MS, true);
            CHECK(most_in_a_minute(&records, change_ms) <= 60 * rates[j]);
            CHECK(most_in_a_minute(&records, 0) <= 60 * higher);
            CHECK(records.count > 0);
        }
    }
}

/* Each leaves the debt of the last as it was. */
CASE(rates_that_change_all_the_time_forgive_nothing) {
    for (int i = 0; i < RATES - 1; i++) {
        for (int j = 0; j < i; j++) {
            mp_budget budget = {.ms = 0};
            begin((uint64_t)(i * RATES + j));
            for (int64_t ms = 0; ms < 3 * MINUTE_MS; ms += 500) {
                mp_budget_set(&budget, rates[ms % 1000 ? j : i], 0, ms);
                run(&budget, ms, ms + 500, true);
            }
            CHECK(most_in_a_minute(&records, 0) <= 60 * rates[i]);
            CHECK(records.count > 0);
        }
    }
}

CASE(where_there_was_none_it_begins_in_debt) {
    mp_budget budget = {.ms = 0};
    mp_budget_set(&budget, 0, 0, 0);
    for (int i = 0; i < 100; i++) {
        CHECK(mp_budget_opens(&budget, i) == i);
        mp_budget_take(&budget, 2000, MP_SEGMENT_BYTES);
    }
    mp_budget_set(&budget, 10, 0, 1000);
    CHECK(mp_budget_opens(&budget, 1000) > 1000 + 3000);
    mp_budget_set(&budget, 10, 1e6, 5000);
    int64_t at_ms = mp_budget_opens(&budget, 5000);
    CHECK(at_ms > 5000 + 1000 && at_ms < 5000 + 1500);
    mp_budget_set(&budget, 0, 0, 5000);
    CHECK(mp_budget_opens(&budget, 5000) == 5000);
    mp_budget_set(&budget, 10, 0, 9000);
    at_ms = mp_budget_opens(&budget, 9000);
    mp_budget_set(&budget, 10, 0, 9000); /* which is no new one */
    CHECK(mp_budget_opens(&budget, 9000) == at_ms);
    CHECK(mp_budget_opens(&budget, at_ms) == at_ms);
    mp_budget_restart(&budget, at_ms);
    CHECK(mp_budget_opens(&budget, at_ms) == at_ms + (at_ms - 9000));
}

CASE(a_clock_may_stand_go_back_and_jump) {
    mp_budget budget = {.ms = 0};
    mp_budget_set(&budget, 10, 0, INT64_C(1) << 40);
    int64_t start_ms = INT64_C(1) << 40;
    int64_t at_ms = mp_budget_opens(&budget, start_ms);
    CHECK(mp_budget_opens(&budget, start_ms - 100000) == at_ms);
    CHECK(mp_budget_opens(&budget, INT64_MIN) == at_ms);
    CHECK(mp_budget_opens(&budget, start_ms) == at_ms);
    CHECK(mp_budget_opens(&budget, INT64_MAX) == INT64_MAX);
    int n = 0; /* after all that time no more than what a second is worth */
    while (mp_budget_opens(&budget, INT64_MAX - 1) == INT64_MAX - 1 &&
           n < 100) {
        mp_budget_take(&budget, 1, 1);
        n++;
    }
    CHECK(n == 11);
}

int main(void) {
    RUN(no_minute_has_more_records);
    RUN(no_minute_has_more_bytes);
    RUN(both_hold_together);
    RUN(most_of_it_can_be_used);
    RUN(one_after_another_keep_it_together);
    RUN(a_new_rate_holds_from_then_on);
    RUN(rates_that_change_all_the_time_forgive_nothing);
    RUN(where_there_was_none_it_begins_in_debt);
    RUN(a_clock_may_stand_go_back_and_jump);
    return unit_result();
}
