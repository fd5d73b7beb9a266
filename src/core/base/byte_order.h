/* Words whose bytes in memory stand in a given order, whatever the
 * processor's. */
#ifndef MP_BYTE_ORDER_H
#define MP_BYTE_ORDER_H

#include <stdint.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define MP_BYTE_ORDER_SWAPS_BIG 1
#else
#define MP_BYTE_ORDER_SWAPS_BIG 0
#endif

/* The lowest byte last. */
static inline uint64_t mp_byte_order_big(uint64_t x) {
    return MP_BYTE_ORDER_SWAPS_BIG ? __builtin_bswap64(x) : x;
}

/* The lowest byte first. */
static inline uint64_t mp_byte_order_little(uint64_t x) {
    return MP_BYTE_ORDER_SWAPS_BIG ? x : __builtin_bswap64(x);
}

#endif
