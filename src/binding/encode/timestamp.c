#include "binding/encode/timestamp.h"

#include "binding/encode/type_hint.h"

#include "core/base/date.h"
#include "core/record/event_time.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In seconds since the epoch. */
static const double year_1 = -62135596800.0;
static const double year_10000 = 253402300800.0;

mp_err mp_timestamp_read(lua_State *L, int index, int64_t *time_ms,
                         mp_fault *fault) {
    char shown[MP_SHOWN];
    mp_digits digits;
    double value;
    if (lua_type(L, index) == LUA_TNUMBER)
        value = lua_tonumber(L, index);
    else if (mp_type_hint_of(L, index, &digits) == MP_HINT_INTEGER)
        value = (double)strtoll(digits.text, NULL, 10);
    else
        value = NAN;
    const char *wrong = mp_event_time_read(value, time_ms);
    if (wrong)
        return mp_fault_set(fault,
                            "%s %s: expected seconds or milliseconds since "
                            "the epoch, as os.time()",
                            mp_fault_show(L, index, shown), wrong);
    return MP_OK;
}

bool mp_timestamp_date(double seconds, char out[MP_DATE_TEXT]) {
    if (!(seconds >= year_1 && seconds < year_10000))
        return false;
    mp_date_write((int64_t)floor(seconds), out);
    return true;
}
