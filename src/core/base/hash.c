#include "core/base/hash.h"

#include "core/base/byte_order.h"
#include "core/base/wide.h"

#include <string.h>

/* Each step multiplies to 128 bits and folds the halves together, so that
 * every bit of the input reaches every bit of the state. */

/* Odd numbers without a pattern: the fractions of the square roots of 2, 3 and
 * 5. */
#define ROOT_2 UINT64_C(0x6a09e667f3bcc909)
#define ROOT_3 UINT64_C(0xbb67ae8584caa73b)
#define ROOT_5 UINT64_C(0x3c6ef372fe94f82b)

static uint64_t fold(uint64_t a, uint64_t b) {
    mp_wide product = mp_wide_multiply(a, b);
    return product.low ^ product.high;
}

static uint64_t load_8(const char *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    return mp_byte_order_little(word);
}

static uint64_t load_4(const char *at) {
    uint64_t word = 0;
    memcpy(&word, at, 4);
    return mp_byte_order_little(word);
}

/* The last 1 to 8 bytes of `len`; where there are more, the word overlaps
 * what was taken before. */
static uint64_t load_rest(const char *end, size_t len) {
    if (len >= 8)
        return load_8(end - 8);
    const char *at = end - len;
    if (len >= 4)
        return load_4(at) | load_4(end - 4) << 32;
    return (unsigned char)at[0] | (uint64_t)(unsigned char)at[len / 2] << 8 |
           (uint64_t)(unsigned char)end[-1] << 16;
}

uint64_t mp_hash(uint64_t seed, const void *bytes, size_t len) {
    const char *at = bytes, *end = at + len;
    uint64_t state = seed + len * ROOT_2;
    for (; end - at > 8; at += 8)
        state = fold(state ^ load_8(at), ROOT_3);
    uint64_t rest = len > 0 ? load_rest(end, len) : 0;
    return fold(state ^ rest, ROOT_5);
}
