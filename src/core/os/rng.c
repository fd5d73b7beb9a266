#include "core/os/rng.h"

#include "core/base/byte_order.h"
#include "core/os/random.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum {
    HALF_ID = MP_INSERT_ID / 2
};

/* Splitmix64 (Steele, Lea, Flood 2014): a counter with an odd step, stirred
 * to look random. */
static const uint64_t step = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t stir(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

double mp_rng_unit(mp_rng *rng) {
    rng->state += step;
    return (double)(stir(rng->state) >> 11) * 0x1p-53;
}

/* 16 hex digits, by nibbles spread over the bytes of two words. */
static void put_hex(char out[HALF_ID], uint64_t value) {
    uint64_t words[2] = {value >> 32, value & 0xffffffff};
    for (size_t i = 0; i < 2; i++) {
        uint64_t x = words[i];
        x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
        x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
        x = (x | x << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
        /* 1 in each byte above 9 */
        uint64_t letters = (x + UINT64_C(0x0606060606060606)) >> 4 &
                           UINT64_C(0x0101010101010101);
        x += UINT64_C(0x3030303030303030) + letters * ('a' - '9' - 1);
        x = mp_byte_order_big(x);
        memcpy(out + 8 * i, &x, 8);
    }
}

static char prefix[HALF_ID + 1] = "0000000000000000";
static _Atomic uint64_t minted;

void mp_insert_id(char out[MP_INSERT_ID]) {
    memcpy(out, prefix, HALF_ID);
    put_hex(out + HALF_ID,
            atomic_fetch_add_explicit(&minted, 1, memory_order_relaxed));
}

void mp_insert_id_reseed(void) {
    put_hex(prefix, mp_random_bits());
}

void mp_uuid(char out[MP_UUID]) {
    static const char hyphens[] = {8, 13, 18, 23};
    char hex[2 * HALF_ID];
    uint64_t variant = mp_random_bits() & ~(UINT64_C(3) << 62);
    uint64_t version = mp_random_bits() & ~UINT64_C(0xf000);
    put_hex(hex, version | UINT64_C(0x4000));
    put_hex(hex + HALF_ID, variant | UINT64_C(2) << 62);
    for (size_t i = 0, k = 0, next = 0; i < MP_UUID; i++) {
        bool hyphen = next < sizeof hyphens && i == (size_t)hyphens[next];
        next += hyphen;
        if (hyphen)
            out[i] = '-';
        else
            out[i] = hex[k++];
    }
}
