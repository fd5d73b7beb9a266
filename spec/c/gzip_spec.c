#include "core/base/gzip.h"
#include "unit.h"

#include <libdeflate.h>
#include <stdint.h>
#include <stdlib.h>

/* Compresses behind some earlier bytes and reads it back. */
static void check_round_trip(int level, const char *in, size_t len) {
    mp_gzip *gzip = mp_gzip_borrow(level);
    CHECK(gzip != NULL);
    mp_buf out = {0};
    CHECK(mp_buf_puts(&out, "head") == MP_OK);
    CHECK(mp_gzip_add(gzip, &out, in, len) == MP_OK);
    CHECK(out.len > 4 && memcmp(out.data, "head\x1f\x8b", 6) == 0);

    struct libdeflate_decompressor *reader = libdeflate_alloc_decompressor();
    char *back = malloc(len + 1);
    size_t n = 0;
    CHECK(libdeflate_gzip_decompress(reader, out.data + 4, out.len - 4, back,
                                     len + 1, &n) == LIBDEFLATE_SUCCESS);
    CHECK(n == len && (len == 0 || memcmp(back, in, len) == 0));
    free(back);
    libdeflate_free_decompressor(reader);
    mp_buf_free(&out);
    mp_gzip_give_back(gzip);
}

static void check_levels(const char *in, size_t len) {
    check_round_trip(MP_GZIP_MIN, in, len);
    check_round_trip(6, in, len);
    check_round_trip(MP_GZIP_MAX, in, len);
}

CASE(nothing) {
    check_levels("", 0);
}

CASE(text) {
    const char *text =
        "[{\"event\":\"Signed Up\"},\n{\"event\":\"Signed Up\"}]";
    check_levels(text, strlen(text));
}

CASE(a_megabyte) {
    enum {
        MB = 1024 * 1024
    };
    char *in = malloc(MB);
    uint32_t noise = 1;
    for (size_t i = 0; i < MB; i++)
        in[i] = (char)((noise = noise * 1664525 + 1013904223) >> 24);
    check_levels(in, MB); /* does not compress: needs the most room */
    for (size_t i = 0; i < MB; i++)
        in[i] = "{\"event\":\"Played\",\"level\":7},\n"[i % 31];
    check_levels(in, MB);
    free(in);
}

CASE(one_compressor_many_bodies) {
    mp_gzip *gzip = mp_gzip_borrow(6);
    mp_buf first = {0}, second = {0};
    CHECK(mp_gzip_add(gzip, &first, "abcabcabc", 9) == MP_OK);
    CHECK(mp_gzip_add(gzip, &second, "abcabcabc", 9) == MP_OK);
    CHECK(first.len == second.len);
    CHECK(memcmp(first.data, second.data, first.len) == 0);
    mp_buf_free(&first);
    mp_buf_free(&second);
    mp_gzip_give_back(gzip);
}

CASE(bytes_behind_the_end_are_damage) {
    mp_gzip *gzip = mp_gzip_borrow(1);
    mp_buf file = {0}, out = {0};
    CHECK(mp_gzip_add(gzip, &file, "abcabcabc", 9) == MP_OK);
    CHECK(mp_gunzip_add(&out, file.data, file.len, 100) == MP_OK);
    CHECK(out.len == 9);
    CHECK(mp_buf_add(&file, "and \x20\0\0\0", 8) == MP_OK);
    CHECK(mp_gunzip_add(&out, file.data, file.len, 100) == MP_INVALID);
    mp_buf_free(&file);
    mp_buf_free(&out);
    mp_gzip_give_back(gzip);
}

/* Whose end says the size of what is before it, too. */
CASE(so_is_another_file) {
    mp_gzip *gzip = mp_gzip_borrow(1);
    mp_buf files = {0}, out = {0};
    CHECK(mp_gzip_add(gzip, &files, "abcabcabc", 9) == MP_OK);
    CHECK(mp_gzip_add(gzip, &files, "defdefdef", 9) == MP_OK);
    CHECK(mp_gunzip_add(&out, files.data, files.len, 100) == MP_INVALID);
    mp_buf_free(&files);
    mp_buf_free(&out);
    mp_gzip_give_back(gzip);
}

CASE(one_of_a_level_is_kept) {
    mp_gzip *first = mp_gzip_borrow(3), *second = mp_gzip_borrow(3);
    CHECK(first != second);
    mp_gzip_give_back(first);
    mp_gzip_give_back(second); /* and the first is gone */
    CHECK(mp_gzip_borrow(3) == second);
    mp_gzip_give_back(second);
    mp_gzip_give_back(NULL);
}

CASE(input_has_the_room_of_the_one_before) {
    mp_gzip *gzip = mp_gzip_borrow(4);
    mp_buf *in = mp_gzip_input(gzip), out = {0};
    CHECK(mp_buf_reserve(in, 100000));
    CHECK(mp_buf_puts(in, "abcabcabc") == MP_OK);
    CHECK(mp_gzip_add(gzip, &out, in->data, in->len) == MP_OK);
    const char *data = in->data;
    mp_gzip_give_back(gzip);
    gzip = mp_gzip_borrow(4);
    in = mp_gzip_input(gzip);
    CHECK(in->data == data && in->len == 0 && in->cap >= 100000);
    mp_buf_fail(in, MP_MEMORY);
    CHECK(mp_gzip_input(gzip)->err == MP_OK);
    mp_buf_free(&out);
    mp_gzip_give_back(gzip);
}

int main(void) {
    RUN(nothing);
    RUN(text);
    RUN(a_megabyte);
    RUN(one_compressor_many_bodies);
    RUN(bytes_behind_the_end_are_damage);
    RUN(so_is_another_file);
    RUN(one_of_a_level_is_kept);
    RUN(input_has_the_room_of_the_one_before);
    return unit_result();
}
