/* The time of an event, in the two units that Mixpanel takes. */
#ifndef MP_EVENT_TIME_H
#define MP_EVENT_TIME_H

#include <stdint.h>

/* Smaller numbers are seconds since the epoch, others milliseconds. */
#define MP_EVENT_TIME_FIRST_MS 1e11

/* 1971 in milliseconds: as such no event has a smaller number. */
#define MP_EVENT_TIME_MIN_MS 31536000e3

/* Reads such a number. NULL, or a static text that says what is wrong: it is
 * not finite, lies before 1971 (Mixpanel's limit, and a sign of a timer's
 * value passed by mistake) or after the year 9999. */
const char *mp_event_time_read(double value, int64_t *time_ms);

/* The same for milliseconds. */
const char *mp_event_time_read_ms(double ms, int64_t *time_ms);

#endif
