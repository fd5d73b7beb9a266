/* The properties of an event that have a meaning of their own, and what
 * callers may put there. */
#ifndef MP_RESERVED_H
#define MP_RESERVED_H

#include "encode.h"
#include "id.h"

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

/* Appends the id at the top as a string. *given: it is there and not empty;
 * nothing is appended for what stands for null. */
mp_err mp_reserved_id(mp_encode *e, bool *given);

/* Reads the caller's own $insert_id at the top into `out`; *len is 0 for
 * what stands for null. MP_INVALID with a reason unless it is 1 to 36 of
 * [A-Za-z0-9-] (Mixpanel docs, import events). */
enum {
    MP_INSERT_ID_MAX = 36
};
mp_err mp_reserved_insert_id(mp_encode *e, char out[MP_INSERT_ID_MAX],
                             size_t *len);

#endif
