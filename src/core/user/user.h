/* What is known of one user. Plain data; knows neither Lua nor the queue.
 * Not thread-safe. */
#ifndef MP_USER_H
#define MP_USER_H

#include "core/base/buf.h"
#include "core/base/dict.h"
#include "core/user/ids.h"
#include "core/user/pending.h"
#include "core/user/timers.h"

typedef enum mp_consent {
    MP_CONSENT_UNKNOWN,
    MP_CONSENT_GIVEN,
    MP_CONSENT_REFUSED
} mp_consent;

enum {
    MP_USER_PROPERTIES_MAX = 254 /* super properties, as many as of an event */
};

typedef struct mp_user {
    mp_ids ids;
    bool identified; /* profile updates are sent, not held */
    mp_consent consent;
    bool forgetful; /* the state keeps nothing but the consent */
    /* Super properties: names as JSON text without quotes, values as JSON.
     * Those of the session go before those that are kept. */
    mp_dict kept, session;
    mp_timers timers;
    mp_pending pending;
    mp_buf flags;     /* JSON of the variants that Mixpanel last decided on */
    int64_t flags_ms; /* when they came; wall clock */
} mp_user;

/* Forgets everything but the consent, then takes over `ids`. */
void mp_user_become(mp_user *user, mp_ids *ids);

/* The super property of this name, as JSON text without quotes; NULL: none. */
const mp_pair *mp_user_property(const mp_user *user, const char *name,
                                size_t len);

void mp_user_free(mp_user *user); /* what it holds */

#endif
