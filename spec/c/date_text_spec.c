#include "core/ingest/date_text.h"
#include "unit.h"

#include <stdlib.h>

/* -1: it is none. Read from a block of its size, so that ASan sees whoever
 * reads beyond it. */
static int64_t read(const char *text) {
    size_t len = strlen(text);
    char *exact = malloc(len > 0 ? len : 1);
    int64_t time = 0;
    memcpy(exact, text, len);
    bool ok = mp_date_read(exact, len, &time);
    free(exact);
    return ok ? time : -1;
}

#define CHECK_DATE(text, expected)                                             \
    do {                                                                       \
        int64_t unit_got = read(text);                                         \
        CHECK(unit_got == (expected));                                         \
        if (unit_got != (expected))                                            \
            fprintf(stderr, "%s: got %lld\n", (text), (long long)unit_got);    \
    } while (0)

CASE(dates_are_utc_unless_they_name_a_zone) {
    CHECK_DATE("2026-01-02", 1767312000000);
    CHECK_DATE("2026-01-02T03:04", 1767323040000);
    CHECK_DATE("2026-01-02 03:04:05", 1767323045000);
    CHECK_DATE("2026-01-02t03:04:05Z", 1767323045000);
    CHECK_DATE("2026-01-02 03:04:05 z", 1767323045000);
    CHECK_DATE("2026-01-02T03:04:05+01:00", 1767319445000);
    CHECK_DATE("2026-01-02T03:04:05 -0130", 1767328445000);
    CHECK_DATE("2026-01-02T03:04:05+01", 1767319445000);
    CHECK_DATE("2024-02-29", 1709164800000);
    CHECK_DATE("9999-12-31T23:59:59Z", 253402300799000);
}

CASE(fractions_are_cut_to_milliseconds) {
    CHECK_DATE("2026-01-02T03:04:05.6Z", 1767323045600);
    CHECK_DATE("2026-01-02T03:04:05.678", 1767323045678);
    CHECK_DATE("2026-01-02T03:04:05,678901234Z", 1767323045678);
    CHECK_DATE("2026-01-02T03:04:05.", 1767323045000);
}

CASE(numbers_stay_as_they_are) {
    CHECK_DATE("0", 0);
    CHECK_DATE("1767323045", 1767323045);
    CHECK_DATE("1767323045678", 1767323045678);
    CHECK_DATE("999999999999999", 999999999999999);
    CHECK_DATE("1000000000000000", -1);
}

CASE(what_is_no_date_is_none) {
    static const char *const wrong[] = {
        "",
        " ",
        "-1",
        "1.5",
        "2026-1-2",
        "2026-13-01",
        "2026-00-01",
        "2026-02-29",
        "2026-04-31",
        "1970-12-31",
        "2026-01-02T",
        "2026-01-02T3:04",
        "2026-01-02T24:00",
        "2026-01-02T03:60",
        "2026-01-02T03:04:60",
        "2026-01-02T03:04:05+",
        "2026-01-02T03:04:05+1",
        "2026-01-02T03:04:05+01:",
        "2026-01-02T03:04:05+01:5",
        "2026-01-02T03:04:05Zulu",
        "2026-01-02x",
        "02/01/2026",
        "yesterday",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_DATE(wrong[i], -1);
}

int main(void) {
    RUN(dates_are_utc_unless_they_name_a_zone);
    RUN(fractions_are_cut_to_milliseconds);
    RUN(numbers_stay_as_they_are);
    RUN(what_is_no_date_is_none);
    return unit_result();
}
