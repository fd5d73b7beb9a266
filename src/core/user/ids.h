/* The ids of one user, and what identify, alias and reset make of them, with
 * the meaning they have in Mixpanel's browser SDK (2.83.0, mixpanel-core.js).
 * Knows nothing of events. */
#ifndef MP_IDS_H
#define MP_IDS_H

#include "core/base/buf.h"
#include "core/record/limits.h"

#include <stdbool.h>

/* The start of the distinct_id of a device whose user is not known. */
#define MP_DEVICE_PREFIX "$device:"

typedef struct mp_ids {
    mp_buf distinct_id;   /* never empty once it is made */
    mp_buf device_id;     /* empty: none */
    mp_buf user_id;       /* empty: anonymous */
    mp_buf alias;         /* the last one made of distinct_id; empty: none */
    bool had_distinct_id; /* device_id is an older distinct_id, from when there
                           * was no device_id */
} mp_ids;

/* Each of these fills in an all-zero `ids`. MP_MEMORY: free it even then. */

/* Of a device: a new one, or one whose id is known. */
mp_err mp_ids_of_new_device(mp_ids *ids);
mp_err mp_ids_of_device(mp_ids *ids, const char *device, size_t len);

/* Of a user who is known from the start; `device_len` may be 0. */
mp_err mp_ids_of_user(mp_ids *ids, const char *user, size_t len,
                      const char *device, size_t device_len);

/* What `now` becomes once it is known to be `user`, or gets that alias. */
mp_err mp_ids_identified(mp_ids *ids, const mp_ids *now, const char *user,
                         size_t len);
mp_err mp_ids_aliased(mp_ids *ids, const mp_ids *now, const char *alias,
                      size_t len);

void mp_ids_free(mp_ids *ids); /* what it holds */

/* True if they are the same where they are sent, and in a state: there, what
 * is no UTF-8 is replaced. */
bool mp_ids_equal(const mp_buf *id, const char *text, size_t len);

/* True for the id of a device, which no user may have. */
static inline bool mp_ids_is_device(const char *text, size_t len) {
    size_t n = sizeof MP_DEVICE_PREFIX - 1;
    return len >= n && memcmp(text, MP_DEVICE_PREFIX, n) == 0;
}

/* True for a UUID of version 4, in either case of letters: what $identify
 * takes as an anonymous id (Mixpanel docs, original ID merge). */
bool mp_ids_is_uuid4(const char *text, size_t len);

#endif
