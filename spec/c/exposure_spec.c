#include "core/flags/exposure.h"
#include "unit.h"

#include <stdlib.h>

static const int64_t hour_ms = 3600 * 1000;

static mp_exposure make(const char *id, const char *flag, const char *variant) {
    return (mp_exposure){id,         flag,         variant,
                         strlen(id), strlen(flag), strlen(variant)};
}

static bool add(mp_exposures *exposures, int user, int64_t now_ms) {
    char id[32];
    snprintf(id, sizeof id, "user-%d", user);
    mp_exposure exposure = make(id, "flag", "variant");
    return mp_exposures_add(exposures, &exposure, now_ms);
}

CASE(an_exposure_counts_once_in_24_hours) {
    mp_exposures *exposures = mp_exposures_new(10, 1);
    CHECK(add(exposures, 1, 1000));
    CHECK(!add(exposures, 1, 1000));
    CHECK(!add(exposures, 1, 1000 + 24 * hour_ms - 1));
    CHECK(add(exposures, 1, 1000 + 24 * hour_ms));
    CHECK(!add(exposures, 1, 1000 + 25 * hour_ms));
    mp_exposures_free(exposures);
}

CASE(id_flag_and_variant_tell_exposures_apart) {
    mp_exposures *exposures = mp_exposures_new(100, 1);
    const mp_exposure all[] = {make("a", "b", "c"), make("ab", "", "c"),
                               make("a", "bc", ""), make("", "ab", "c"),
                               make("a", "b", "d"), make("b", "b", "c")};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        CHECK(mp_exposures_add(exposures, &all[i], 0));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        CHECK(!mp_exposures_add(exposures, &all[i], 0));
    mp_exposures_free(exposures);
}

CASE(what_was_not_reported_counts_again) {
    mp_exposures *exposures = mp_exposures_new(2, 1);
    mp_exposure exposure = make("user-1", "flag", "variant");
    mp_exposures_remove(exposures, &exposure); /* nothing */
    CHECK(add(exposures, 1, 0));
    mp_exposures_remove(exposures, &exposure);
    CHECK(add(exposures, 1, 0));
    CHECK(add(exposures, 2, 0));
    CHECK(!add(exposures, 1, 0) && !add(exposures, 2, 0));
    mp_exposures_free(exposures);
}

CASE(the_one_asked_for_longest_ago_gives_way) {
    mp_exposures *exposures = mp_exposures_new(1000, 7);
    for (int i = 0; i < 1000; i++)
        CHECK(add(exposures, i, i));
    for (int i = 0; i < 1000; i++)
        CHECK(!add(exposures, i, 1000));
    CHECK(!add(exposures, 0, 1000));
    CHECK(add(exposures, 1000, 1000));
    CHECK(!add(exposures, 0, 1000));
    CHECK(!add(exposures, 2, 1000));
    CHECK(add(exposures, 1, 1000)); /* in the place of 3 */
    CHECK(!add(exposures, 4, 1000));
    CHECK(add(exposures, 3, 1000));
    mp_exposures_free(exposures);
}

CASE(a_million_exposures_of_a_thousand_users_are_a_thousand) {
    mp_exposures *exposures = mp_exposures_new(65536, 3);
    int reported = 0;
    for (int i = 0; i < 1000000; i++)
        reported += add(exposures, i % 1000, i);
    CHECK(reported == 1000);
    mp_exposures_free(exposures);
}

CASE(an_insert_id_is_of_project_exposure_and_day) {
    static const int64_t noon = INT64_C(1784203200000);
    char id[MP_FNV128_HEX + 1] = "", other[MP_FNV128_HEX];
    mp_exposure exposure = make("u", "f", "v"), another = make("u", "f", "w");
    mp_exposure_insert_id("token", &exposure, noon, id);
    CHECK(strspn(id, "0123456789abcdef") == MP_FNV128_HEX);
    mp_exposure_insert_id("token", &exposure, noon + 11 * hour_ms, other);
    CHECK(memcmp(id, other, sizeof other) == 0);
    mp_exposure_insert_id("token", &exposure, noon + 12 * hour_ms, other);
    CHECK(memcmp(id, other, sizeof other) != 0);
    mp_exposure_insert_id("tokem", &exposure, noon, other);
    CHECK(memcmp(id, other, sizeof other) != 0);
    mp_exposure_insert_id("token", &another, noon, other);
    CHECK(memcmp(id, other, sizeof other) != 0);
}

int main(void) {
    RUN(an_exposure_counts_once_in_24_hours);
    RUN(id_flag_and_variant_tell_exposures_apart);
    RUN(what_was_not_reported_counts_again);
    RUN(the_one_asked_for_longest_ago_gives_way);
    RUN(a_million_exposures_of_a_thousand_users_are_a_thousand);
    RUN(an_insert_id_is_of_project_exposure_and_day);
    return unit_result();
}
