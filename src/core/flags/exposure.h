/* Which exposures were reported: each once in 24 hours. Not thread-safe: its
 * owner locks. */
#ifndef MP_EXPOSURE_H
#define MP_EXPOSURE_H

#include "core/flags/fnv.h"

#include <stdbool.h>

typedef struct mp_exposures mp_exposures;

enum {
    MP_EXPOSURE_HOURS = 24
};

/* What an exposure is of: the id, the flag, the variant. */
typedef struct mp_exposure {
    const char *id, *flag, *variant;
    size_t id_len, flag_len, variant_len;
} mp_exposure;

/* Remembers up to `capacity` exposures, at least 1, of which the one that was
 * asked for the longest time ago gives way; `seed` keeps ids of users from
 * choosing where they are kept. NULL: out of memory. */
mp_exposures *mp_exposures_new(uint32_t capacity, uint64_t seed);

/* True if the exposure was not reported in the last 24 hours: it counts as
 * reported from now on. Also true when there is no memory to remember it. */
bool mp_exposures_add(mp_exposures *exposures, const mp_exposure *exposure,
                      int64_t mono_ms);

/* Takes back what mp_exposures_add did: it could not be reported. */
void mp_exposures_remove(mp_exposures *exposures, const mp_exposure *exposure);

void mp_exposures_free(mp_exposures *exposures); /* NULL: nothing */

/* Writes the $insert_id of an exposure: the same for the same project,
 * exposure and UTC day, so that Mixpanel counts what several processes report
 * once. No NUL. */
void mp_exposure_insert_id(const char *token, const mp_exposure *exposure,
                           int64_t wall_ms, char out[MP_FNV128_HEX]);

#endif
