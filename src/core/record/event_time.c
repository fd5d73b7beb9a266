#include "core/record/event_time.h"

#include <math.h>
#include <stddef.h>

static const double year_10000_ms = 253402300800e3;

const char *mp_event_time_read(double value, int64_t *time_ms) {
    return mp_event_time_read_ms(
        value < MP_EVENT_TIME_FIRST_MS ? value * 1000 : value, time_ms);
}

const char *mp_event_time_read_ms(double ms, int64_t *time_ms) {
    if (!isfinite(ms))
        return "is no time";
    if (ms < MP_EVENT_TIME_MIN_MS)
        return "is before 1971";
    if (ms >= year_10000_ms)
        return "is after the year 9999";
    *time_ms = llround(ms);
    return NULL;
}
