/* FNV-1a: the hash that Mixpanel's SDKs choose variants by (64 bits), and one
 * of 128 bits for names of things that must not be taken for one another. The
 * parameters are those of draft-eastlake-fnv. */
#ifndef MP_FNV_H
#define MP_FNV_H

#include <stddef.h>
#include <stdint.h>

#define MP_FNV64_EMPTY UINT64_C(0xcbf29ce484222325)

static inline uint64_t mp_fnv64_add(uint64_t hash, const char *bytes,
                                    size_t len) {
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

typedef struct mp_fnv128 {
    uint64_t high, low;
} mp_fnv128;

extern const mp_fnv128 mp_fnv128_empty;

/* Adds a field: its bytes and an end, so that fields cannot be mistaken for
 * others of the same bytes unless they hold a zero byte. */
void mp_fnv128_add(mp_fnv128 *hash, const char *bytes, size_t len);

enum {
    MP_FNV128_HEX = 32
};

/* Writes the digits, without a NUL. */
void mp_fnv128_hex(const mp_fnv128 *hash, char out[MP_FNV128_HEX]);

#endif
