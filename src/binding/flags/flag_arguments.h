/* What the methods of local and of remote flags have in common. */
#ifndef MP_FLAG_ARGUMENTS_H
#define MP_FLAG_ARGUMENTS_H

#include "binding/flags/flag_exposure.h"

enum {
    MP_FLAGS_KEY = 2 /* argument of the methods that take one */
};

/* Each raises a bad argument: */
void mp_flags_check_key(lua_State *L);
void mp_flags_check_fallback(lua_State *L); /* at argument 3 */

/* Whether the argument that says so lets an exposure be reported. */
bool mp_flags_check_report(lua_State *L, int arg);

/* The id of a request at argument 2; 0: there can be none like it. */
uint64_t mp_flags_check_id(lua_State *L);

/* Fills in what somebody with this id saw: a variant that Mixpanel decided, of
 * the flag at its argument. */
void mp_flags_fill_seen(lua_State *L, mp_flag_seen *seen,
                        const mp_value *variant, const mp_value *id,
                        mp_variants_times times);

/* The method track_exposure_event(key, variant, context). */
int mp_flags_track_exposure(lua_State *L);

#endif
