/* Text eight bytes at a time. */
#ifndef MP_WORD_H
#define MP_WORD_H

#include <stdint.h>
#include <string.h>

enum {
    /* The first byte in memory is the lowest of a word. */
    MP_WORD_LITTLE = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
};

/* The byte value in all eight bytes of a word. */
#define MP_WORD_EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte))

static inline uint64_t mp_word_load(const char *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

/* In a word with the top bit of some bytes set and no other bit: the number of
 * the byte with the lowest. */
static inline int mp_word_first(uint64_t marks) {
    return __builtin_ctzll(marks) / 8;
}

#endif
