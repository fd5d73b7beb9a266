/* The properties of an event that have a meaning of their own. */
#ifndef MP_RESERVED_H
#define MP_RESERVED_H

#include <stddef.h>
#include <stdint.h>

/* Bits, so that a set of them fits in an integer. */
typedef enum mp_reserved {
    MP_RESERVED_NONE = 0,
    MP_TOKEN = 1,
    MP_TIME = 2,
    MP_INSERT_ID_KEY = 4,
    MP_IP = 8,
    MP_LIB = 16,
    MP_LIB_VERSION = 32,
    MP_DISTINCT_ID = 64,
    MP_OTHER_ID = 128 /* $distinct_id, $device_id, $user_id */
} mp_reserved;

mp_reserved mp_reserved_find(const char *name, size_t len);

/* A name has one bit in a set of names: where it is missing, no such name is
 * in the set. By its first and last byte and its length. */
#define MP_NAME_BIT(first, last, len)                                          \
    (UINT64_C(1) << (((first)*7U + (last)*3U + (unsigned)(len)) & 63))

/* That of a name that is JSON text without its quotes, inside of a buffer that
 * has them: of an empty name it reads the quotes. */
static inline uint64_t mp_name_bit(const char *name, size_t len) {
    const char *end = name + len;
    return MP_NAME_BIT((unsigned char)name[0], (unsigned char)end[-1], len);
}

/* Those of the reserved names. */
#define MP_RESERVED_BITS                                                       \
    (MP_NAME_BIT('t', 'n', 5) | MP_NAME_BIT('t', 'e', 4) |                     \
     MP_NAME_BIT('$', 'd', 10) | MP_NAME_BIT('i', 'p', 2) |                    \
     MP_NAME_BIT('m', 'b', 6) | MP_NAME_BIT('$', 'n', 12) |                    \
     MP_NAME_BIT('d', 'd', 11) | MP_NAME_BIT('$', 'd', 12) |                   \
     MP_NAME_BIT('$', 'd', 8))

#endif
