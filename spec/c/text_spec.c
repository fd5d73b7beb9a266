#include "core/base/text.h"
#include "unit.h"

#include <stdint.h>
#include <stdlib.h>

CASE(a_copy_is_the_caller_s) {
    char text[] = "abc";
    char *copy = mp_text_copy(text);
    text[0] = 'x';
    CHECK_TEXT(copy, strlen(copy), "abc");
    free(copy);
    copy = mp_text_copy("");
    CHECK(copy && copy[0] == '\0');
    free(copy);
}

CASE(a_format_takes_what_room_it_needs) {
    char *text = mp_text_format("%s/%08d/%s", "a", 5, "b");
    CHECK_TEXT(text, strlen(text), "a/00000005/b");
    free(text);
    text = mp_text_format("%*d", 5000, 1);
    CHECK(strlen(text) == 5000 && text[4999] == '1');
    free(text);
}

CASE(a_part_is_found_where_the_c_library_finds_it) {
    static const char letters[] = "ab";
    char text[9] = "", part[4] = "";
    int wrong = 0;
    for (unsigned bits = 0; bits < 1u << 8; bits++) {
        for (int i = 0; i < 8; i++)
            text[i] = letters[bits >> i & 1];
        for (unsigned p = 0; p < 1u << 3; p++) {
            for (int i = 0; i < 3; i++)
                part[i] = letters[p >> i & 1];
            for (size_t len = 0; len <= 8; len++)
                for (size_t n = 1; n <= 3; n++)
                    wrong += mp_text_find(text, len, part, n) !=
                             memmem(text, len, part, n);
        }
    }
    CHECK(wrong == 0);
}

CASE(letters_are_compared_without_case_and_nothing_else_is) {
    CHECK(mp_text_same("Retry-After", "rETRY-aFTER"));
    CHECK(!mp_text_same("Retry-After", "Retry-Afte"));
    CHECK(!mp_text_same("Retry-Afte", "Retry-After"));
    CHECK(mp_text_same("", "") && !mp_text_same("", "a"));
    CHECK(!mp_text_same("@", "`") && !mp_text_same("[", "{"));
    CHECK(!mp_text_same("\xc4", "\xe4"));
    CHECK(mp_text_begins("HTTPS://x", "https://"));
    CHECK(mp_text_begins("x", "") && !mp_text_begins("http", "https"));
}

int main(void) {
    RUN(a_copy_is_the_caller_s);
    RUN(a_format_takes_what_room_it_needs);
    RUN(a_part_is_found_where_the_c_library_finds_it);
    RUN(letters_are_compared_without_case_and_nothing_else_is);
    return unit_result();
}
