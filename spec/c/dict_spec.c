#include "core/base/dict.h"
#include "unit.h"

static void set(mp_dict *dict, const char *name, const char *value) {
    CHECK(mp_dict_set(dict, name, strlen(name), value, strlen(value)) == MP_OK);
}

static void check(const mp_dict *dict, const char *name, const char *value) {
    const mp_pair *pair = mp_dict_find(dict, name, strlen(name));
    CHECK(pair != NULL);
    if (pair)
        CHECK_TEXT(pair->value, pair->len, value);
}

CASE(a_name_has_one_value_in_its_place) {
    mp_dict dict = {0};
    set(&dict, "a", "1");
    set(&dict, "", "empty");
    set(&dict, "b", "");
    set(&dict, "a", "other");
    CHECK(dict.count == 3);
    CHECK_TEXT(dict.pairs[0].name, dict.pairs[0].name_len, "a");
    check(&dict, "a", "other");
    check(&dict, "", "empty");
    check(&dict, "b", "");
    CHECK(mp_dict_find(&dict, "ab", 2) == NULL);
    mp_dict_clear(&dict);
    CHECK(dict.count == 0 && mp_dict_find(&dict, "a", 1) == NULL);
}

CASE(a_value_may_be_set_from_the_map_itself) {
    mp_dict dict = {0};
    set(&dict, "a", "text");
    const mp_pair *pair = mp_dict_find(&dict, "a", 1);
    CHECK(mp_dict_set(&dict, "a", 1, pair->value, pair->len) == MP_OK);
    check(&dict, "a", "text");
    mp_dict_clear(&dict);
}

CASE(what_is_removed_leaves_the_others_in_order) {
    mp_dict dict = {0}, copy = {0};
    char name[2] = "a";
    for (; name[0] <= 'z'; name[0]++)
        set(&dict, name, name);
    CHECK(mp_dict_remove(&dict, "c", 1) && !mp_dict_remove(&dict, "c", 1));
    CHECK(mp_dict_remove(&dict, "a", 1) && mp_dict_remove(&dict, "z", 1));
    CHECK(dict.count == 23);
    for (uint32_t i = 1; i < dict.count; i++)
        CHECK(dict.pairs[i - 1].name[0] < dict.pairs[i].name[0]);
    CHECK(mp_dict_copy(&copy, &dict) == MP_OK && copy.count == dict.count);
    mp_dict_clear(&dict);
    check(&copy, "b", "b");
    mp_dict_clear(&copy);
}

int main(void) {
    RUN(a_name_has_one_value_in_its_place);
    RUN(a_value_may_be_set_from_the_map_itself);
    RUN(what_is_removed_leaves_the_others_in_order);
    return unit_result();
}
