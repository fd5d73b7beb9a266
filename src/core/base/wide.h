/* Products of 64-bit numbers, whole. */
#ifndef MP_WIDE_H
#define MP_WIDE_H

#include <stdint.h>

/* high * 2^64 + low */
typedef struct mp_wide {
    uint64_t high, low;
} mp_wide;

static inline mp_wide mp_wide_multiply(uint64_t a, uint64_t b) {
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 uint128;
    uint128 product = (uint128)a * b;
    return (mp_wide){(uint64_t)(product >> 64), (uint64_t)product};
#else /* 32-bit processors: from products of halves */
    uint64_t low = (a & UINT32_MAX) * (b & UINT32_MAX);
    uint64_t middle = (a >> 32) * (b & UINT32_MAX) + (low >> 32);
    uint64_t other = (a & UINT32_MAX) * (b >> 32) + (middle & UINT32_MAX);
    return (mp_wide){(a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32),
                     other << 32 | (low & UINT32_MAX)};
#endif
}

#endif
