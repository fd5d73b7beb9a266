#include "core/record/operation.h"
#include "unit.h"

static bool has_letter(const char *name) {
    return (MP_LETTER(name[1]) & MP_OPERATION_LETTERS) != 0;
}

CASE(each_operation_is_found_by_its_name) {
    for (const mp_operation *o = mp_operations; o->name; o++) {
        CHECK(mp_operation_find(o->name, strlen(o->name)) == o);
        CHECK(!mp_operation_is_modifier(o->name, strlen(o->name)));
    }
    CHECK(!mp_operation_find("$sets", 5));
    CHECK(!mp_operation_find("$se", 3));
    CHECK(!mp_operation_find("$", 1));
}

CASE(letters_are_those_of_the_names) {
    static const char *const modifiers[] = {"$ip",           "$time",
                                            "$ignore_time",  "$latitude",
                                            "$ignore_alias", "$longitude"};
    uint32_t letters = 0;
    for (const mp_operation *o = mp_operations; o->name; o++) {
        CHECK(has_letter(o->name));
        letters |= MP_LETTER(o->name[1]);
    }
    for (size_t i = 0; i < sizeof modifiers / sizeof *modifiers; i++) {
        CHECK(mp_operation_is_modifier(modifiers[i], strlen(modifiers[i])));
        CHECK(has_letter(modifiers[i]));
        letters |= MP_LETTER(modifiers[i][1]);
    }
    CHECK(letters == MP_OPERATION_LETTERS);
    CHECK(!has_letter("$name"));
}

int main(void) {
    RUN(each_operation_is_found_by_its_name);
    RUN(letters_are_those_of_the_names);
    return unit_result();
}
