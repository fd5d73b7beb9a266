#define _GNU_SOURCE
#include "core/os/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

enum {
    LEAST_MS = 1000 /* of sleep; less may be the time between two readings */
};

static _Atomic int64_t slept_ms = -1; /* below 0: nobody has asked */
static _Atomic int64_t wall_ahead_ms; /* of the clock that stands still, when it
                                       * moved last */

static int64_t read_ms(clockid_t id) {
    struct timespec ts = {0};
    clock_gettime(id, &ts); /* fails only where that of sleep is not known */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t mp_clock_wall_ms(void) {
    return read_ms(CLOCK_REALTIME);
}

/* What it slept since its start, 0 where that is not known; and *mono_ms is
 * read after it: with a pause between the two it is too little, and never too
 * much. */
static int64_t look(int64_t *mono_ms) {
    int64_t boot_ms = read_ms(CLOCK_BOOTTIME);
    *mono_ms = read_ms(CLOCK_MONOTONIC);
    return boot_ms > *mono_ms ? boot_ms - *mono_ms : 0;
}

/* `now_ms` takes the place of what was known, unless another thread was first.
 * Returns what is known then. */
static int64_t learn(int64_t known_ms, int64_t now_ms) {
    return atomic_compare_exchange_strong(&slept_ms, &known_ms, now_ms)
               ? now_ms
               : known_ms;
}

int64_t mp_clock_slept_ms(void) {
    int64_t known_ms = atomic_load_explicit(&slept_ms, memory_order_relaxed);
    int64_t mono_ms;
    return known_ms >= 0 ? known_ms : learn(known_ms, look(&mono_ms));
}

int64_t mp_clock_mono_ms(void) {
    int64_t known_ms = mp_clock_slept_ms(), mono_ms;
    int64_t now_ms = look(&mono_ms);
    if (now_ms - known_ms >= LEAST_MS)
        known_ms = learn(known_ms, now_ms);
    return mono_ms + known_ms;
}

/* True where that is another than last time, as after a sleep, or where
 * somebody set the wall clock. */
static bool has_moved(int64_t ahead_ms) {
    int64_t moved_ms =
        ahead_ms - atomic_load_explicit(&wall_ahead_ms, memory_order_relaxed);
    if (moved_ms < LEAST_MS && moved_ms > -LEAST_MS)
        return false;
    atomic_store_explicit(&wall_ahead_ms, ahead_ms, memory_order_relaxed);
    return true;
}

int64_t mp_clock_coarse(int64_t *wall_ms) {
    int64_t mono_ms = read_ms(CLOCK_MONOTONIC_COARSE);
    *wall_ms = read_ms(CLOCK_REALTIME_COARSE);
    if (has_moved(*wall_ms - mono_ms))
        mp_clock_mono_ms(); /* finds out what was slept */
    return mono_ms + mp_clock_slept_ms();
}

int64_t mp_clock_coarse_ms(void) {
    int64_t wall_ms;
    return mp_clock_coarse(&wall_ms);
}
