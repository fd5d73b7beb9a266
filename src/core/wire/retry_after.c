#include "core/wire/retry_after.h"

#include "core/base/date.h"

#include <stdbool.h>
#include <string.h>

enum {
    LONGEST_S = 366 * 24 * 3600 /* the callers allow far less */
};

static int64_t read_seconds(const char *value) {
    int64_t seconds = 0;
    for (; *value >= '0' && *value <= '9'; value++)
        if (seconds < LONGEST_S)
            seconds = seconds * 10 + (*value - '0');
    return seconds < LONGEST_S ? seconds : LONGEST_S;
}

/* True if the text has the form "Sun, 06 Nov 1994 08:49:37 GMT". */
static bool is_date(const char *value) {
    static const char form[] = "aaa, 00 aaa 0000 00:00:00 GMT";
    for (size_t i = 0; i < sizeof form - 1; i++) {
        char c = value[i];
        bool fits = c == form[i];
        if (form[i] == '0')
            fits = c >= '0' && c <= '9';
        else if (form[i] == 'a')
            fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!fits)
            return false; /* also at the end of a shorter text */
    }
    return true;
}

static int two_digits(const char *at) {
    return (at[0] - '0') * 10 + (at[1] - '0');
}

/* strptime would read the names of the months as the host's locale has
 * them. */
static int64_t read_date(const char *value) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (!is_date(value))
        return 0;
    size_t month = 0;
    while (month < 12 && memcmp(months + 3 * month, value + 8, 3) != 0)
        month++;
    mp_date date = {
        .year = two_digits(value + 12) * 100 + two_digits(value + 14),
        .month = (int)month + 1,
        .day = two_digits(value + 5),
        .hour = two_digits(value + 17),
        .minute = two_digits(value + 20),
        .second = two_digits(value + 23),
    };
    return month < 12 ? mp_date_seconds(&date) : 0;
}

int64_t mp_retry_after_ms(const char *value, int64_t wall_ms) {
    value += strspn(value, " \t");
    if (*value >= '0' && *value <= '9')
        return read_seconds(value) * 1000;
    int64_t ms = read_date(value) * 1000 - wall_ms;
    if (ms > (int64_t)LONGEST_S * 1000)
        ms = (int64_t)LONGEST_S * 1000;
    return ms > 0 ? ms : 0;
}
