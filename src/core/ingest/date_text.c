#include "core/ingest/date_text.h"

#include "core/base/date.h"

/* A place in the text. */
typedef struct place {
    const char *at, *end;
} place;

static bool read_char(place *p, const char *any) {
    for (; *any; any++) {
        if (p->at < p->end && *p->at == *any) {
            p->at++;
            return true;
        }
    }
    return false;
}

static bool read_number(place *p, int digits, int least, int most, int *n) {
    *n = 0;
    for (; digits > 0; digits--, p->at++) {
        if (p->at == p->end || *p->at < '0' || *p->at > '9')
            return false;
        *n = 10 * *n + *p->at - '0';
    }
    return *n >= least && *n <= most;
}

static int read_fraction(place *p) {
    int ms = 0;
    for (int unit = 100; p->at < p->end && *p->at >= '0' && *p->at <= '9';
         p->at++, unit /= 10)
        ms += (*p->at - '0') * unit;
    return ms;
}

static bool read_clock(place *p, mp_date *date, int *ms) {
    if (!read_number(p, 2, 0, 23, &date->hour) || !read_char(p, ":") ||
        !read_number(p, 2, 0, 59, &date->minute))
        return false;
    if (!read_char(p, ":"))
        return true;
    if (!read_number(p, 2, 0, 59, &date->second))
        return false;
    if (read_char(p, ".,"))
        *ms = read_fraction(p);
    return true;
}

/* Minutes that the zone is ahead. */
static bool read_zone(place *p, int *ahead) {
    int hours, minutes = 0;
    *ahead = 0;
    while (read_char(p, " ")) {
    }
    if (p->at == p->end || read_char(p, "Zz"))
        return p->at == p->end;
    bool behind = *p->at == '-';
    if (!read_char(p, "+-") || !read_number(p, 2, 0, 23, &hours))
        return false;
    bool colon = read_char(p, ":");
    if ((colon || p->at < p->end) && !read_number(p, 2, 0, 59, &minutes))
        return false;
    *ahead = (behind ? -1 : 1) * (60 * hours + minutes);
    return p->at == p->end;
}

static bool read_integer(const char *text, size_t len, int64_t *time) {
    *time = 0;
    if (len == 0 || len > 15)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *time = 10 * *time + text[i] - '0';
    }
    return true;
}

bool mp_date_read(const char *text, size_t len, int64_t *time) {
    place p = {text, text + len};
    mp_date date = {0};
    int year, ms = 0, ahead;
    if (read_integer(text, len, time))
        return true;
    if (!read_number(&p, 4, 1971, 9999, &year) || !read_char(&p, "-") ||
        !read_number(&p, 2, 1, 12, &date.month) || !read_char(&p, "-") ||
        !read_number(&p, 2, 1, 31, &date.day))
        return false;
    date.year = year;
    if (read_char(&p, "Tt ") && !read_clock(&p, &date, &ms))
        return false;
    int64_t seconds = mp_date_seconds(&date);
    mp_date again = mp_date_at(seconds);
    if (again.day != date.day || !read_zone(&p, &ahead))
        return false;
    *time = (seconds - 60 * (int64_t)ahead) * 1000 + ms;
    return true;
}
