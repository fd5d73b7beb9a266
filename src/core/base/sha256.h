/* SHA-256 (FIPS 180-4) of bytes that are at hand whole. */
#ifndef MP_SHA256_H
#define MP_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum {
    MP_SHA256 = 32 /* bytes of a digest */
};

void mp_sha256(const void *bytes, size_t len, uint8_t digest[MP_SHA256]);

#endif
