/* What the clients of one project say of its settings. In force is what was
 * said last by a client that is still open, else the default: a second client
 * changes nothing that it does not name. Not thread-safe. */
#ifndef MP_OVERRIDES_H
#define MP_OVERRIDES_H

#include "core/config/settings.h"

/* What one client says. */
typedef struct mp_overrides mp_overrides;
struct mp_overrides {
    mp_overrides *next;         /* for its holder's list */
    mp_settings *values;        /* only those that are said count */
    uint64_t said[MP_SETTINGS]; /* rises with each change; 0: not said */
    bool closed;                /* lapses once another client is open */
};

mp_overrides *mp_overrides_new(void);            /* NULL: out of memory */
void mp_overrides_free(mp_overrides *overrides); /* NULL is allowed */

/* Notes that the client says the setting whose value is in `values`. */
void mp_overrides_say(mp_overrides *overrides, const mp_setting *setting);
bool mp_overrides_says(const mp_overrides *overrides,
                       const mp_setting *setting);

/* Everything that is said was said at `now`. */
void mp_overrides_stamp(mp_overrides *overrides, uint64_t now);

/* Takes over what `more` says, as said at `now`. MP_MEMORY, and then nothing
 * has changed in what counts. */
mp_err mp_overrides_merge(mp_overrides *overrides, const mp_overrides *more,
                          uint64_t now);

/* The settings that all of a list lead to, with one reference for the
 * caller. NULL: out of memory. */
mp_settings *mp_overrides_in_force(const mp_overrides *list,
                                   mp_storage storage);

#endif
