/* Points in time as callers give them and as Mixpanel takes them. */
#ifndef MP_TIMESTAMP_H
#define MP_TIMESTAMP_H

#include "binding/lua/compat.h"
#include "binding/lua/fault_lua.h"

#include "core/base/date.h"

/* Reads the time at `index`, seconds (fractions allowed) or, from 1e11 on,
 * milliseconds since the epoch: a number, or a 64-bit integer of LuaJIT.
 * MP_INVALID with a reason when it is none, lies before 1971 (Mixpanel's
 * limit, and a sign of a timer's value passed by mistake) or after the year
 * 9999. */
mp_err mp_timestamp_read(lua_State *L, int index, int64_t *time_ms,
                         mp_fault *fault);

/* Writes "YYYY-MM-DDTHH:MM:SS" in UTC, as Mixpanel's profiles take dates.
 * False outside of the years 1 to 9999. */
bool mp_timestamp_date(double seconds, char out[MP_DATE_TEXT]);

#endif
