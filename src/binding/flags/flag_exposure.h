/* The event that says who has seen which variant. */
#ifndef MP_FLAG_EXPOSURE_H
#define MP_FLAG_EXPOSURE_H

#include "binding/lua/handle.h"

#include "core/flags/decide.h"
#include "core/flags/exposure.h"
#include "core/flags/variants.h"

/* What was seen; a text or boolean that is undefined is left out. */
typedef struct mp_flag_seen {
    mp_exposure exposure;
    mp_value experiment_id, is_experiment_active, is_qa_tester;
    int64_t start_ms; /* of the decision, on mp_clock_coarse_ms; -1: unknown */
    bool remote;      /* Mixpanel decided */
    mp_variants_times times; /* of its answer; all 0: unknown */
} mp_flag_seen;

#define MP_FLAG_EVENT "$experiment_started"

/* Tracks the event with the properties at a stack index, to which it may add.
 */
typedef mp_err mp_flag_tracker(lua_State *L, void *whose, int properties,
                               mp_fault *fault);

/* Has a tracker report what was seen, by a client that is open, or does nothing
 * if that was done: see mp_flag_expose. */
mp_err mp_flag_expose_by(lua_State *L, const mp_client *client,
                         const mp_flag_seen *seen, mp_flag_tracker *tracker,
                         void *whose, mp_fault *fault);

/* Tracks $experiment_started for the context at index `context`, by the client
 * at index `client`, with the client's default properties: an ordinary event,
 * once per id, flag and variant in 24 hours unless the client says always.
 * Returns MP_OK also when that was done before; else why it could not be
 * queued, which the next exposure tries again, and for MP_INVALID a fault.
 * Needs upvalue 1 of a method. */
mp_err mp_flag_expose(lua_State *L, int client, int context,
                      const mp_flag_seen *seen, mp_fault *fault);

#endif
