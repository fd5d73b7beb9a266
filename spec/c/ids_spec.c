#include "core/user/ids.h"
#include "unit.h"

static void check(const mp_buf *id, const char *text) {
    CHECK_TEXT(id->data, id->len, text);
}

CASE(a_new_device_is_nobody_yet) {
    mp_ids a = {0}, b = {0};
    CHECK(mp_ids_of_new_device(&a) == MP_OK);
    CHECK(mp_ids_of_new_device(&b) == MP_OK);
    CHECK(a.device_id.len == 36 && a.device_id.data[14] == '4');
    CHECK(strchr("89ab", a.device_id.data[19]) != NULL);
    CHECK(memcmp(a.device_id.data, b.device_id.data, 36) != 0);
    CHECK(mp_ids_is_device(a.distinct_id.data, a.distinct_id.len));
    CHECK(memcmp(a.distinct_id.data + 8, a.device_id.data, 36) == 0);
    CHECK(a.user_id.len == 0 && a.alias.len == 0 && !a.had_distinct_id);
    mp_ids_free(&a);
    mp_ids_free(&b);
}

CASE(who_is_identified_keeps_the_device) {
    mp_ids device = {0}, user = {0}, other = {0};
    mp_ids_of_device(&device, "D", 1);
    check(&device.distinct_id, "$device:D");
    CHECK(mp_ids_identified(&user, &device, "u1", 2) == MP_OK);
    check(&user.distinct_id, "u1");
    check(&user.user_id, "u1");
    check(&user.device_id, "D");
    CHECK(!user.had_distinct_id);
    CHECK(mp_ids_identified(&other, &user, "u2", 2) == MP_OK);
    check(&other.device_id, "D");
    mp_ids_free(&device);
    mp_ids_free(&user);
    mp_ids_free(&other);
}

CASE(an_older_id_stands_in_for_a_device) {
    mp_ids old = {0}, user = {0}, later = {0};
    mp_ids_of_user(&old, "old", 3, NULL, 0);
    CHECK(old.device_id.len == 0);
    CHECK(mp_ids_identified(&user, &old, "new", 3) == MP_OK);
    check(&user.device_id, "old");
    CHECK(user.had_distinct_id);
    CHECK(mp_ids_identified(&later, &user, "newer", 5) == MP_OK);
    check(&later.device_id, "old");
    CHECK(later.had_distinct_id);
    mp_ids_free(&old);
    mp_ids_free(&user);
    mp_ids_free(&later);
}

CASE(an_alias_leaves_the_id_as_it_is) {
    mp_ids device = {0}, alias = {0}, user = {0};
    mp_ids_of_device(&device, "D", 1);
    CHECK(mp_ids_aliased(&alias, &device, "A", 1) == MP_OK);
    check(&alias.distinct_id, "$device:D");
    check(&alias.user_id, "A");
    check(&alias.alias, "A");
    CHECK(mp_ids_identified(&user, &alias, "u", 1) == MP_OK);
    CHECK(user.alias.len == 0);
    mp_ids_free(&device);
    mp_ids_free(&alias);
    mp_ids_free(&user);
}

CASE(only_the_whole_prefix_makes_a_device) {
    CHECK(mp_ids_is_device("$device:", 8) && mp_ids_is_device("$device:x", 9));
    CHECK(!mp_ids_is_device("$device", 7) && !mp_ids_is_device("x", 1));
}

CASE(ids_are_equal_that_are_sent_as_one) {
    mp_ids a = {0};
    mp_ids_of_user(&a, "Jos\xe9", 4, NULL, 0);
    CHECK(mp_ids_equal(&a.distinct_id, "Jos\xe9", 4));
    CHECK(mp_ids_equal(&a.distinct_id, "Jos\xef\xbf\xbd", 6));
    CHECK(!mp_ids_equal(&a.distinct_id, "Jos", 3));
    CHECK(!mp_ids_equal(&a.distinct_id, "Jot\xe9", 4));
    CHECK(!mp_ids_equal(&a.device_id, "Jos", 3));
    CHECK(mp_ids_equal(&a.device_id, "", 0));
    mp_ids_free(&a);
}

int main(void) {
    RUN(a_new_device_is_nobody_yet);
    RUN(who_is_identified_keeps_the_device);
    RUN(an_older_id_stands_in_for_a_device);
    RUN(an_alias_leaves_the_id_as_it_is);
    RUN(only_the_whole_prefix_makes_a_device);
    RUN(ids_are_equal_that_are_sent_as_one);
    return unit_result();
}
