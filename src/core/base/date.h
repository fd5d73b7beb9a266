/* Seconds since the Unix epoch as a date of the Gregorian calendar, and back,
 * in UTC and for every year from 1 on. Pure, unlike gmtime, and it knows the
 * years that some systems' does not. */
#ifndef MP_DATE_H
#define MP_DATE_H

#include <stdint.h>

typedef struct mp_date {
    int64_t year;
    int month, day; /* from 1 */
    int hour, minute, second;
} mp_date;

/* `seconds`: of the year 1 or later. */
mp_date mp_date_at(int64_t seconds);

/* A day, hour, minute or second too many counts into what follows. */
int64_t mp_date_seconds(const mp_date *date);

enum {
    MP_DATE_TEXT = 20
};

/* Writes "2026-01-02T03:04:05" and a NUL, for years up to 9999. */
void mp_date_write(int64_t seconds, char out[MP_DATE_TEXT]);

#endif
