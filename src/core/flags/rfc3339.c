#include "core/flags/rfc3339.h"

#include "core/flags/utf8.h"

#include <string.h>

typedef struct date {
    int year, month, day, hour, minute, second;
    int offset; /* minutes that its zone is ahead */
} date;

enum {
    DATE_LEN = sizeof "2026-07-16T00:00:00" - 1
};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static int two_digits(const char *at) {
    return 10 * (at[0] - '0') + at[1] - '0';
}

/* Whether a text has the pattern's shape, where 0 stands for any digit. */
static bool has_shape(const char *text, const char *pattern) {
    for (; *pattern; text++, pattern++)
        if (*pattern == '0' ? !is_digit(*text) : *text != *pattern)
            return false;
    return true;
}

/* What stands behind the seconds: a fraction, and Z or an offset. */
static bool read_zone(const char *at, const char *end, int *offset) {
    if (at < end && *at == '.') {
        const char *digits = ++at;
        while (at < end && is_digit(*at))
            at++;
        if (at == digits)
            return false;
    }
    *offset = 0;
    if (end - at == 1 && (*at == 'Z' || *at == 'z'))
        return true;
    if (end - at != 6 || (*at != '+' && *at != '-') ||
        !has_shape(at + 1, "00:00"))
        return false;
    int hours = two_digits(at + 1), minutes = two_digits(at + 4);
    *offset = (*at == '-' ? -1 : 1) * (60 * hours + minutes);
    return hours <= 23 && minutes <= 59;
}

static int days_of(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (leap && month == 2);
}

static bool is_real(const date *d) {
    return d->month >= 1 && d->month <= 12 && d->day >= 1 &&
           d->day <= days_of(d->year, d->month) && d->hour <= 23 &&
           d->minute <= 59 && d->second <= 59;
}

/* Days since 1970 in the Gregorian calendar: years are counted from March, so
 * that a leap day ends one. */
static int64_t day_number(const date *d) {
    static const int before[] = {306, 337, 0,   31,  61,  92,
                                 122, 153, 184, 214, 245, 275};
    int64_t year = d->month > 2 ? d->year : d->year - 1;
    int64_t cycle = year >= 0 ? year / 400 : -1, in_cycle = year - 400 * cycle;
    return cycle * 146097 + in_cycle * 365 + in_cycle / 4 - in_cycle / 100 +
           before[d->month - 1] + d->day - 1 - 719468;
}

bool mp_rfc3339_read(const char *text, size_t len, int64_t *seconds) {
    date d;
    mp_utf8_trim(&text, &len);
    if (len <= DATE_LEN || !has_shape(text, "0000-00-00") ||
        (text[10] | 0x20) != 't' || !has_shape(text + 11, "00:00:00") ||
        !read_zone(text + DATE_LEN, text + len, &d.offset))
        return false;
    d.year = 100 * two_digits(text) + two_digits(text + 2);
    d.month = two_digits(text + 5);
    d.day = two_digits(text + 8);
    d.hour = two_digits(text + 11);
    d.minute = two_digits(text + 14);
    d.second = two_digits(text + 17);
    if (!is_real(&d))
        return false;
    int64_t minutes =
        1440 * day_number(&d) + 60L * d.hour + d.minute - d.offset;
    *seconds = 60 * minutes + d.second;
    return true;
}
