/* Profile updates that wait until it is known whose they are, in the order
 * of the calls. */
#ifndef MP_PENDING_H
#define MP_PENDING_H

#include "core/base/buf.h"
#include "core/base/dict.h"
#include "core/record/segment.h"

enum {
    MP_PENDING_MAX = 1000,
    MP_PENDING_BYTES = 4 * 1024 * 1024 /* of all updates together */
};

/* All of an update but what names the profile: ,"$set":{...}} and so on. */
typedef struct mp_pending_update {
    const char *body;
    size_t len;
    mp_kind kind;
    bool has_ip;
    uint32_t repaired;
} mp_pending_update;

/* All zero: none. Open for reading. */
typedef struct mp_pending {
    mp_pending_update *updates;
    uint32_t count, cap;
    size_t bytes;
    mp_buf json; /* "{...}","{...}": each update as a JSON string, ready for
                  * the state file */
} mp_pending;

/* Copies the update in. MP_QUEUE_FULL at either limit, MP_MEMORY; nothing
 * changed then. */
mp_err mp_pending_add(mp_pending *pending, const mp_pending_update *update);

/* Appends the update's body without the properties of these names, given as
 * JSON without quotes; nothing if that is all of what it updates. Returns the
 * buffer's error. */
mp_err mp_pending_filter(const mp_pending_update *update,
                         const mp_dict *excluded, mp_buf *out);

void mp_pending_clear(mp_pending *pending); /* and frees */

#endif
