#define _GNU_SOURCE /* getrandom */
#include "core/os/random.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static uint64_t stir(uint64_t seed, uint64_t value) {
    uint64_t x = (seed ^ value) + UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static uint64_t makeshift(void) {
    struct timespec wall, mono;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_MONOTONIC, &mono);
    uint64_t seed = stir(0, (uint64_t)getpid());
    seed = stir(seed, (uint64_t)wall.tv_sec);
    seed = stir(seed, (uint64_t)wall.tv_nsec);
    seed = stir(seed, (uint64_t)mono.tv_sec);
    return stir(seed, (uint64_t)mono.tv_nsec);
}

uint64_t mp_random_bits(void) {
    uint64_t bits;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) == sizeof bits)
        return bits;
    return makeshift();
}
