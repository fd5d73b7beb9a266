#include "core/wire/retry_after.h"

#include "unit.h"

enum {
    NOW_S = 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT (RFC 9110, 5.6.7) */
};

static int64_t ms(const char *value) {
    return mp_retry_after_ms(value, (int64_t)NOW_S * 1000);
}

CASE(reads_seconds) {
    CHECK(ms("120") == 120000);
    CHECK(ms("  7") == 7000);
    CHECK(ms("0") == 0);
    CHECK(ms("99999999999999999999999999") == (int64_t)366 * 24 * 3600 * 1000);
}

CASE(reads_a_date) {
    CHECK(ms("Sun, 06 Nov 1994 08:49:37 GMT") == 0);
    CHECK(ms("Sun, 06 Nov 1994 08:50:37 GMT") == 60000);
    CHECK(ms("Mon, 07 Nov 1994 08:49:37 GMT") == 86400000);
    CHECK(ms("Tue, 01 Nov 1994 08:49:37 GMT") == 0); /* in the past */
}

CASE(ignores_what_is_neither) {
    CHECK(ms("") == 0);
    CHECK(ms("-5") == 0);
    CHECK(ms("soon") == 0);
    CHECK(ms("Sun, 06 Nop 1994 08:50:37 GMT") == 0);
    CHECK(ms("Sun, 06 anF 1994 08:50:37 GMT") == 0);
    CHECK(ms("Sunday, 06-Nov-94 08:50:37 GMT") == 0);
}

int main(void) {
    RUN(reads_seconds);
    RUN(reads_a_date);
    RUN(ignores_what_is_neither);
    return unit_result();
}
