#include "core/os/random.h"
#include "core/os/rng.h"
#include "unit.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

typedef char id[MP_INSERT_ID];

enum {
    HALF = MP_INSERT_ID / 2
};

static int by_bytes(const void *a, const void *b) {
    return memcmp(a, b, MP_INSERT_ID);
}

static bool all_hex(const id *ids, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < MP_INSERT_ID; k++)
            if (!memchr("0123456789abcdef", ids[i][k], 16))
                return false;
    return true;
}

static bool all_differ(id *ids, size_t n) {
    qsort(ids, n, sizeof *ids, by_bytes);
    for (size_t i = 1; i < n; i++)
        if (by_bytes(ids[i - 1], ids[i]) == 0)
            return false;
    return true;
}

/* Must run first: nobody has called mp_insert_id_reseed yet. */
CASE(id_before_any_reseed) {
    id ids[1];
    mp_insert_id(ids[0]);
    CHECK(all_hex((const id *)ids, 1));
}

CASE(ids_are_unique) {
    enum {
        N = 1000000
    };
    id *ids = malloc(N * sizeof *ids);
    for (size_t i = 0; i < N; i++)
        mp_insert_id(ids[i]);
    CHECK(all_hex((const id *)ids, N));
    CHECK(memcmp(ids[0], ids[N - 1], HALF) == 0);
    CHECK(all_differ(ids, N));
    free(ids);
}

enum {
    THREADS = 4,
    PER_THREAD = 100000
};

static void *mint(void *ids) {
    for (size_t i = 0; i < PER_THREAD; i++)
        mp_insert_id(((id *)ids)[i]);
    return NULL;
}

CASE(ids_of_threads_are_unique) {
    id *ids = malloc(THREADS * PER_THREAD * sizeof *ids);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, mint, ids + i * PER_THREAD));
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK(all_differ(ids, THREADS * PER_THREAD));
    free(ids);
}

CASE(reseed_changes_the_prefix) {
    id before[1], after[1];
    mp_insert_id(before[0]);
    mp_insert_id_reseed();
    mp_insert_id(after[0]);
    CHECK(memcmp(before[0], after[0], HALF) != 0);
    CHECK(all_hex((const id *)after, 1));
    CHECK(memcmp(before[0] + HALF, after[0] + HALF, HALF) < 0);
}

CASE(seeds_differ) {
    uint64_t a = mp_random_bits(), b = mp_random_bits(), c = mp_random_bits();
    CHECK(a != b && b != c && a != c);
}

CASE(unit_is_in_range_and_even) {
    mp_rng rng = {mp_random_bits()};
    int tenths[10] = {0};
    for (int i = 0; i < 1000000; i++) {
        double unit = mp_rng_unit(&rng);
        CHECK(unit >= 0 && unit < 1);
        tenths[(int)(unit * 10) % 10]++;
    }
    for (int i = 0; i < 10; i++) /* 7 standard deviations are 2100 */
        CHECK(tenths[i] > 97900 && tenths[i] < 102100);
}

CASE(equal_seeds_give_equal_sequences) {
    mp_rng a = {42}, b = {42}, c = {43};
    bool same = true, other = false;
    for (int i = 0; i < 100; i++) {
        double unit = mp_rng_unit(&a);
        same = same && mp_rng_unit(&b) == unit;
        other = other || mp_rng_unit(&c) != unit;
    }
    CHECK(same && other);
}

int main(void) {
    RUN(id_before_any_reseed);
    RUN(ids_are_unique);
    RUN(reseed_changes_the_prefix);
    RUN(ids_of_threads_are_unique);
    RUN(seeds_differ);
    RUN(unit_is_in_range_and_even);
    RUN(equal_seeds_give_equal_sequences);
    return unit_result();
}
