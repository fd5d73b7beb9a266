/* MP_SPEC_NUMBERS: how many random numbers of each kind to try. */
#include "core/base/num.h"
#include "unit.h"

#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

typedef struct text {
    char bytes[64];
} text;

static text of_double(double value) {
    text t;
    memset(t.bytes, '#', sizeof t.bytes);
    char *end = mp_num_double(t.bytes, value);
    CHECK(end > t.bytes && end - t.bytes <= MP_NUM_MAX);
    for (char *p = t.bytes + MP_NUM_MAX; p < t.bytes + sizeof t.bytes; p++)
        CHECK(*p == '#');
    *end = '\0';
    return t;
}

static double of_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The significant digits of a number, without zeros at either end. */
static text significant(const char *number) {
    text t;
    size_t n = 0;
    for (const char *p = number; *p && *p != 'e'; p++)
        if ((*p > '0' && *p <= '9') || (*p == '0' && n > 0))
            t.bytes[n++] = *p;
    while (n > 0 && t.bytes[n - 1] == '0')
        n--;
    t.bytes[n] = '\0';
    return t;
}

/* Plain from 1e-6 to below 1e21, else d[.ddd]e[-]dd. */
static bool laid_out_well(const char *number, double value) {
    double size = fabs(value);
    const char *e = strchr(number, 'e');
    bool plain = size >= 1e-6 && size < 1e21;
    if ((e == NULL) != plain || strchr(number, '+'))
        return false;
    const char *first = number + (*number == '-');
    const char *point = strchr(number, '.');
    size_t whole = strcspn(first, ".e");
    if (whole == 0 || (first[0] == '0' && whole > 1))
        return false;
    if (point && (e ? e : number + strlen(number))[-1] == '0')
        return false;
    return !e || (whole == 1 && first[0] != '0' && e[1] != '0');
}

/* Checks everything the header promises against the C library, for a number
 * that does not print as an integer below 2^53. */
static bool is_right(double value) {
    text ours = of_double(value);
    text digits = significant(ours.bytes);
    int n = (int)strlen(digits.bytes);
    char theirs[64];
    bool good = n > 0 && strtod(ours.bytes, NULL) == value &&
                laid_out_well(ours.bytes, value);
    if (good && n > 1) {
        snprintf(theirs, sizeof theirs, "%.*e", n - 2, value);
        good = strtod(theirs, NULL) != value;
    }
    if (good) {
        /* Where the interval is lopsided, the closest decimal of n digits
         * may lie outside and a farther one inside. */
        snprintf(theirs, sizeof theirs, "%.*e", n - 1, value);
        good = strtod(theirs, NULL) != value ||
               strcmp(significant(theirs).bytes, digits.bytes) == 0;
    }
    if (!good)
        fprintf(stderr, "%a printed as %s\n", value, ours.bytes);
    return good;
}

static bool is_whole(double value) {
    return fabs(value) < 0x1p53 && value == floor(value);
}

static void check_double(double value) {
    if (!is_whole(value)) {
        CHECK(is_right(value));
        return;
    }
    char expected[32];
    snprintf(expected, sizeof expected, "%" PRId64, (int64_t)value);
    text ours = of_double(value);
    CHECK_TEXT(ours.bytes, strlen(ours.bytes), expected);
}

static void check_around(double value) {
    double below = value, above = value;
    for (int i = 0; i < 4; i++) {
        check_double(below);
        check_double(above);
        check_double(-above);
        below = nextafter(below, 0);
        above = nextafter(above, INFINITY);
        if (isinf(above))
            above = DBL_MAX;
    }
}

static void check_text(double value, const char *expected) {
    text ours = of_double(value);
    CHECK_TEXT(ours.bytes, strlen(ours.bytes), expected);
}

CASE(known_doubles) {
    check_text(0.0, "0");
    check_text(-0.0, "0");
    check_text(1.0, "1");
    check_text(-42.0, "-42");
    check_text(0.1, "0.1");
    check_text(-0.5, "-0.5");
    check_text(0.1 + 0.2, "0.30000000000000004");
    check_text(1.0 / 3.0, "0.3333333333333333");
    check_text(123456789.123, "123456789.123");
    check_text(1700000000.123, "1700000000.123");
    check_text(9007199254740991.0, "9007199254740991");
    check_text(9007199254740992.0, "9007199254740992");
    check_text(9007199254740994.0, "9007199254740994");
    check_text(-9007199254740991.0, "-9007199254740991");
    check_text(0x1p60, "1152921504606847000");
    check_text(1e20, "100000000000000000000");
    check_text(123e18, "123000000000000000000");
    check_text(999999999999999868928.0, "999999999999999900000");
    check_text(1e21, "1e21");
    check_text(1.5e300, "1.5e300");
    check_text(1e-6, "0.000001");
    check_text(1.25e-6, "0.00000125");
    check_text(1.2345678901234567e-6, "0.0000012345678901234567");
    check_text(9.5e-7, "9.5e-7");
    check_text(1e-7, "1e-7");
    check_text(-1.5e-7, "-1.5e-7");
    check_text(5e-324, "5e-324");
    check_text(1e-323, "1e-323");
    check_text(1.5e-323, "1.5e-323");
    check_text(DBL_MIN, "2.2250738585072014e-308");
    check_text(-DBL_MAX, "-1.7976931348623157e308");
    check_text(9.5367431640625e-7, "9.5367431640625e-7");
    check_text(9e-265, "9e-265");
    check_text(2e-44, "2e-44");
}

CASE(around_powers_of_ten) {
    for (int e = -323; e <= 308; e++) {
        char number[16];
        snprintf(number, sizeof number, "1e%d", e);
        check_around(strtod(number, NULL));
    }
}

CASE(around_powers_of_two) {
    for (int e = -1074; e <= 1023; e++)
        check_around(ldexp(1, e));
    check_around(DBL_MAX);
}

CASE(subnormals) {
    for (uint64_t bits = 1; bits <= 2000; bits++)
        check_double(of_bits(bits));
    for (uint64_t bits = 1; bits <= 2000; bits++)
        check_double(of_bits((UINT64_C(1) << 52) - bits));
}

static uint64_t state = 1;

static uint64_t next_random(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static long random_count(void) {
    const char *given = getenv("MP_SPEC_NUMBERS");
    return given ? strtol(given, NULL, 10) : 2000000;
}

CASE(random_bits) {
    long wrong = 0;
    for (long i = random_count(); i > 0 && wrong < 10; i--) {
        double value = of_bits(next_random());
        if (isfinite(value) && !is_whole(value))
            wrong += !is_right(value);
    }
    CHECK(wrong == 0);
}

CASE(random_short_decimals) {
    static const double powers[] = {1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e9, 1e12};
    long wrong = 0;
    for (long i = random_count() / 8; i > 0 && wrong < 10; i--) {
        uint64_t digits = next_random() >> (12 + next_random() % 40);
        double value = (double)digits / powers[next_random() % 8];
        double around[] = {nextafter(value, 0), value,
                           nextafter(value, INFINITY)};
        for (int j = 0; j < 3; j++)
            if (!is_whole(around[j]))
                wrong += !is_right(around[j]);
    }
    CHECK(wrong == 0);
}

CASE(whole_doubles) {
    for (int i = 0; i < 200000; i++) {
        int64_t whole = (int64_t)next_random() >> (10 + next_random() % 53);
        check_double((double)whole);
    }
}

static void check_int64(int64_t value) {
    char ours[MP_NUM_MAX], expected[32];
    char *end = mp_num_int64(ours, value);
    snprintf(expected, sizeof expected, "%" PRId64, value);
    CHECK_TEXT(ours, end - ours, expected);
}

static void check_uint64(uint64_t value) {
    char ours[MP_NUM_MAX], expected[32];
    char *end = mp_num_uint64(ours, value);
    snprintf(expected, sizeof expected, "%" PRIu64, value);
    CHECK_TEXT(ours, end - ours, expected);
    check_int64((int64_t)value);
    check_int64((int64_t)(0 - value));
}

CASE(integers) {
    check_int64(INT64_MIN);
    check_int64(INT64_MAX);
    check_uint64(UINT64_MAX);
    for (uint64_t i = 0; i < 20000; i++)
        check_uint64(i);
    uint64_t fsync = 1;
    for (int i = 0; i < 20; i++, fsync *= 10)
        for (uint64_t d = 0; d < 5; d++)
            check_uint64(fsync + d - 2);
    for (int i = 0; i < 64; i++)
        for (uint64_t d = 0; d < 5; d++)
            check_uint64((UINT64_C(1) << i) + d - 2);
    for (int i = 0; i < 200000; i++)
        check_uint64(next_random() >> next_random() % 64);
}

/* Where none of the locales is installed this still runs, in the C locale. */
CASE(no_locale_matters) {
    static const char *const locales[] = {"de_DE.UTF-8", "de_DE.utf8",  "de_DE",
                                          "fr_FR.UTF-8", "ru_RU.UTF-8", ""};
    for (size_t i = 0; i < sizeof locales / sizeof *locales; i++) {
        setlocale(LC_ALL, locales[i]);
        check_text(0.5, "0.5");
        check_text(1234567.25, "1234567.25");
        check_text(1.5e-7, "1.5e-7");
    }
    setlocale(LC_ALL, "C");
}

int main(void) {
    RUN(known_doubles);
    RUN(around_powers_of_ten);
    RUN(around_powers_of_two);
    RUN(subnormals);
    RUN(random_bits);
    RUN(random_short_decimals);
    RUN(whole_doubles);
    RUN(integers);
    RUN(no_locale_matters);
    return unit_result();
}
