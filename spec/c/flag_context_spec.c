#include "core/flags/context.h"
#include "unit.h"

static void tell_pair(mp_context *context, const char *key, double number) {
    if (mp_context_key(context, key, strlen(key), NULL))
        mp_context_number(context, number);
}

static double read_a(mp_context *context) {
    const mp_value *value = mp_value_member(mp_context_value(context), "aa", 2);
    return value ? value->as.number : -1;
}

CASE(of_keys_that_collide_the_lower_one_wins) {
    static const char *const orders[][3] = {
        {"AA", "aa", "aA"}, {"aa", "aA", "AA"}, {"aA", "AA", "aa"}};
    mp_context context = {0};
    for (size_t i = 0; i < 3; i++) {
        mp_context_begin(&context);
        mp_context_open(&context);
        for (size_t j = 0; j < 3; j++)
            tell_pair(&context, orders[i][j], strcmp(orders[i][j], "aa") == 0);
        mp_context_close_object(&context);
        CHECK(read_a(&context) == 1);
        CHECK(mp_context_value(&context)->len == 1);
        mp_context_begin(&context);
        mp_context_open(&context);
        for (size_t j = 0; j < 3; j++)
            if (strcmp(orders[i][j], "aa") != 0)
                tell_pair(&context, orders[i][j],
                          strcmp(orders[i][j], "AA") == 0);
        mp_context_close_object(&context);
        CHECK(read_a(&context) == 1);
    }
    mp_context_free(&context);
}

CASE(ten_thousand_properties_are_found) {
    char key[16];
    mp_context context = {0};
    mp_context_begin(&context);
    mp_context_open(&context);
    for (int i = 0; i < 10000; i++) {
        snprintf(key, sizeof key, "K%d", i);
        tell_pair(&context, key, i);
    }
    mp_context_close_object(&context);
    const mp_value *all = mp_context_value(&context);
    CHECK(all && all->len == 10000);
    for (int i = 0; all && i < 10000; i++) {
        int n = snprintf(key, sizeof key, "k%d", i);
        const mp_value *value = mp_value_member(all, key, (size_t)n);
        CHECK(value && value->as.number == i);
    }
    mp_context_free(&context);
}

CASE(a_context_of_too_many_levels_or_bytes_says_so) {
    static char megabyte[1024 * 1024];
    mp_context context = {0};
    for (int levels = 64; levels <= 66; levels++) {
        mp_context_begin(&context);
        for (int i = 0; i < levels; i++)
            mp_context_open(&context);
        for (int i = 0; i < levels; i++)
            mp_context_close_array(&context);
        CHECK((mp_context_value(&context) != NULL) == (levels <= 65));
        CHECK(context.err == (levels <= 65 ? MP_OK : MP_INVALID));
    }
    CHECK(strcmp(context.problem, "nested deeper than 64 levels") == 0);
    mp_context_begin(&context);
    mp_context_open(&context);
    for (int i = 0; i < 5; i++)
        mp_context_text(&context, megabyte, sizeof megabyte);
    mp_context_close_array(&context);
    CHECK(mp_context_value(&context) == NULL && context.err == MP_INVALID);
    CHECK(strcmp(context.problem, "larger than 4 MiB") == 0);
    mp_context_begin(&context);
    mp_context_number(&context, 1);
    CHECK(mp_context_value(&context) != NULL);
    mp_context_free(&context);
}

int main(void) {
    RUN(of_keys_that_collide_the_lower_one_wins);
    RUN(ten_thousand_properties_are_found);
    RUN(a_context_of_too_many_levels_or_bytes_says_so);
    return unit_result();
}
