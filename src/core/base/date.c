#include "core/base/date.h"

#include <stdio.h>
#include <string.h>

/* Years are counted from March on, so that the leap day is the last of its
 * year and the lengths of months repeat every five. */

enum {
    DAY_S = 24 * 60 * 60,
    ERA_YEARS = 400, /* after which the calendar repeats */
    ERA_DAYS = 146097,
    EPOCH_DAYS = 719468 /* from 1 March of the year 0 to 1 January 1970 */
};

/* Days from 1 March of the year 0 to that of another year. */
static int64_t days_before_year(int64_t year) {
    return 365 * year + year / 4 - year / 100 + year / 400;
}

/* Days from 1 March to the first of the month; 0 is March. */
static int days_before_month(int month) {
    return (153 * month + 2) / 5;
}

int64_t mp_date_seconds(const mp_date *date) {
    int64_t year = date->month > 2 ? date->year : date->year - 1;
    int month = (date->month + 9) % 12;
    int64_t days = days_before_year(year) + days_before_month(month) +
                   date->day - 1 - EPOCH_DAYS;
    return ((days * 24 + date->hour) * 60 + date->minute) * 60 + date->second;
}

mp_date mp_date_at(int64_t seconds) {
    int64_t since = seconds + (int64_t)EPOCH_DAYS * DAY_S;
    int64_t days = since / DAY_S;
    int in_day = (int)(since % DAY_S);
    int64_t year = days * ERA_YEARS / ERA_DAYS; /* or the next, or the last */
    if (days_before_year(year) > days)
        year--;
    else if (days_before_year(year + 1) <= days)
        year++;
    int in_year = (int)(days - days_before_year(year));
    int month = (5 * in_year + 2) / 153;
    return (mp_date){
        .year = month < 10 ? year : year + 1,
        .month = month < 10 ? month + 3 : month - 9,
        .day = in_year - days_before_month(month) + 1,
        .hour = in_day / 3600,
        .minute = in_day / 60 % 60,
        .second = in_day % 60,
    };
}

void mp_date_write(int64_t seconds, char out[MP_DATE_TEXT]) {
    char text[80]; /* whatever an int may need */
    mp_date date = mp_date_at(seconds);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d", (int)date.year,
             date.month, date.day, date.hour, date.minute, date.second);
    memcpy(out, text, MP_DATE_TEXT);
    out[MP_DATE_TEXT - 1] = '\0';
}
