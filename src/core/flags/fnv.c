#include "core/flags/fnv.h"

const mp_fnv128 mp_fnv128_empty = {UINT64_C(0x6c62272e07bb0142),
                                   UINT64_C(0x62b821756295c58d)};

/* Times the prime, 2^88 + 0x13b. */
static void multiply(mp_fnv128 *hash) {
    static const uint64_t rest = 0x13b;
    uint64_t low = (hash->low & 0xffffffff) * rest;
    uint64_t middle = (hash->low >> 32) * rest + (low >> 32);
    hash->high = hash->high * rest + (middle >> 32) + (hash->low << 24);
    hash->low = middle << 32 | (low & 0xffffffff);
}

void mp_fnv128_add(mp_fnv128 *hash, const char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        hash->low ^= (unsigned char)bytes[i];
        multiply(hash);
    }
    multiply(hash); /* a zero byte */
}

void mp_fnv128_hex(const mp_fnv128 *hash, char out[MP_FNV128_HEX]) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        out[i] = digits[hash->high >> (60 - 4 * i) & 15];
        out[16 + i] = digits[hash->low >> (60 - 4 * i) & 15];
    }
}
