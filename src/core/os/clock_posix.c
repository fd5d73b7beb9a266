#define _GNU_SOURCE
#include "core/os/clock.h"

#include <time.h>

static int64_t read_ms(clockid_t id) {
    struct timespec ts;
    clock_gettime(id, &ts); /* cannot fail for the clocks used here */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t mp_clock_wall_ms(void) {
    return read_ms(CLOCK_REALTIME);
}

int64_t mp_clock_coarse_ms(void) {
    return read_ms(CLOCK_MONOTONIC_COARSE);
}

int64_t mp_clock_coarse_wall_ms(void) {
    return read_ms(CLOCK_REALTIME_COARSE);
}

int64_t mp_clock_mono_ms(void) {
    return read_ms(CLOCK_MONOTONIC);
}
