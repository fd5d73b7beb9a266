#include "core/base/date.h"
#include "unit.h"

#include <stdbool.h>
#include <time.h>

/* True if both directions agree with the C library about this second. */
static bool agrees(int64_t seconds) {
    time_t time = (time_t)seconds;
    struct tm utc;
    mp_date date = mp_date_at(seconds);
    gmtime_r(&time, &utc);
    return date.year == utc.tm_year + 1900 && date.month == utc.tm_mon + 1 &&
           date.day == utc.tm_mday && date.hour == utc.tm_hour &&
           date.minute == utc.tm_min && date.second == utc.tm_sec &&
           mp_date_seconds(&date) == seconds;
}

static const int64_t year_1 = INT64_C(-62135596800);
static const int64_t year_10000 = INT64_C(253402300800);

CASE(every_day_is_the_c_library_s) {
    int64_t wrong = 0;
    for (int64_t s = year_1; s < year_10000; s += 24 * 3600)
        wrong += !agrees(s) + !agrees(s + 24 * 3600 - 1);
    CHECK(wrong == 0);
}

CASE(every_second_of_a_day_is_told_apart) {
    int wrong = 0;
    for (int64_t s = -86400; s < 86400; s++)
        wrong += !agrees(s);
    CHECK(wrong == 0);
}

CASE(what_a_clock_cannot_show_counts_on) {
    mp_date leap_second = {1998, 12, 31, 23, 59, 60};
    mp_date new_year = {1999, 1, 1, 0, 0, 0};
    CHECK(mp_date_seconds(&leap_second) == mp_date_seconds(&new_year));
}

CASE(a_date_is_written_with_all_its_digits) {
    char text[MP_DATE_TEXT];
    mp_date_write(0, text);
    CHECK_TEXT(text, strlen(text), "1970-01-01T00:00:00");
    mp_date_write(year_1, text);
    CHECK_TEXT(text, strlen(text), "0001-01-01T00:00:00");
    mp_date_write(year_10000 - 1, text);
    CHECK_TEXT(text, strlen(text), "9999-12-31T23:59:59");
}

int main(void) {
    RUN(every_day_is_the_c_library_s);
    RUN(every_second_of_a_day_is_told_apart);
    RUN(what_a_clock_cannot_show_counts_on);
    RUN(a_date_is_written_with_all_its_digits);
    return unit_result();
}
