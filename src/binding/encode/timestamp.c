#include "binding/encode/timestamp.h"

#include "binding/encode/type_hint.h"

#include "core/base/date.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In seconds since the epoch. */
static const double year_1 = -62135596800.0;
static const double year_1971 = 31536000.0;
static const double year_10000 = 253402300800.0;

static const double first_ms = 1e11; /* smaller numbers are seconds */

mp_err mp_timestamp_read(lua_State *L, int index, int64_t *time_ms,
                         mp_fault *fault) {
    char shown[MP_SHOWN];
    mp_digits digits;
    double value;
    const char *wrong = NULL;
    if (lua_type(L, index) == LUA_TNUMBER)
        value = lua_tonumber(L, index);
    else if (mp_type_hint_of(L, index, &digits) == MP_HINT_INTEGER)
        value = (double)strtoll(digits.text, NULL, 10);
    else
        value = NAN;
    double ms = value < first_ms ? value * 1000 : value;
    if (!isfinite(ms))
        wrong = "is no time";
    else if (ms < year_1971 * 1000)
        wrong = "is before 1971";
    else if (ms >= year_10000 * 1000)
        wrong = "is after the year 9999";
    if (wrong)
        return mp_fault_set(fault,
                            "%s %s: expected seconds or milliseconds since "
                            "the epoch, as os.time()",
                            mp_fault_show(L, index, shown), wrong);
    *time_ms = llround(ms);
    return MP_OK;
}

bool mp_timestamp_date(double seconds, char out[MP_DATE_TEXT]) {
    if (!(seconds >= year_1 && seconds < year_10000))
        return false;
    mp_date_write((int64_t)floor(seconds), out);
    return true;
}
