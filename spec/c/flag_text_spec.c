#include "core/flags/compare_ops.h"
#include "core/flags/fnv.h"
#include "core/flags/lower.h"
#include "core/flags/numeral.h"
#include "core/flags/rfc3339.h"
#include "core/flags/semver.h"
#include "core/flags/utf8.h"
#include "unit.h"

#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* ---- lower case ---- */

static void check_lower(const char *text, const char *lower) {
    char out[256];
    size_t n = mp_lower(text, strlen(text), out);
    CHECK_TEXT(out, n, lower);
    CHECK(n <= mp_lower_room(strlen(text)));
}

CASE(lower_case_is_that_of_unicode) {
    check_lower("AZaz[@`{09", "azaz[@`{09");
    check_lower("\xc3\x84\xc3\x96\xc3\x9c\xc3\x9f",
                "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f");
    check_lower("\xd0\x96\xe1\xba\x9e\xe2\x84\xaa", "\xd0\xb6\xc3\x9fk");
    check_lower("\xc4\xb0", "i\xcc\x87");
    check_lower("\xc8\xba", "\xe2\xb1\xa5");
    check_lower("\xf0\x90\x90\x80", "\xf0\x90\x90\xa8");
    check_lower("\xc4\x80\xc4\x81\xc4\x82", "\xc4\x81\xc4\x81\xc4\x83");
}

CASE(a_sigma_ends_a_word_in_its_final_form) {
    check_lower("\xce\x9f\xce\xa3", "\xce\xbf\xcf\x82");
    check_lower("\xce\x9f\xce\xa3\xce\x9f", "\xce\xbf\xcf\x83\xce\xbf");
    check_lower("\xce\xa3", "\xcf\x83");
    check_lower("A'\xce\xa3'.", "a'\xcf\x82'.");
    check_lower("A'\xce\xa3'B", "a'\xcf\x83'b");
}

CASE(what_is_no_utf8_stays) {
    check_lower("A\xff\xc3", "a\xff\xc3");
    check_lower("\xe2\x84", "\xe2\x84");
    check_lower("\xed\xa0\x80\xf8\x80", "\xed\xa0\x80\xf8\x80");
    check_lower("\xc0\x80\xf4\x90\x80\x80", "\xc0\x80\xf4\x90\x80\x80");
}

/* ---- numbers ---- */

static void check_written(double number, const char *text) {
    char out[MP_NUMERAL_MAX];
    char *end = mp_numeral_write(out, number);
    CHECK_TEXT(out, end - out, text);
}

CASE(numbers_are_written_as_javascript_does) {
    check_written(1, "1");
    check_written(-0.0, "0");
    check_written(1e21, "1e+21");
    check_written(1.5e-7, "1.5e-7");
    check_written(-1.7976931348623157e308, "-1.7976931348623157e+308");
    check_written(123456789012345680000.0, "123456789012345680000");
    check_written(NAN, "NaN");
    check_written(-INFINITY, "-Infinity");
}

static double read_all(const char *text) {
    return mp_numeral_read(text, strlen(text));
}

static double read_start(const char *text) {
    return mp_numeral_read_start(text, strlen(text));
}

CASE(texts_are_numbers_as_javascript_has_them) {
    CHECK(read_all("") == 0 && read_all(" \n\xc2\xa0\xe3\x80\x80") == 0);
    CHECK(read_all(" -1.5e3 ") == -1500 && read_all(".5") == 0.5);
    CHECK(read_all("5.") == 5 && read_all("+7") == 7);
    CHECK(read_all("0x1F") == 31 && read_all("0o17") == 15);
    CHECK(read_all("0b101") == 5 && isnan(read_all("0b102")));
    CHECK(isnan(read_all("-0x1")) && isnan(read_all("0x")));
    CHECK(isnan(read_all("1 2")) && isnan(read_all("1e")));
    CHECK(isnan(read_all("infinity")) && isinf(read_all("-Infinity")));
    CHECK(isnan(read_all(".")) && isnan(read_all("1,5")));
    CHECK(signbit(read_all("-0")) != 0);
    CHECK(read_start(" 12abc") == 12 && read_start("1e5x") == 1e5);
    CHECK(read_start("1e+") == 1 && isnan(read_start("abc")));
    CHECK(read_start("0x10") == 0 && read_start("1.2.3") == 1.2);
}

CASE(texts_are_rounded_to_the_nearest_number) {
    char long_text[2000];
    CHECK(read_all("9007199254740993") == 9007199254740992.0);
    CHECK(read_all("2.2250738585072011e-308") == 2.2250738585072011e-308);
    CHECK(read_all("1e-400") == 0 && isinf(read_all("1e99999999999999999999")));
    CHECK(read_all("0x20000000000001") == 9007199254740992.0);
    CHECK(read_all("0x200000000000010000000000000001") ==
          ldexp(9007199254740994.0, 64));
    /* A tie that a digit far behind breaks. */
    char *at = stpcpy(long_text, "9007199254740993.");
    memset(at, '0', 1000);
    strcpy(at + 1000, "1");
    CHECK(read_all(long_text) == 9007199254740994.0);
    memset(long_text, '9', 1000);
    long_text[1000] = '\0';
    CHECK(isinf(read_all(long_text)));
    strcpy(long_text + 1000, "e-1000");
    CHECK(read_all(long_text) == 1);
}

/* ---- units of UTF-16 ---- */

CASE(texts_are_ordered_by_units) {
    CHECK(mp_utf8_compare("a", 1, "b", 1) < 0);
    CHECK(mp_utf8_compare("ab", 2, "a", 1) > 0);
    CHECK(mp_utf8_compare("a", 1, "a", 1) == 0);
    /* U+FF5E comes behind what takes two units. */
    CHECK(mp_utf8_compare("\xef\xbd\x9e", 3, "\xf0\x9f\x98\x80", 4) > 0);
    CHECK(mp_utf8_compare("\xed\x9f\xbf", 3, "\xf0\x9f\x98\x80", 4) < 0);
}

CASE(pairs_are_cut_in_halves) {
    char out[32];
    const char *text = "a\xf0\x9f\x98\x80";
    char *end = mp_utf8_slice(text, 5, 1, 2, out);
    CHECK_TEXT(out, end - out, "\xed\xa0\xbd");
    end = mp_utf8_slice(text, 5, 2, 9, out);
    CHECK_TEXT(out, end - out, "\xed\xb8\x80");
    CHECK(mp_utf8_units(text, 5) == 3);
}

/* ---- versions and dates ---- */

static int order_of(const char *a, const char *b) {
    int order;
    if (!mp_semver_compare(a, strlen(a), b, strlen(b), &order))
        return 99;
    return (order > 0) - (order < 0);
}

CASE(versions_are_ordered_as_semver_org_has_it) {
    static const char *const ascending[] = {
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "2.0.0",
        "2.1.0",
        "2.1.1",
        "10.0.0",
        "99999999999999999999.0.0",
    };
    size_t count = sizeof ascending / sizeof *ascending;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            CHECK(order_of(ascending[i], ascending[j]) == (i > j) - (i < j));
    CHECK(order_of("1.2.3+a", "1.2.3+b") == 0 &&
          order_of(" v1.2 ", "1.2.0") == 0);
    CHECK(order_of("1-rc", "1") == -1);
}

CASE(what_is_no_version_has_no_order) {
    static const char *const bad[] = {
        "",     "v",   "1.2.3.4", "01.2.3", "1.2.3-",     "1.2.3-01",  "1.2.3+",
        "1..2", "vv1", "1.2.x",   "-1.2.3", "1.2.3-a..b", "1.2.3+a_b", "latest",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(order_of(bad[i], "1.0.0") == 99);
    char longest[258] = "1.0.0-";
    memset(longest + 6, 'a', 250);
    CHECK(order_of(longest, "1.0.0") == -1);
    longest[256] = 'a';
    CHECK(order_of(longest, "1.0.0") == 99);
}

static bool reads_as(const char *text, int64_t seconds) {
    int64_t read;
    return mp_rfc3339_read(text, strlen(text), &read) && read == seconds;
}

static bool is_no_date(const char *text) {
    int64_t read;
    return !mp_rfc3339_read(text, strlen(text), &read);
}

CASE(dates_are_read_to_the_second) {
    CHECK(reads_as("2026-07-16T00:00:00Z", 1784160000));
    CHECK(reads_as(" 2026-07-16t02:00:00.999+02:00 ", 1784160000));
    CHECK(reads_as("1969-12-31T23:59:59.5Z", -1));
    CHECK(reads_as("0000-01-01T00:00:00Z", -62167219200));
    CHECK(reads_as("2000-02-29T12:00:00-00:00", 951825600));
    CHECK(reads_as("9999-12-31T23:59:59z", 253402300799));
}

CASE(what_is_no_date_is_not_read) {
    static const char *const bad[] = {
        "",
        "2026-07-16",
        "2026-07-16T00:00:00",
        "2026-02-30T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+00:60",
        "2026-01-01T00:00:00.Z",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00+0000",
        "1784160000",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(is_no_date(bad[i]));
}

/* What the tests of Mixpanel's Python SDK say. */
CASE(malformed_comparisons_are_false) {
    mp_value version = mp_value_text("1.2.3", 5),
             same = mp_value_text("===", 3);
    mp_value date = mp_value_text("2026-07-16T00:00:00Z", 20);
    mp_value feb30 = mp_value_text("2026-02-30T00:00:00Z", 20);
    mp_value five = mp_value_number(5), ms = mp_value_number(1784160000000);
    mp_value differs = mp_value_text("!==", 3);
    CHECK(mp_compare_semver((mp_value[]){version, same, version}, 3));
    CHECK(!mp_compare_semver((mp_value[]){version, same}, 2));
    CHECK(!mp_compare_semver((mp_value[]){version, same, version, same}, 4));
    CHECK(!mp_compare_semver((mp_value[]){version, five, version}, 3));
    CHECK(!mp_compare_semver((mp_value[]){five, differs, version}, 3));
    CHECK(mp_compare_datetime((mp_value[]){date, same, ms}, 3));
    CHECK(!mp_compare_datetime((mp_value[]){date, same}, 2));
    CHECK(!mp_compare_datetime((mp_value[]){date, same, ms, same}, 4));
    CHECK(!mp_compare_datetime((mp_value[]){date, five, ms}, 3));
    const mp_value targets[] = {
        mp_value_boolean(true),
        date,
        mp_value_number(INFINITY),
        mp_value_number(NAN),
        mp_value_number(9223372036854775808.0),
    };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        CHECK(!mp_compare_datetime((mp_value[]){date, same, targets[i]}, 3));
        CHECK(!mp_compare_datetime((mp_value[]){date, differs, targets[i]}, 3));
    }
    CHECK(!mp_compare_datetime((mp_value[]){feb30, same, ms}, 3));
}

/* ---- hashes ---- */

CASE(hashes_are_those_of_fnv) {
    char hex[MP_FNV128_HEX];
    CHECK(mp_fnv64_add(MP_FNV64_EMPTY, "", 0) == 0xcbf29ce484222325);
    CHECK(mp_fnv64_add(MP_FNV64_EMPTY, "a", 1) == 0xaf63dc4c8601ec8c);
    CHECK(mp_fnv64_add(MP_FNV64_EMPTY, "foobar", 6) == 0x85944171f73967e8);
    mp_fnv128 hash = mp_fnv128_empty;
    mp_fnv128_add(&hash, "a", 1);
    mp_fnv128_hex(&hash, hex);
    CHECK_TEXT(hex, sizeof hex, "0880954519ab1be95aa0733055b70e0c");
    hash = mp_fnv128_empty;
    mp_fnv128_add(&hash, "foobar", 6);
    mp_fnv128_hex(&hash, hex);
    CHECK_TEXT(hex, sizeof hex, "e01fcf9a454ff78da540f1b23234b288");
}

int main(void) {
    setlocale(LC_ALL, ""); /* whatever the host has: nothing may depend on it */
    RUN(lower_case_is_that_of_unicode);
    RUN(a_sigma_ends_a_word_in_its_final_form);
    RUN(what_is_no_utf8_stays);
    RUN(numbers_are_written_as_javascript_does);
    RUN(texts_are_numbers_as_javascript_has_them);
    RUN(texts_are_rounded_to_the_nearest_number);
    RUN(texts_are_ordered_by_units);
    RUN(pairs_are_cut_in_halves);
    RUN(versions_are_ordered_as_semver_org_has_it);
    RUN(what_is_no_version_has_no_order);
    RUN(dates_are_read_to_the_second);
    RUN(what_is_no_date_is_not_read);
    RUN(malformed_comparisons_are_false);
    RUN(hashes_are_those_of_fnv);
    return unit_result();
}
