#include "core/base/hash.h"
#include "unit.h"

#include <stdlib.h>

static char bytes[64];

static void fill(void) {
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 37 + 11);
}

/* Ids are derived with it, so it may never change. */
CASE(is_the_same_everywhere) {
    fill();
    CHECK(mp_hash(0, bytes, 0) == UINT64_C(0x0000000000000000));
    CHECK(mp_hash(0, bytes, 3) == UINT64_C(0x00f16c6bdf237893));
    CHECK(mp_hash(1, bytes, 7) == UINT64_C(0xb1b9693e57bb37f0));
    CHECK(mp_hash(2, bytes, 33) == UINT64_C(0xb34d6d6a1690bc21));
}

CASE(depends_on_every_bit_and_the_length) {
    for (size_t len = 1; len <= sizeof bytes; len++) {
        fill();
        uint64_t before = mp_hash(5, bytes, len);
        CHECK(mp_hash(6, bytes, len) != before);
        CHECK(mp_hash(5, bytes, len - 1) != before);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
            CHECK(mp_hash(5, bytes, len) != before);
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        }
    }
}

CASE(reads_no_byte_beyond) {
    for (size_t len = 1; len < 40; len++) {
        char *block = malloc(len); /* for ASan */
        memset(block, 'x', len);
        CHECK(mp_hash(0, block, len) != 0);
        free(block);
    }
}

/* The low bits pick a slot of a table. */
CASE(spreads_names) {
    unsigned count[64] = {0};
    char name[16];
    for (unsigned i = 0; i < 64 * 100; i++) {
        int n = snprintf(name, sizeof name, "name%u", i);
        count[mp_hash(9, name, (size_t)n) & 63]++;
    }
    for (size_t i = 0; i < 64; i++)
        CHECK(count[i] > 50 && count[i] < 150);
}

int main(void) {
    RUN(is_the_same_everywhere);
    RUN(depends_on_every_bit_and_the_length);
    RUN(reads_no_byte_beyond);
    RUN(spreads_names);
    return unit_result();
}
