/* Profile updates that wait until it is known whose they are, in the order
 * of the calls. */
#ifndef MP_HELD_H
#define MP_HELD_H

#include "core/base/buf.h"
#include "core/record/segment.h"

enum {
    MP_HELD_MAX = 1000,
    MP_HELD_BYTES = 4 * 1024 * 1024 /* of all updates together */
};

/* All of an update but what names the profile: ,"$set":{...}} and so on. */
typedef struct mp_held_update {
    const char *body;
    size_t len;
    mp_kind kind;
    bool has_ip;
    uint32_t repaired;
} mp_held_update;

/* All zero: none. Open for reading. */
typedef struct mp_held {
    mp_held_update *updates;
    uint32_t count, cap;
    size_t bytes;
    mp_buf json; /* "{...}","{...}": each update as a JSON string, ready for
                  * the state file */
} mp_held;

/* Copies the update in. MP_QUEUE_FULL at either limit, MP_MEMORY; nothing
 * changed then. */
mp_err mp_held_add(mp_held *held, const mp_held_update *update);

void mp_held_clear(mp_held *held); /* and frees */

#endif
